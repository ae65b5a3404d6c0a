#include "loop/passes/align_rows.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

class Aligner {
 public:
  explicit Aligner(Kernel& kernel)
      : kernel_(kernel),
        stages_(StagesOf(kernel)),
        parent_(static_cast<size_t>(kernel.vars.size())) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  std::optional<std::vector<std::string>> Run() {
    if (!JoinFlows()) return std::nullopt;
    std::vector<size_t> rows = CommonClasses();
    // What flows must stay inside the shared loops.
    for (size_t row_class : flow_classes_) {
      if (std::find(rows.begin(), rows.end(), row_class) == rows.end()) return std::nullopt;
    }
    std::vector<std::string> names;
    for (size_t i = 0; i < rows.size(); ++i) names.push_back("r" + std::to_string(i));
    for (Stage& stage : stages_)
      PutRowsFirst(kernel_, stage, rows, [&](VarId var) { return ClassOf(var); }, "q");
    SetStages(kernel_, std::move(stages_));
    return names;
  }

 private:
  size_t Find(size_t x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  size_t ClassOf(VarId var) { return Find(static_cast<size_t>(var.index)); }

  bool IsFlow(BufferId buffer) const { return kernel_.buffers[buffer].space == Space::kTemporary; }

  // Joins the variables that index the same dimension of a temporary.
  bool JoinFlows() {
    std::map<std::pair<BufferId, size_t>, VarId> dimension;
    bool fine = true;
    auto join = [&](BufferId buffer, const Index& index) {
      if (!IsFlow(buffer)) return;
      for (size_t d = 0; d < index.size(); ++d) {
        auto* variable = std::get_if<Variable>(&kernel_.exprs[index[d]].node);
        if (!variable) {
          fine = false;
          continue;
        }
        auto [found, is_new] = dimension.emplace(std::pair{buffer, d}, variable->var);
        if (!is_new) parent_[ClassOf(variable->var)] = ClassOf(found->second);
        flow_vars_.insert(variable->var);
      }
    };
    for (const Stage& stage : stages_) {
      for (const Part& part : stage.parts) join(part.buffer, stage.place);
      ForEachLoad(kernel_, stage, [&](const Load& load) { join(load.buffer, load.index); });
    }
    for (VarId var : flow_vars_) flow_classes_.insert(ClassOf(var));
    return fine;
  }

  // The classes that have exactly one loop, of one extent and not reduced, in every stage.
  std::vector<size_t> CommonClasses() {
    std::vector<size_t> common;
    for (const StageLoop& loop : stages_.at(0).loops) {
      size_t c = ClassOf(loop.var);
      bool everywhere = true;
      for (const Stage& stage : stages_) {
        int count = 0;
        for (const StageLoop& other : stage.loops) {
          if (ClassOf(other.var) != c) continue;
          ++count;
          everywhere &= other.extent == loop.extent && Names(kernel_, stage, other.var);
        }
        everywhere &= count == 1;
      }
      if (everywhere) common.push_back(c);
    }
    return common;
  }

  Kernel& kernel_;
  std::vector<Stage> stages_;
  std::vector<size_t> parent_;
  std::set<VarId> flow_vars_;
  std::set<size_t> flow_classes_;
};

}  // namespace

void PutRowsFirst(Kernel& kernel, Stage& stage, const std::vector<size_t>& rows,
                  const std::function<size_t(VarId)>& class_of, const std::string& other) {
  std::vector<StageLoop> loops;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const StageLoop& loop : stage.loops) {
      if (class_of(loop.var) != rows[i]) continue;
      kernel.vars[loop.var].name = "r" + std::to_string(i);
      loops.push_back(loop);
    }
  }
  int next = 0;
  for (const StageLoop& loop : stage.loops) {
    if (std::find(rows.begin(), rows.end(), class_of(loop.var)) != rows.end()) continue;
    kernel.vars[loop.var].name = other + std::to_string(next++);
    loops.push_back(loop);
  }
  stage.loops = std::move(loops);
}

std::optional<std::vector<std::string>> AlignRows(Kernel& kernel) {
  if (kernel.body.empty()) return std::nullopt;
  return Aligner(kernel).Run();
}

}  // namespace webnnc::loop
