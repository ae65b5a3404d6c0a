#include "loop/passes/keep_functions.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// What takes a CPU several times as long as to store and load a number.
bool IsFunction(const Expr& expr) {
  if (!IsFloat(expr.dtype)) return false;
  auto* binary = std::get_if<Binary>(&expr.node);
  if (binary) return binary->op == BinaryOp::kPow;
  auto* unary = std::get_if<Unary>(&expr.node);
  return unary && unary->op >= UnaryOp::kExp && unary->op <= UnaryOp::kErf &&
         unary->op != UnaryOp::kSqrt;
}

class Keeper {
 public:
  explicit Keeper(Kernel& kernel) : kernel_(kernel), stages_(StagesOf(kernel)) {}

  void Run() {
    if (stages_.size() < 2 || IsOrdered(stages_)) return;
    const Stage last = stages_.back();
    if (!IsResult(last) || !RunsAlongRows(last)) return;
    // What earlier stages compute, as if their loops were the last one's, and the first that does.
    std::unordered_map<ExprId, size_t> computed;
    for (size_t s = 0; s + 1 < stages_.size(); ++s) {
      if (!HasSameLoops(stages_[s], last)) continue;
      Substitution put(kernel_, LoopsOf(stages_[s], last));
      ForEachRoot(stages_[s], [&](ExprId root) {
        ForEachComputed(put(root), [&](ExprId id) { return computed.emplace(id, s).second; });
      });
    }
    std::optional<ExprId> kept;
    std::set<ExprId> seen;
    const DType dtype = kernel_.buffers[last.buffer()].type.dtype;
    ForEachComputed(last.value(), [&](ExprId id) {
      if (kept || !seen.insert(id).second) return false;
      bool fits = computed.count(id) && kernel_.exprs[id].dtype == dtype && HasFunction(id) &&
                  DependsOnAll(id, last);
      if (fits) kept = id;
      return !kept;
    });
    if (kept) Keep(*kept, computed.at(*kept), last);
  }

 private:
  // A map that stores elements of a result, which nothing reads.
  bool IsResult(const Stage& stage) const {
    const BufferId buffer = stage.buffer();
    bool fits = stage.kind == StageKind::kMap && !stage.condition.valid() &&
                kernel_.buffers[buffer].space == Space::kOut;
    for (const Stage& other : stages_) {
      ForEachLoad(kernel_, other, [&](const Load& load) { fits &= load.buffer != buffer; });
    }
    return fits;
  }

  // Whether neighbours are of one row. Where they are of several, schedules take some rows
  // together, and the last of them may be computed twice, for which the result is no place.
  bool RunsAlongRows(const Stage& last) const {
    auto along = last.place.empty() ? std::nullopt : VariableOf(kernel_, last.place.back());
    if (!along) return false;
    size_t at = 0;
    while (last.loops[at].var != *along) ++at;
    return std::any_of(stages_.begin(), stages_.end(), [&](const Stage& stage) {
      return IsReduction(stage) && HasSameLoops(stage, last) &&
             !Names(kernel_, stage, stage.loops[at].var);
    });
  }

  static bool HasSameLoops(const Stage& a, const Stage& b) {
    if (a.loops.size() != b.loops.size()) return false;
    for (size_t l = 0; l < a.loops.size(); ++l) {
      if (a.loops[l].extent != b.loops[l].extent) return false;
    }
    return true;
  }

  // Each of the loops of `from` as that of `to` at its place.
  std::unordered_map<VarId, ExprId> LoopsOf(const Stage& from, const Stage& to) {
    std::unordered_map<VarId, ExprId> values;
    for (size_t l = 0; l < from.loops.size(); ++l)
      values[from.loops[l].var] = Builder(kernel_).Var(to.loops[l].var);
    return values;
  }

  // What is computed of each element whatever holds, outermost first, as long as `visit` says so of
  // what is around it.
  void ForEachComputed(ExprId id, const std::function<bool(ExprId)>& visit) {
    if (!visit(id)) return;
    const Expr expr = kernel_.exprs[id];
    if (std::holds_alternative<Load>(expr.node)) return;
    if (auto* select = std::get_if<Select>(&expr.node))
      return ForEachComputed(select->condition, visit);
    for (ExprId operand : Operands(expr)) ForEachComputed(operand, visit);
  }

  bool HasFunction(ExprId root) const {
    bool has = false;
    ForEachExpr(kernel_, root, [&](ExprId id) { has |= IsFunction(kernel_.exprs[id]); });
    return has;
  }

  // One that does not is computed once for many elements.
  bool DependsOnAll(ExprId id, const Stage& stage) const {
    for (const StageLoop& loop : stage.loops) {
      if (!Mentions(kernel_, id, [&](VarId var) { return var == loop.var; })) return false;
    }
    return true;
  }

  void Keep(ExprId value, size_t first, const Stage& last) {
    const TensorType type = kernel_.buffers[last.buffer()].type;
    const BufferId kept = kernel_.buffers.Add({"kept", type, Space::kTemporary});
    Builder build(kernel_);
    Stage own = last;
    for (StageLoop& loop : own.loops) loop.var = kernel_.vars.Add(kernel_.vars[loop.var]);
    Substitution to_own(kernel_, LoopsOf(last, own));
    for (ExprId& index : own.place) index = to_own(index);
    own.parts = {{kept, to_own(value), {}}};
    for (size_t s = first; s < stages_.size(); ++s) {
      Stage& stage = stages_[s];
      if (!HasSameLoops(stage, last)) continue;
      Substitution put(kernel_, LoopsOf(last, stage));
      const ExprId there = put(value);
      Index place = last.place;
      for (ExprId& index : place) index = put(index);
      ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId original) {
        return original == there ? build.Load(kept, place) : id;
      });
      RewriteRoots(stage, rewrite);
    }
    stages_.insert(stages_.begin() + static_cast<int64_t>(first), std::move(own));
    SetStages(kernel_, std::move(stages_));
  }

  Kernel& kernel_;
  std::vector<Stage> stages_;
};

}  // namespace

void KeepFunctions(Kernel& kernel) { Keeper(kernel).Run(); }

std::map<BufferId, BufferId> TemporariesInResults(const Kernel& plain) {
  std::map<BufferId, BufferId> results;
  const std::vector<Stage> stages = StagesOf(plain);
  // In the order of the stages, so that the last one that loads decides.
  std::set<BufferId> maps, loaded;
  for (const Stage& stage : stages) {
    ForEachLoad(plain, stage, [&](const Load& load) { loaded.insert(load.buffer); });
    const bool is_map = stage.kind == StageKind::kMap && !stage.ordered;
    if (is_map && plain.buffers[stage.buffer()].space == Space::kTemporary)
      maps.insert(stage.buffer());
    const Buffer& result = plain.buffers[stage.buffer()];
    std::map<BufferId, bool> fits;
    ForEachLoad(plain, stage, [&](const Load& load) {
      if (!maps.count(load.buffer)) return;
      bool same = is_map && result.space == Space::kOut && load.index == stage.place &&
                  plain.buffers[load.buffer].type == result.type;
      auto [found, is_new] = fits.emplace(load.buffer, same);
      found->second &= same;
    });
    for (const auto& [temporary, is_last] : fits) {
      results.erase(temporary);
      if (is_last) results[temporary] = stage.buffer();
    }
  }
  // One each, of those that nothing reads.
  std::set<BufferId> taken;
  std::erase_if(results, [&](const auto& entry) {
    return loaded.count(entry.second) || !taken.insert(entry.second).second;
  });
  return results;
}

}  // namespace webnnc::loop
