#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> MatMul::Infer(std::span<const TensorType> operands) const {
  const TensorType &a = operands[0], &b = operands[1];
  std::string what = Describe(kName, operands);
  if (a.dtype != b.dtype) return Error{what + ": the element types differ"};
  if (a.dtype == DType::kBool) return Error{what + ": bool has no products"};
  if (a.rank() < 2 || b.rank() < 2) return Error{what + ": both need at least two dimensions"};
  Shape batch_a(a.shape.begin(), a.shape.end() - 2), batch_b(b.shape.begin(), b.shape.end() - 2);
  auto shape = Broadcast(batch_a, batch_b);
  if (!shape) return Error{what + ": the batch dimensions differ"};
  const Dim& inner_a = a.shape[a.shape.size() - (transpose_a ? 2 : 1)];
  const Dim& inner_b = b.shape[b.shape.size() - (transpose_b ? 1 : 2)];
  if (inner_a != inner_b) {
    return Error{what + ": the inner dimensions are " + Print(inner_a) + " and " + Print(inner_b)};
  }
  shape->push_back(a.shape[a.shape.size() - (transpose_a ? 1 : 2)]);
  shape->push_back(b.shape[b.shape.size() - (transpose_b ? 2 : 1)]);
  return Types{{a.dtype, *shape}};
}

std::vector<EqualSizes> MatMul::Equal(std::span<const TensorType> operands) const {
  size_t a = operands[0].shape.size(), b = operands[1].shape.size();
  if (a < 2 || b < 2) return {};
  std::vector<EqualSizes> equal{{{{0, a - (transpose_a ? 2 : 1)}, {1, b - (transpose_b ? 1 : 2)}}}};
  for (EqualSizes& batch : BroadcastSizes(operands, 2)) equal.push_back(std::move(batch));
  return equal;
}

void MatMul::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  loop::BufferId sum = AccumulatorFor(to);
  DType dtype = AccumulatorType(to.Result().dtype);
  const Shape& shape = to.Result().shape;
  Shape domain = shape;
  domain.push_back(to.Operand(0).shape[to.Operand(0).shape.size() - (transpose_a ? 2 : 1)]);
  size_t rank = shape.size();
  b.ForEach(domain, [&](loop::Index at) {
    loop::ExprId i = at[rank - 2], j = at[rank - 1], k = at[rank];
    at.pop_back();
    loop::Index at_a = at, at_b = at;
    at_a[rank - 2] = transpose_a ? k : i;
    at_a[rank - 1] = transpose_a ? i : k;
    at_b[rank - 2] = transpose_b ? j : k;
    at_b[rank - 1] = transpose_b ? k : j;
    // Batch dimensions broadcast; the last two are of full size even where that is 1.
    loop::ExprId x = b.Convert(b.LoadBroadcast(to.operands[0], at_a), dtype);
    loop::ExprId y = b.Convert(b.LoadBroadcast(to.operands[1], at_b), dtype);
    b.Reduce(sum, at, b.Mul(x, y), loop::Update::kAdd);
  });
  Finish(to, sum);
}

}  // namespace webnnc::graph
