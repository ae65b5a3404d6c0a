#include "loop/passes/align_rows.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "loop/passes/keep_functions.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// Loops that run over the same dimension of what flows between stages are of one class.
class Aligner {
 public:
  // `flows` says of which buffers elements flow.
  Aligner(Kernel& kernel, const std::function<bool(Space)>& flows)
      : kernel_(kernel),
        flows_(flows),
        in_results_(TemporariesInResults(kernel)),
        stages_(StagesOf(kernel)),
        parent_(static_cast<size_t>(kernel.vars.size())) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (const Stage& stage : stages_) JoinFlows(stage);
    FindRows();
  }

  // Whether all that flows stays within a row: a value a row, a row of a map's values that can be
  // where a result will be, or a short one.
  bool RowsAreAll() {
    return mixed_.empty() &&
           std::all_of(dimension_.begin(), dimension_.end(), [&](const auto& entry) {
             return IsRow(ClassOf(entry.second)) || in_results_.count(entry.first.first) ||
                    HoldsShortRows(entry.first.first);
           });
  }

  // Puts rows outermost in every stage, with the same names, which are given. Other loops are named
  // by `other` of the stage's number and their own.
  std::vector<std::string> PutRowsFirst(const std::function<std::string(size_t)>& other) {
    for (size_t s = 0; s < stages_.size(); ++s) PutRowsFirst(stages_[s], other(s));
    SetStages(kernel_, std::move(stages_));
    std::vector<std::string> names;
    for (size_t i = 0; i < rows_.size(); ++i) names.push_back(RowName(i));
    return names;
  }

 private:
  using Dimension = std::pair<BufferId, size_t>;
  // Half of the least memory that workgroups have.
  static constexpr int64_t kMostBytesOfARow = 8192;

  size_t Find(size_t x) const {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  size_t ClassOf(VarId var) const { return Find(static_cast<size_t>(var.index)); }
  bool IsRow(size_t row_class) const {
    return std::find(rows_.begin(), rows_.end(), row_class) != rows_.end();
  }
  // What flows along other loops than rows is kept for a row at a time.
  bool HoldsShortRows(BufferId buffer) const {
    for (const Stage& stage : stages_) {
      if (stage.buffer() == buffer && stage.kind != StageKind::kMap) return false;
    }
    const TensorType& type = kernel_.buffers[buffer].type;
    Dim bytes = ByteSize(type.dtype);
    for (size_t d = 0; d < type.shape.size(); ++d) {
      auto known = dimension_.find({buffer, d});
      bool is_row = known != dimension_.end() && IsRow(ClassOf(known->second));
      if (!is_row) bytes = bytes * type.shape[d];
    }
    return bytes.IsConstant() && bytes.value() <= kMostBytesOfARow;
  }
  static std::string RowName(size_t i) { return "r" + std::to_string(i); }

  static bool HasLoop(const Stage& stage, VarId var) {
    return std::any_of(stage.loops.begin(), stage.loops.end(),
                       [&](const StageLoop& loop) { return loop.var == var; });
  }

  // Joins the loops that run over the same dimension of what is stored.
  void JoinFlows(const Stage& stage) {
    auto join = [&](BufferId buffer, const Index& index) {
      if (!flows_(kernel_.buffers[buffer].space)) return;
      for (size_t d = 0; d < index.size(); ++d) {
        auto var = VariableOf(kernel_, index[d]);
        if (!var || !HasLoop(stage, *var)) {
          // Whatever runs over this dimension elsewhere may meet any of its elements here.
          mixed_.insert({buffer, d});
          continue;
        }
        auto [found, is_new] = dimension_.emplace(Dimension{buffer, d}, *var);
        if (!is_new) parent_[ClassOf(*var)] = ClassOf(found->second);
      }
    };
    for (const Part& part : stage.parts) join(part.buffer, stage.place);
    ForEachLoad(kernel_, stage, [&](const Load& load) { join(load.buffer, load.index); });
  }

  void FindRows() {
    std::set<size_t> mixed;
    for (const Dimension& dimension : mixed_) {
      auto found = dimension_.find(dimension);
      if (found != dimension_.end()) mixed.insert(ClassOf(found->second));
    }
    for (const StageLoop& loop : stages_.at(0).loops) {
      size_t c = ClassOf(loop.var);
      bool everywhere = !mixed.count(c);
      for (const Stage& stage : stages_) everywhere = everywhere && IsRowOf(stage, c, loop.extent);
      if (everywhere) rows_.push_back(c);
    }
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

  void PutRowsFirst(Stage& stage, const std::string& other) {
    std::vector<StageLoop> loops;
    for (size_t i = 0; i < rows_.size(); ++i) {
      for (const StageLoop& loop : stage.loops) {
        if (ClassOf(loop.var) != rows_[i]) continue;
        kernel_.vars[loop.var].name = RowName(i);
        loops.push_back(loop);
      }
    }
    int next = 0;
    for (const StageLoop& loop : stage.loops) {
      if (IsRow(ClassOf(loop.var))) continue;
      kernel_.vars[loop.var].name = other + std::to_string(next++);
      loops.push_back(loop);
    }
    stage.loops = std::move(loops);
  }

  Kernel& kernel_;
  const std::function<bool(Space)> flows_;
  const std::map<BufferId, BufferId> in_results_;
  std::vector<Stage> stages_;
  mutable std::vector<size_t> parent_;  // paths are halved on the way
  std::map<Dimension, VarId> dimension_;
  std::set<Dimension> mixed_;
  std::vector<size_t> rows_;
};

}  // namespace

std::optional<std::vector<std::string>> AlignRows(Kernel& kernel) {
  if (kernel.body.empty()) return std::nullopt;
  Aligner aligner(kernel, [](Space space) { return space == Space::kTemporary; });
  if (!aligner.RowsAreAll()) return std::nullopt;
  return aligner.PutRowsFirst([](size_t) { return "q"; });
}

std::vector<std::string> AlignOrdered(Kernel& kernel) {
  Aligner aligner(kernel, [](Space space) { return space != Space::kIn; });
  return aligner.PutRowsFirst([](size_t stage) { return "s" + std::to_string(stage) + "q"; });
}

}  // namespace webnnc::loop
