#include "onnx/formula.h"

namespace webnnc::onnx {

Term Formula::Take(webnnc::Result<ValueId> result) {
  if (result) return {this, result.value()};
  if (!error_) error_ = std::move(result.error());
  return {this, ValueId()};
}

const TensorType& Formula::TypeOf(Term term) const {
  static const TensorType kScalar{DType::kF32, {}};
  return term.id.valid() ? c_.TypeOf(term.id) : kScalar;
}

webnnc::Result<ValueId> Formula::Result(Term term) const {
  if (error_) return *error_;
  return term.id;
}

Term Formula::Add(graph::Op op, const std::vector<Term>& operands) {
  std::vector<ValueId> ids;
  for (const Term& operand : operands) {
    if (!operand.id.valid()) return {this, ValueId()};
    ids.push_back(operand.id);
  }
  return Take(c_.Add(std::move(op), std::move(ids)));
}

Term Formula::Iota(const Dim& count, DType dtype) {
  return Cast(Add(graph::Iota{count}, {}), dtype);
}

Term Formula::Size(const Dim& size, DType dtype) {
  return Cast(Add(graph::Sizes{{size}, true}, {}), dtype);
}

Term Formula::Sizes(const graph::Sizes1D& sizes) { return Add(graph::Sizes{sizes}, {}); }

Term Formula::Integers(const std::vector<int64_t>& values) {
  return Take(c_.IntegerConstant(DType::kI64, values));
}

Term Formula::Number(double value, DType dtype) { return Take(c_.Scalar(dtype, value)); }

Term Binary(loop::BinaryOp op, Term a, Term b) { return a.formula->Add(graph::Binary{op}, {a, b}); }

Term Binary(loop::BinaryOp op, Term a, double b) {
  return Binary(op, a, a.formula->Number(b, a.formula->TypeOf(a).dtype));
}

Term Unary(graph::Function function, Term a) { return a.formula->Add(graph::Unary{function}, {a}); }

Term Where(Term condition, Term yes, Term no) {
  return condition.formula->Add(graph::Where{}, {condition, yes, no});
}

Term Cast(Term a, DType to) {
  if (!a.id.valid()) return a;
  return a.formula->Take(a.formula->context().Cast(a.id, to));
}

Term Reshape(Term a, Shape shape) {
  if (!a.id.valid()) return a;
  return a.formula->Take(a.formula->context().Reshape(a.id, std::move(shape)));
}

Term Transpose(Term a, std::vector<int64_t> order) {
  if (!a.id.valid()) return a;
  return a.formula->Take(a.formula->context().Transpose(a.id, std::move(order)));
}

Term Expand(Term a, Shape shape) {
  if (!a.id.valid() || a.formula->TypeOf(a).shape == shape) return a;
  return a.formula->Add(graph::Expand{std::move(shape)}, {a});
}

Term Reduce(graph::ReduceKind kind, Term a, std::vector<int64_t> axes, bool keep) {
  return a.formula->Add(graph::Reduce{kind, std::move(axes), keep}, {a});
}

Term Slice(Term a, int64_t axis, const Dim& start, const Dim& size) {
  if (!a.id.valid()) return a;
  const Shape shape = a.formula->TypeOf(a).shape;
  auto d = static_cast<size_t>(axis);
  graph::Slice slice{graph::Sizes1D(shape.size(), 0), shape, graph::Integers(shape.size(), 1)};
  slice.starts[d] = start;
  slice.sizes[d] = size;
  return a.formula->Add(slice, {a});
}

Term Concat(const std::vector<Term>& terms, int64_t axis) {
  if (terms.size() == 1) return terms[0];
  return terms[0].formula->Add(graph::Concat{axis}, terms);
}

}  // namespace webnnc::onnx
