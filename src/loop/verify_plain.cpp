// What schedules rely on without looking: that the loops of a stage may run in any order, and that
// stages tell by the buffers they use which must come first.
//
//   %y[i, 0] = %x[i, j]     refused: iterations of j store to one place, and the last one wins
//   %y[i, i] += %x[i]       refused: a place has one loop for each dimension
//   %y[i / 2] += %x[i]      refused: iterations could meet in ways that no loop shows
//   %y[i, 0] += %x[i, j]    accepted: i tells the place, j is summed
//
// A buffer is stored by one stage, or by a start and a reduction of the same elements directly
// behind it, and loaded by later stages only. So a stage may move to where what it loads is ready
// (schedule/nest.cpp), or into those that load what it stores (loop/passes/inline_maps.cpp).
//
// Stages of an ordered loop may find what the loop's iterations before left: they update, set again
// and load what they store themselves, if at the place that they store to. That place may be
// computed, but each loop is a dimension of it, so that the loops of one stage stay free:
//
//   for t in 6 ordered { for j in 4 { %y[%p[t], j] += %x[t, j] } }
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "loop/rewrite.h"
#include "loop/stage.h"
#include "loop/verify.h"

namespace webnnc::loop {

namespace {

// The stage that `stmt` is: a perfect nest of serial loops around one store.
std::optional<Stage> StageOf(const Stmt& stmt) {
  Stage stage;
  const Stmt* at = &stmt;
  while (auto* loop = std::get_if<For>(at)) {
    if (loop->kind != LoopKind::kSerial || loop->body.size() != 1) return std::nullopt;
    stage.loops.push_back({loop->var, loop->extent});
    at = &loop->body[0];
  }
  auto* store = std::get_if<Store>(at);
  if (!store) return std::nullopt;
  stage.store = *store;
  return stage;
}

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
    TRY(CheckPlace(*stage));
    TRY(CheckLoads(*stage));
    TRY(CheckUpdate(*stage));
    last_ = std::move(stage);
    stored_.insert(last_->store.buffer);
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
  Status CheckPlace(const Stage& stage) const {
    std::set<VarId> used;
    const Shape& shape = kernel_.buffers[stage.store.buffer].type.shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      std::string where = "dimension " + std::to_string(d) + " of " + Named(stage.store.buffer);
      ExprId index = stage.store.index[d];
      Dim end;
      auto var = VariableOf(kernel_, index);
      const StageLoop* loop = var ? LoopOf(stage, *var) : nullptr;
      if (loop) {
        const std::string& name = kernel_.vars[*var].name;
        if (!used.insert(*var).second)
          return Fail("indexes two dimensions of " + Named(stage.store.buffer) + " with " + name);
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
      if (known && !StoresAll(stage, d))
        return Fail("does not store all of " + where + ", which has " + Print(shape[d]));
    }
    return CheckLoops(stage, used);
  }

  // Whether the stage stores all of dimension `d`, whose size and index are known.
  bool StoresAll(const Stage& stage, size_t d) const {
    const Dim& size = kernel_.buffers[stage.store.buffer].type.shape[d];
    auto var = VariableOf(kernel_, stage.store.index[d]);
    return var ? LoopOf(stage, *var)->extent == size : size.Is(1);
  }

  // Iterations of a loop that is not in the place are combined; `=` has nothing to combine.
  Status CheckLoops(const Stage& stage, const std::set<VarId>& used) const {
    bool reduces = IsReduction(stage) && (IsStarted(stage) || !stage.ordered);
    if (reduces) return kSuccess;
    for (const StageLoop& loop : stage.loops) {
      if (used.count(loop.var) || loop.extent.Is(1)) continue;
      return Fail("stores all iterations of " + kernel_.vars[loop.var].name +
                  " to the same elements of " + Named(stage.store.buffer) + " with " +
                  std::string(Name(stage.store.update)));
    }
    return kSuccess;
  }

  Status CheckLoads(const Stage& stage) const {
    Status status = kSuccess;
    ForEachExpr(kernel_, stage.store.value, [&](ExprId id) {
      if (kernel_.exprs[id].lanes != 1) status = Fail("computes with vectors");
    });
    ForEachLoad(kernel_, stage, [&](const Load& load) {
      if (kernel_.buffers[load.buffer].space == Space::kIn) return;
      bool is_own = load.buffer == stage.store.buffer;
      if (is_own && !(stage.ordered && load.index == stage.store.index))
        status = Fail("loads " + Named(load.buffer) + ", which it stores");
      else if (!stored_.count(load.buffer) && !carried_.count(load.buffer))
        status = Fail("loads " + Named(load.buffer) + " before it is stored");
    });
    return status;
  }

  // Whether the stage before sets what this one updates.
  bool IsStarted(const Stage& stage) const {
    return last_ && last_->store.buffer == stage.store.buffer && !IsReduction(*last_) &&
           last_->ordered == stage.ordered;
  }

  // A store comes first, or updates what the stage before it started; in an ordered loop it also
  // changes what is there.
  Status CheckUpdate(const Stage& stage) const {
    BufferId buffer = stage.store.buffer;
    if (!IsReduction(stage)) {
      if (stored_.count(buffer) && !stage.ordered)
        return Fail("sets " + Named(buffer) + " once more");
      return kSuccess;
    }
    std::string update(Name(stage.store.update));
    if (!IsStarted(stage)) {
      if (stage.ordered && stored_.count(buffer)) return kSuccess;
      return Fail("does " + update + " on " + Named(buffer) +
                  ", which the stage before does not set");
    }
    for (size_t d = 0; d < stage.store.index.size(); ++d) {
      if (SameElements(stage, *last_, d)) continue;
      return Fail("does " + update + " on other elements of dimension " + std::to_string(d) +
                  " of " + Named(buffer) + " than the stage before sets");
    }
    return kSuccess;
  }

  bool SameElements(const Stage& a, const Stage& b, size_t d) const {
    auto loop_of = [&](const Stage& stage) {
      auto var = VariableOf(kernel_, stage.store.index[d]);
      return var ? LoopOf(stage, *var) : nullptr;
    };
    const StageLoop *x = loop_of(a), *y = loop_of(b);
    if (x && y) return x->extent == y->extent;
    return !x && !y && a.store.index[d] == b.store.index[d];
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
  std::optional<Stage> last_;
  // What earlier stages stored, and what those of the ordered loop do.
  std::set<BufferId> stored_, carried_;
};

}  // namespace

Status VerifyPlain(const Kernel& kernel) {
  TRY(Verify(kernel));
  return PlainVerifier(kernel).Run();
}

}  // namespace webnnc::loop
