// gather, gather_elements, gather_nd.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> Gather::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  if (!IsIndexType(indices.dtype))
    return Error{Describe(kName, operands) + ": indices are i32 or i64"};
  Shape shape(x.shape.begin(), x.shape.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  return Types{{x.dtype, shape}};
}

void Gather::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape shape = to.Operand(0).shape;
  size_t count = to.Operand(1).shape.size(), d = static_cast<size_t>(axis);
  LowerMap(to, [&](const loop::Index& at) {
    auto begin = at.begin() + axis, end = begin + static_cast<int64_t>(count);
    loop::ExprId index = b.Load(to.operands[1], loop::Index(begin, end));
    loop::Index source(at.begin(), begin);
    source.push_back(ClampedIndex(b, index, shape[d]));
    source.insert(source.end(), end, at.end());
    return b.Load(to.operands[0], source);
  });
}

Result<Types> GatherElements::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  bool fits = IsIndexType(indices.dtype) && indices.rank() == x.rank();
  for (size_t d = 0; fits && d < x.shape.size(); ++d) {
    if (static_cast<int64_t>(d) == axis) continue;
    fits = !ProvablyLess(x.shape[d], indices.shape[d]);
  }
  if (!fits) return Error{Describe(kName, operands) + ": the indices do not fit"};
  return Types{{x.dtype, indices.shape}};
}

void GatherElements::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  auto d = static_cast<size_t>(axis);
  const Shape shape = to.Operand(0).shape;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source = at;
    source[d] = ClampedIndex(b, b.Load(to.operands[1], at), shape[d]);
    return b.Load(to.operands[0], source);
  });
}

Result<Types> GatherND::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1];
  Error misfit{Describe(kName, operands) + ": the indices do not fit"};
  if (!IsIndexType(indices.dtype) || indices.rank() < 1 || batch < 0) return misfit;
  const Dim& depth = indices.shape.back();
  if (!depth.IsConstant() || batch >= indices.rank() || batch + depth.value() > x.rank() ||
      depth.value() < 1) {
    return misfit;
  }
  for (int64_t d = 0; d < batch; ++d) {
    auto i = static_cast<size_t>(d);
    if (x.shape[i] != indices.shape[i]) return misfit;
  }
  Shape shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), x.shape.begin() + batch + depth.value(), x.shape.end());
  return Types{{x.dtype, shape}};
}

std::vector<EqualSizes> GatherND::Equal(std::span<const TensorType> operands) const {
  std::vector<EqualSizes> equal;
  size_t rank = std::min(operands[0].shape.size(), operands[1].shape.size());
  for (size_t d = 0; d < rank && static_cast<int64_t>(d) < batch; ++d)
    equal.push_back({{{0, d}, {1, d}}});
  return equal;
}

void GatherND::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape shape = to.Operand(0).shape, indices = to.Operand(1).shape;
  int64_t depth = indices.back().value();
  auto places = static_cast<int64_t>(indices.size()) - 1;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source(at.begin(), at.begin() + batch);
    for (int64_t d = 0; d < depth; ++d) {
      loop::Index where(at.begin(), at.begin() + places);
      where.push_back(b.Int(d));
      loop::ExprId index = b.Load(to.operands[1], where);
      source.push_back(ClampedIndex(b, index, shape[static_cast<size_t>(batch + d)]));
    }
    source.insert(source.end(), at.begin() + places, at.end());
    return b.Load(to.operands[0], source);
  });
}

}  // namespace webnnc::graph
