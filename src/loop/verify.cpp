#include "loop/verify.h"

#include <algorithm>
#include <set>

#include "base/overloaded.h"
#include "loop/parallel.h"
#include "loop/reducer.h"
#include "loop/rewrite.h"
#include "loop/thread_rows.h"

namespace webnnc::loop {

namespace {

class Verifier {
 public:
  explicit Verifier(const Kernel& kernel)
      : kernel_(kernel),
        defined_(static_cast<size_t>(kernel.vars.size())),
        checked_(static_cast<size_t>(kernel.exprs.size())) {}

  Status Run() { return CheckBlock(kernel_.body, Context{}); }

 private:
  struct Context {
    bool in_thread = false;
    bool in_loop = false;  // of any kind but workgroup
    bool in_vector = false;
    // In nothing but the loops of one stage, and an ordered loop around it.
    bool in_stage = true;
    std::set<LoopKind> axes;
  };

  Error Fail(const std::string& message) const {
    return Error{"@" + kernel_.name + ": " + message};
  }

  Status CheckBlock(const Block& block, const Context& context) {
    std::vector<VarId> lets;
    for (const Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        TRY(CheckFor(*loop, context, block.size()));
      } else if (auto* let = std::get_if<Let>(&stmt)) {
        TRY(CheckExpr(let->value));
        const Expr& expr = kernel_.exprs[let->value];
        const Var& var = kernel_.vars[let->var];
        if (var.dtype != expr.dtype || var.lanes != expr.lanes) {
          return Fail("let " + var.name + " has another type than its value");
        }
        TRY(Define(let->var));
        lets.push_back(let->var);
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        TRY(CheckStore(*store));
      } else if (auto* reduce = std::get_if<Reduce>(&stmt)) {
        TRY(CheckReduce(*reduce, context));
      } else if (auto* test = std::get_if<If>(&stmt)) {
        TRY(CheckExpr(test->condition));
        const Expr& expr = kernel_.exprs[test->condition];
        if (expr.dtype != DType::kBool || expr.lanes != 1) return Fail("a condition is not a bool");
        Context inner = context;
        inner.in_loop = true;
        inner.in_stage &= test->body.size() == 1;
        TRY(CheckBlock(test->body, inner));
      } else if (context.in_thread || context.in_vector) {
        return Fail(std::string("a barrier stands inside a ") +
                    (context.in_thread ? "thread" : "vector") + " loop");
      }
    }
    for (VarId var : lets) Undefine(var);
    return kSuccess;
  }

  Status CheckFor(const For& loop, Context context, size_t siblings) {
    const std::string& name = kernel_.vars[loop.var].name;
    if (loop.extent.IsConstant() && loop.extent.value() < 0) {
      return Fail("the loop over " + name + " has a negative extent");
    }
    bool ordered = loop.kind == LoopKind::kOrdered && !context.in_loop;
    context.in_stage &= ordered || (loop.kind == LoopKind::kSerial && loop.body.size() == 1);
    bool needs_constant =
        IsRegion(loop.kind) || loop.kind == LoopKind::kVector || loop.kind == LoopKind::kUnrolled;
    if (needs_constant && !loop.extent.IsConstant()) {
      return Fail("the " + std::string(Name(loop.kind)) + " loop over " + name +
                  " needs a constant extent");
    }
    if (IsWorkgroup(loop.kind)) {
      if (context.in_loop || siblings != 1) {
        return Fail("the workgroup loop over " + name + " is not outermost");
      }
      if (!context.axes.insert(loop.kind).second) {
        return Fail("two loops are bound to " + std::string(Name(loop.kind)));
      }
    } else {
      context.in_loop = true;
    }
    if (IsRegion(loop.kind)) {
      if (context.in_thread) {
        return Fail("the " + std::string(Name(loop.kind)) + " loop over " + name +
                    " is inside another");
      }
      context.in_thread = true;
    }
    if (loop.kind == LoopKind::kCombined) TRY(CheckCombined(loop));
    // Lanes are of one instruction.
    bool has_lanes = loop.kind == LoopKind::kVector || IsRegion(loop.kind);
    if (context.in_vector && has_lanes) {
      return Fail("the " + std::string(Name(loop.kind)) + " loop over " + name +
                  " is inside a vector loop");
    }
    context.in_vector |= loop.kind == LoopKind::kVector;
    TRY(Define(loop.var));
    TRY(CheckBlock(loop.body, context));
    Undefine(loop.var);
    return kSuccess;
  }

  // All threads update the same places, and the first may set what they start from.
  Status CheckCombined(const For& loop) {
    bool fits = true;
    ForEachStmt(loop.body, [&](const Stmt& stmt) {
      auto* store = std::get_if<Store>(&stmt);
      bool is_other = std::holds_alternative<Let>(stmt) || std::holds_alternative<Barrier>(stmt);
      bool is_shared = store && kernel_.buffers[store->buffer].space == Space::kWorkgroup;
      fits &= !is_other && (!store || is_shared);
      for (size_t i = 0; store && i < store->index.size(); ++i)
        fits &= !Mentions(kernel_, store->index[i], [&](VarId var) { return var == loop.var; });
    });
    if (fits) return kSuccess;
    return Fail("the combined loop over " + kernel_.vars[loop.var].name +
                " does more than to update places that its iterations share");
  }

  Status CheckReduce(const Reduce& reduce, const Context& context) {
    if (!context.in_stage)
      return Fail("a reduction is inside of more than the serial loops of its stage");
    if (reduce.update == Update::kSet || !HasParts(reduce.update, reduce.parts.size()))
      return Fail("a reduction has other parts than its reducer");
    for (const Part& part : reduce.parts) {
      TRY(CheckStore({part.buffer, reduce.place, part.term}));
      TRY(CheckStore({part.buffer, reduce.place, part.start}));
    }
    return kSuccess;
  }

  Status CheckStore(const Store& store) {
    if (!HasParts(store.update, 1))
      return Fail(std::string(Name(store.update)) + " is for reductions");
    const Buffer& buffer = kernel_.buffers[store.buffer];
    const Expr& value = kernel_.exprs[store.value];
    if (buffer.space == Space::kIn) return Fail("stores to %" + buffer.name + ", a parameter in");
    if (value.dtype != buffer.type.dtype) {
      return Fail("stores " + std::string(Name(value.dtype)) + " to %" + buffer.name + ": " +
                  Print(buffer.type));
    }
    TRY(CheckAccess(store.buffer, store.index));
    if (value.lanes > 1 && store.index.size() != 1 && !ThreadRows(kernel_).count(store.buffer)) {
      return Fail("stores lanes to %" + buffer.name + ", which is not one-dimensional");
    }
    return CheckExpr(store.value);
  }

  Status CheckAccess(BufferId id, const Index& index) {
    const Buffer& buffer = kernel_.buffers[id];
    if (index.size() != buffer.type.shape.size()) {
      return Fail("accesses %" + buffer.name + ": " + Print(buffer.type) + " with " +
                  std::to_string(index.size()) + " indices");
    }
    for (ExprId i : index) {
      if (kernel_.exprs[i].dtype != DType::kI32 || kernel_.exprs[i].lanes != 1) {
        return Fail("an index of %" + buffer.name + " is not i32");
      }
      TRY(CheckExpr(i));
    }
    return kSuccess;
  }

  // Operand types were checked when the expression was made; what may be wrong is its place.
  Status CheckExpr(ExprId id) {
    if (checked_[static_cast<size_t>(id.index)] == epoch_) return kSuccess;
    const Expr& expr = kernel_.exprs[id];
    if (auto* variable = std::get_if<Variable>(&expr.node)) {
      if (!defined_[static_cast<size_t>(variable->var.index)]) {
        return Fail("uses " + kernel_.vars[variable->var].name + " where it is not defined");
      }
    } else if (auto* load = std::get_if<Load>(&expr.node)) {
      TRY(CheckAccess(load->buffer, load->index));
    }
    for (ExprId operand : Operands(expr)) TRY(CheckExpr(operand));
    checked_[static_cast<size_t>(id.index)] = epoch_;
    return kSuccess;
  }

  Status Define(VarId var) {
    if (defined_[static_cast<size_t>(var.index)]) {
      return Fail(kernel_.vars[var].name + " is defined twice");
    }
    defined_[static_cast<size_t>(var.index)] = true;
    return kSuccess;
  }

  void Undefine(VarId var) {
    defined_[static_cast<size_t>(var.index)] = false;
    ++epoch_;
  }

  const Kernel& kernel_;
  std::vector<bool> defined_;
  // What has been checked since a variable last went out of scope.
  std::vector<int> checked_;
  int epoch_ = 1;
};

}  // namespace

Status Verify(const Kernel& kernel) {
  TRY(CheckPromises(kernel));
  return Verifier(kernel).Run();
}

static Status CheckFlatBlock(const Kernel& kernel, const Block& block) {
  for (const Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) {
      if (loop->kind == LoopKind::kVector || loop->kind == LoopKind::kUnrolled) {
        return Error{"@" + kernel.name + ": a loop over " + kernel.vars[loop->var].name + " is " +
                     std::string(Name(loop->kind)) + " in a flat kernel"};
      }
      TRY(CheckFlatBlock(kernel, loop->body));
    } else if (auto* test = std::get_if<If>(&stmt)) {
      TRY(CheckFlatBlock(kernel, test->body));
    } else if (std::holds_alternative<Reduce>(stmt)) {
      return Error{"@" + kernel.name + ": a reduction in a flat kernel"};
    }
  }
  return kSuccess;
}

Status VerifyFlat(const Kernel& kernel) {
  TRY(Verify(kernel));
  std::set<BufferId> rows = ThreadRows(kernel);
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const Buffer& buffer = kernel.buffers[BufferId{b}];
    bool per_thread = buffer.type.shape.size() == 2 && rows.count(BufferId{b});
    if ((buffer.type.shape.size() != 1 && !per_thread) || buffer.space == Space::kTemporary) {
      return Error{"@" + kernel.name + ": %" + buffer.name + " is not flat"};
    }
  }
  return CheckFlatBlock(kernel, kernel.body);
}

}  // namespace webnnc::loop
