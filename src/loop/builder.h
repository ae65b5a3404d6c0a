// Writes kernels. A For takes its body as a function, so code that builds loops nests as the
// loops do.
//
// Expressions are folded as they are built where that is exact: constants, x+0, x*1, and the
// choice of a constant condition. passes/simplify.h does the rest.
#pragma once

#include <functional>

#include "loop/kernel.h"

namespace webnnc::loop {

class Builder {
 public:
  explicit Builder(Kernel& kernel) : kernel_(kernel), block_(&kernel.body) {}

  // ---- Expressions

  ExprId Constant(const Scalar& value);
  // An i32, for indices.
  ExprId Int(int64_t value);
  ExprId Real(DType dtype, double value);
  // A size, as i32.
  ExprId Size(const Dim& dim);
  ExprId Var(VarId var);
  ExprId Load(BufferId buffer, Index index);
  // `index` may have more dimensions than the buffer; a size of 1 is read at 0.
  ExprId LoadBroadcast(BufferId buffer, const Index& index);

  ExprId Apply(UnaryOp op, ExprId a);
  ExprId Apply(BinaryOp op, ExprId a, ExprId b);
  ExprId Add(ExprId a, ExprId b) { return Apply(BinaryOp::kAdd, a, b); }
  ExprId Sub(ExprId a, ExprId b) { return Apply(BinaryOp::kSub, a, b); }
  ExprId Mul(ExprId a, ExprId b) { return Apply(BinaryOp::kMul, a, b); }
  ExprId Div(ExprId a, ExprId b) { return Apply(BinaryOp::kDiv, a, b); }
  ExprId FloorDiv(ExprId a, ExprId b) { return Apply(BinaryOp::kFloorDiv, a, b); }
  ExprId FloorMod(ExprId a, ExprId b) { return Apply(BinaryOp::kFloorMod, a, b); }
  ExprId Min(ExprId a, ExprId b) { return Apply(BinaryOp::kMin, a, b); }
  ExprId Max(ExprId a, ExprId b) { return Apply(BinaryOp::kMax, a, b); }
  ExprId Less(ExprId a, ExprId b) { return Apply(BinaryOp::kLess, a, b); }
  ExprId LessEqual(ExprId a, ExprId b) { return Apply(BinaryOp::kLessEqual, a, b); }
  ExprId Equal(ExprId a, ExprId b) { return Apply(BinaryOp::kEqual, a, b); }
  ExprId And(ExprId a, ExprId b) { return Apply(BinaryOp::kAnd, a, b); }
  ExprId Or(ExprId a, ExprId b) { return Apply(BinaryOp::kOr, a, b); }
  ExprId Not(ExprId a) { return Apply(UnaryOp::kNot, a); }
  // low <= a && a < high
  ExprId Within(ExprId a, ExprId low, ExprId high) { return And(LessEqual(low, a), Less(a, high)); }
  ExprId Select(ExprId condition, ExprId yes, ExprId no);
  ExprId Convert(ExprId a, DType to);
  // Rounded (Convert::rounded), also what is f16 already.
  ExprId RoundToHalf(ExprId a);
  ExprId Splat(ExprId a, int32_t lanes);
  ExprId Pack(std::vector<ExprId> lanes);

  DType dtype(ExprId id) const { return kernel_.exprs[id].dtype; }
  // The value of a constant, or null.
  const Scalar* ConstantValue(ExprId id) const;

  // ---- Statements, appended to the innermost open body

  void Store(BufferId buffer, Index index, ExprId value, Update update = Update::kSet);
  // Combines terms, by default from the neutral element on. Of a reducer of several parts, whose
  // terms are in the order of `buffers`.
  void Reduce(BufferId buffer, Index place, ExprId term, Update update, ExprId start = {});
  void Reduce(const std::vector<BufferId>& buffers, Index place, const std::vector<ExprId>& terms,
              Update update);
  void Let(VarId var, ExprId value);
  void Barrier();
  void Append(Stmt stmt) { block_->push_back(std::move(stmt)); }
  void For(const std::string& name, const Dim& extent, const std::function<void(ExprId)>& body,
           LoopKind kind = LoopKind::kSerial);
  // Around stages that must run in order (LoopKind::kOrdered).
  void ForOrdered(const std::string& name, const Dim& extent,
                  const std::function<void(ExprId)>& body) {
    For(name, extent, body, LoopKind::kOrdered);
  }
  void If(ExprId condition, const std::function<void()>& body);
  // One loop a dimension of `shape`, the first outermost, named i j k l m n p q by default.
  void ForEach(const Shape& shape, const std::function<void(const Index&)>& body,
               const std::vector<std::string>& names = {});

 private:
  Kernel& kernel_;
  Block* block_;
};

}  // namespace webnnc::loop
