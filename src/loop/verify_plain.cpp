// What schedules rely on without looking: that the loops of a stage may run in any order, and that
// stages tell by the buffers they use which must come first.
//
//   %y[i, 0] = %x[i, j]              refused: iterations of j store to one place, the last one wins
//   %y[i, i] = %x[i]                 refused: a place has one loop for each dimension
//   %y[i / 2] += %x[i] from 0.0      refused: iterations could meet in ways that no loop shows
//   %y[i, 0] += %x[i, j] from 0.0    accepted: i tells the place, j is summed
//
// A buffer is stored by one stage, and loaded by later stages only. So a stage may move to where
// what it loads is ready (schedule/nest.cpp), or into those that load what it stores
// (loop/passes/inline_maps.cpp).
//
// Stages of an ordered loop may find what the loop's iterations before left: they update, set again
// and load what they store themselves, if at the place that they store to. That place may be
// computed, but each loop is a dimension of it, so that the loops of one stage stay free:
//
//   for t in 6 ordered { for j in 4 { %y[%p[t], j] += %x[t, j] } }
//
// There a stage may say of which of its iterations nothing comes, so that a schedule may leave them
// out or not:
//
//   for b in 6 ordered { for i in 24 { if b * 4 <= i { %m[i] max= ... from %m[i] } } }
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "loop/rewrite.h"
#include "loop/stage.h"
#include "loop/verify.h"

namespace webnnc::loop {

namespace {

class PlainVerifier {
 public:
  explicit PlainVerifier(const Kernel& kernel) : kernel_(kernel) {}

  Status Run() {
    for (const Buffer& buffer : kernel_.buffers) {
      if (buffer.space == Space::kWorkgroup || buffer.space == Space::kRegister)
        return Error{"@" + kernel_.name + ": " + std::string(Name(buffer.space)) + " %" +
                     buffer.name + " is not for plain kernels"};
    }
    for (const Stmt& stmt : kernel_.body) {
      auto* loop = std::get_if<For>(&stmt);
      if (!loop || loop->kind != LoopKind::kOrdered) {
        TRY(CheckStage(stmt, std::nullopt));
        continue;
      }
      ForEachStmt(loop->body, [&](const Stmt& inner) {
        if (auto* store = std::get_if<Store>(&inner)) carried_.insert(store->buffer);
        if (auto* reduce = std::get_if<Reduce>(&inner)) {
          for (const Part& part : reduce->parts) carried_.insert(part.buffer);
        }
      });
      for (const Stmt& inner : loop->body)
        TRY(CheckStage(inner, StageLoop{loop->var, loop->extent}));
      carried_.clear();
    }
    return CheckResults();
  }

 private:
  Status CheckStage(const Stmt& stmt, const std::optional<StageLoop>& ordered) {
    std::optional<Stage> stage = StageOf(stmt);
    name_ = "stage " + std::to_string(number_++) + " of @" + kernel_.name;
    if (!stage) return Error{name_ + " is not serial loops around one store"};
    stage->ordered = ordered;
    TRY(CheckUpdate(*stage));
    for (const Part& part : stage->parts) TRY(CheckPlace(*stage, part.buffer));
    TRY(CheckLoads(*stage));
    TRY(CheckStarts(*stage));
    TRY(CheckCondition(*stage));
    for (const Part& part : stage->parts) {
      bool again = !stored_.insert(part.buffer).second;
      if (again && !stage->ordered) return Fail("sets " + Named(part.buffer) + " once more");
    }
    return kSuccess;
  }

  Error Fail(const std::string& message) const { return Error{name_ + " " + message}; }
  std::string Named(BufferId id) const { return "%" + kernel_.buffers[id].name; }

  static const StageLoop* LoopOf(const Stage& stage, VarId var) {
    auto found = std::find_if(stage.loops.begin(), stage.loops.end(),
                              [&](const StageLoop& loop) { return loop.var == var; });
    return found == stage.loops.end() ? nullptr : &*found;
  }

  // Each index is a loop of the stage or a constant, or in an ordered loop anything; no loop is two
  // of them.
  Status CheckPlace(const Stage& stage, BufferId buffer) const {
    std::set<VarId> used;
    const Shape& shape = kernel_.buffers[buffer].type.shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      std::string where = "dimension " + std::to_string(d) + " of " + Named(buffer);
      ExprId index = stage.place[d];
      Dim end;
      auto var = VariableOf(kernel_, index);
      const StageLoop* loop = var ? LoopOf(stage, *var) : nullptr;
      if (loop) {
        const std::string& name = kernel_.vars[*var].name;
        if (!used.insert(*var).second)
          return Fail("indexes two dimensions of " + Named(buffer) + " with " + name);
        end = loop->extent;
      } else if (auto* constant = std::get_if<Constant>(&kernel_.exprs[index].node)) {
        if (constant->value.integer < 0) return Fail("stores before the start of " + where);
        end = constant->value.integer + 1;
      } else if (stage.ordered) {
        continue;
      } else {
        return Fail("indexes " + where + ", which it stores, with more than a loop or a constant");
      }
      if (ProvablyLess(shape[d], end)) return Fail("stores past the end of " + where);
      bool known = shape[d].IsConstant() && end.IsConstant() && !stage.ordered;
      if (known && !StoresAll(stage, buffer, d))
        return Fail("does not store all of " + where + ", which has " + Print(shape[d]));
    }
    return CheckLoops(stage, buffer, used);
  }

  // Whether the stage stores all of dimension `d`, whose size and index are known.
  bool StoresAll(const Stage& stage, BufferId buffer, size_t d) const {
    const Dim& size = kernel_.buffers[buffer].type.shape[d];
    auto var = VariableOf(kernel_, stage.place[d]);
    return var ? LoopOf(stage, *var)->extent == size : size.Is(1);
  }

  // Iterations of a loop that is not in the place are combined; `=` has nothing to combine.
  Status CheckLoops(const Stage& stage, BufferId buffer, const std::set<VarId>& used) const {
    if (IsReduction(stage)) return kSuccess;
    for (const StageLoop& loop : stage.loops) {
      if (used.count(loop.var) || loop.extent.Is(1)) continue;
      return Fail("stores all iterations of " + kernel_.vars[loop.var].name +
                  " to the same elements of " + Named(buffer) + " with " +
                  std::string(Name(stage.update)));
    }
    return kSuccess;
  }

  Status CheckLoads(const Stage& stage) const {
    Status status = kSuccess;
    ForEachRoot(stage, [&](ExprId root) {
      ForEachExpr(kernel_, root, [&](ExprId id) {
        if (kernel_.exprs[id].lanes != 1) status = Fail("computes with vectors");
      });
    });
    ForEachLoad(kernel_, stage, [&](const Load& load) {
      if (kernel_.buffers[load.buffer].space == Space::kIn) return;
      bool is_own = std::any_of(stage.parts.begin(), stage.parts.end(),
                                [&](const Part& part) { return part.buffer == load.buffer; });
      bool finds = stage.ordered && load.index == stage.place;
      if (is_own && !finds)
        status = Fail("loads " + Named(load.buffer) + ", which it stores");
      else if (!stored_.count(load.buffer) && !carried_.count(load.buffer))
        status = Fail("loads " + Named(load.buffer) + " before it is stored");
    });
    return status;
  }

  // What is there is changed in ordered loops only.
  Status CheckUpdate(const Stage& stage) const {
    bool finds = stage.ordered && stored_.count(stage.buffer());
    if (stage.kind != StageKind::kReplace || finds) return kSuccess;
    return Fail("does " + std::string(Name(stage.update)) + " on " + Named(stage.buffer()) +
                ", and does not say what it starts from");
  }

  // A start is one for all iterations that are combined.
  Status CheckStarts(const Stage& stage) const {
    auto is_reduced = [&](VarId var) { return LoopOf(stage, var) && !Names(kernel_, stage, var); };
    for (const Part& part : stage.parts) {
      // A reduction sets what it stores first.
      if (IsReduction(stage) && LoadsAny(part.term, stage.parts))
        return Fail("reduces " + Named(part.buffer) + " by itself");
      if (!part.start.valid() || !Mentions(kernel_, part.start, is_reduced)) continue;
      return Fail("starts " + Named(part.buffer) + " from what depends on a loop that is reduced");
    }
    return kSuccess;
  }

  // What need not run is told apart by the place alone, and by how far the ordered loop is.
  Status CheckCondition(const Stage& stage) const {
    if (!stage.condition.valid()) return kSuccess;
    if (!stage.ordered) return Fail("has a condition, and is in no ordered loop");
    bool loads = false;
    ForEachExpr(kernel_, stage.condition,
                [&](ExprId id) { loads |= std::holds_alternative<Load>(kernel_.exprs[id].node); });
    auto is_reduced = [&](VarId var) { return LoopOf(stage, var) && !Names(kernel_, stage, var); };
    if (loads || Mentions(kernel_, stage.condition, is_reduced))
      return Fail("has a condition on more than where it stores");
    return kSuccess;
  }

  bool LoadsAny(ExprId id, const std::vector<Part>& parts) const {
    bool loads = false;
    ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
      for (const Part& part : parts) loads |= load && load->buffer == part.buffer;
    });
    return loads;
  }

  Status CheckResults() const {
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      const Buffer& buffer = kernel_.buffers[BufferId{b}];
      if (buffer.space != Space::kOut || stored_.count(BufferId{b})) continue;
      if (ElementCount(buffer.type.shape).Is(0)) continue;
      return Error{"@" + kernel_.name + " does not store its result %" + buffer.name};
    }
    return kSuccess;
  }

  const Kernel& kernel_;
  size_t number_ = 0;
  std::string name_;
  // What earlier stages stored, and what those of the ordered loop do.
  std::set<BufferId> stored_, carried_;
};

}  // namespace

Status VerifyPlain(const Kernel& kernel) {
  TRY(Verify(kernel));
  return PlainVerifier(kernel).Run();
}

}  // namespace webnnc::loop
