// Operators whose definition is a longer formula, written as one:
//
//   Formula f(c);
//   auto x = f(c[0]);
//   return f.Result(Floor(x * 2.0 + 1.0));
//
// Terms are values of the graph that is imported. What cannot be added (sizes that do not
// broadcast, say) is remembered, everything made of it is nothing, and Result gives the first such
// error.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

class Formula;

struct Term {
  Formula* formula;
  ValueId id;  // invalid after an error
};

class Formula {
 public:
  explicit Formula(NodeContext& c) : c_(c) {}

  Term operator()(ValueId id) { return {this, id}; }
  // 0, 1, ..., count - 1, of this type.
  Term Iota(const Dim& count, DType dtype);
  // A size as a number of this type.
  Term Size(const Dim& size, DType dtype);
  // Several as i64[k].
  Term Sizes(const graph::Sizes1D& sizes);
  Term Integers(const std::vector<int64_t>& values);
  Term Number(double value, DType dtype);
  Term Add(graph::Op op, const std::vector<Term>& operands);

  // The type of a term; after an error that of a scalar.
  const TensorType& TypeOf(Term term) const;

  // Takes what a step of the formula gave, or remembers its error.
  Term Take(webnnc::Result<ValueId> result);
  NodeContext& context() { return c_; }

  webnnc::Result<ValueId> Result(Term term) const;

 private:
  NodeContext& c_;
  std::optional<Error> error_;
};

Term Binary(loop::BinaryOp op, Term a, Term b);
Term Binary(loop::BinaryOp op, Term a, double b);
Term Unary(graph::Function function, Term a);

inline Term operator+(Term a, Term b) { return Binary(loop::BinaryOp::kAdd, a, b); }
inline Term operator-(Term a, Term b) { return Binary(loop::BinaryOp::kSub, a, b); }
inline Term operator*(Term a, Term b) { return Binary(loop::BinaryOp::kMul, a, b); }
inline Term operator/(Term a, Term b) { return Binary(loop::BinaryOp::kDiv, a, b); }
inline Term operator+(Term a, double b) { return Binary(loop::BinaryOp::kAdd, a, b); }
inline Term operator-(Term a, double b) { return Binary(loop::BinaryOp::kSub, a, b); }
inline Term operator*(Term a, double b) { return Binary(loop::BinaryOp::kMul, a, b); }
inline Term operator/(Term a, double b) { return Binary(loop::BinaryOp::kDiv, a, b); }
inline Term operator&(Term a, Term b) { return Binary(loop::BinaryOp::kAnd, a, b); }
inline Term operator|(Term a, Term b) { return Binary(loop::BinaryOp::kOr, a, b); }
inline Term operator>>(Term a, int bits) { return Binary(loop::BinaryOp::kShiftRight, a, bits); }
inline Term operator<(Term a, Term b) { return Binary(loop::BinaryOp::kLess, a, b); }
inline Term operator<(Term a, double b) { return Binary(loop::BinaryOp::kLess, a, b); }
inline Term operator<=(Term a, Term b) { return Binary(loop::BinaryOp::kLessEqual, a, b); }
inline Term operator<=(Term a, double b) { return Binary(loop::BinaryOp::kLessEqual, a, b); }
inline Term operator==(Term a, Term b) { return Binary(loop::BinaryOp::kEqual, a, b); }
inline Term operator==(Term a, double b) { return Binary(loop::BinaryOp::kEqual, a, b); }
inline Term operator-(Term a) { return Unary(graph::Function::kNegate, a); }
inline Term FloorDiv(Term a, Term b) { return Binary(loop::BinaryOp::kFloorDiv, a, b); }
inline Term FloorMod(Term a, Term b) { return Binary(loop::BinaryOp::kFloorMod, a, b); }
inline Term Not(Term a) { return Unary(graph::Function::kNot, a); }
inline Term Min(Term a, Term b) { return Binary(loop::BinaryOp::kMin, a, b); }
inline Term Min(Term a, double b) { return Binary(loop::BinaryOp::kMin, a, b); }
inline Term Max(Term a, Term b) { return Binary(loop::BinaryOp::kMax, a, b); }
inline Term Max(Term a, double b) { return Binary(loop::BinaryOp::kMax, a, b); }
inline Term Abs(Term a) { return Unary(graph::Function::kAbs, a); }
inline Term Ceil(Term a) { return Unary(graph::Function::kCeil, a); }
inline Term Cos(Term a) { return Unary(graph::Function::kCos, a); }
inline Term Floor(Term a) { return Unary(graph::Function::kFloor, a); }
inline Term Log(Term a) { return Unary(graph::Function::kLog, a); }
inline Term Sign(Term a) { return Unary(graph::Function::kSign, a); }
inline Term Sqrt(Term a) { return Unary(graph::Function::kSqrt, a); }

Term Where(Term condition, Term yes, Term no);
Term Cast(Term a, DType to);
Term Reshape(Term a, Shape shape);
Term Transpose(Term a, std::vector<int64_t> order);
Term Expand(Term a, Shape shape);
Term Reduce(graph::ReduceKind kind, Term a, std::vector<int64_t> axes, bool keep = false);
// Elements [start, start + size) of one dimension.
Term Slice(Term a, int64_t axis, const Dim& start, const Dim& size);
Term Concat(const std::vector<Term>& terms, int64_t axis);

}  // namespace webnnc::onnx
