#include "loop/passes/align_ordered.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "loop/passes/align_rows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

class OrderedAligner {
 public:
  explicit OrderedAligner(Kernel& kernel)
      : kernel_(kernel),
        stages_(StagesOf(kernel)),
        parent_(static_cast<size_t>(kernel.vars.size())) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  std::vector<std::string> Run() {
    for (const Stage& stage : stages_) JoinFlows(stage);
    std::vector<size_t> rows = RowClasses();
    std::vector<std::string> names;
    for (size_t i = 0; i < rows.size(); ++i) names.push_back("r" + std::to_string(i));
    for (size_t s = 0; s < stages_.size(); ++s) {
      std::string other = "s" + std::to_string(s) + "q";
      PutRowsFirst(kernel_, stages_[s], rows, [&](VarId var) { return ClassOf(var); }, other);
    }
    SetStages(kernel_, std::move(stages_));
    return names;
  }

 private:
  size_t Find(size_t x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  size_t ClassOf(VarId var) { return Find(static_cast<size_t>(var.index)); }

  static bool HasLoop(const Stage& stage, VarId var) {
    return std::any_of(stage.loops.begin(), stage.loops.end(),
                       [&](const StageLoop& loop) { return loop.var == var; });
  }

  // Joins the loops that run over the same dimension of what is stored.
  void JoinFlows(const Stage& stage) {
    auto join = [&](BufferId buffer, const Index& index) {
      if (kernel_.buffers[buffer].space == Space::kIn) return;
      for (size_t d = 0; d < index.size(); ++d) {
        auto var = VariableOf(kernel_, index[d]);
        bool is_loop = var && HasLoop(stage, *var);
        if (!is_loop) {
          // Whatever runs over this dimension elsewhere may meet any of its elements here.
          mixed_.insert({buffer, d});
          continue;
        }
        auto [found, is_new] = dimension_.emplace(std::pair{buffer, d}, *var);
        if (!is_new) parent_[ClassOf(*var)] = ClassOf(found->second);
      }
    };
    for (const Part& part : stage.parts) join(part.buffer, stage.place);
    ForEachLoad(kernel_, stage, [&](const Load& load) { join(load.buffer, load.index); });
  }

  std::vector<size_t> RowClasses() {
    std::set<size_t> mixed;
    for (const Dimension& dimension : mixed_) {
      auto found = dimension_.find(dimension);
      if (found != dimension_.end()) mixed.insert(ClassOf(found->second));
    }
    std::vector<size_t> rows;
    for (const StageLoop& loop : stages_.at(0).loops) {
      size_t c = ClassOf(loop.var);
      bool everywhere = !mixed.count(c);
      for (const Stage& stage : stages_) everywhere = everywhere && IsRowOf(stage, c, loop.extent);
      if (everywhere) rows.push_back(c);
    }
    return rows;
  }

  // Whether the stage has one loop of the class, of this extent, that tells where to store.
  bool IsRowOf(const Stage& stage, size_t row_class, const Dim& extent) {
    int count = 0;
    bool fits = true;
    for (const StageLoop& loop : stage.loops) {
      if (ClassOf(loop.var) != row_class) continue;
      ++count;
      fits &= loop.extent == extent && Names(kernel_, stage, loop.var);
    }
    return fits && count == 1;
  }

  using Dimension = std::pair<BufferId, size_t>;

  Kernel& kernel_;
  std::vector<Stage> stages_;
  std::vector<size_t> parent_;
  std::map<Dimension, VarId> dimension_;
  std::set<Dimension> mixed_;
};

}  // namespace

std::vector<std::string> AlignOrdered(Kernel& kernel) { return OrderedAligner(kernel).Run(); }

}  // namespace webnnc::loop
