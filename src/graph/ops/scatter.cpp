// scatter_elements, scatter_nd.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

namespace {

bool IsIndexType(DType dtype) { return dtype == DType::kI32 || dtype == DType::kI64; }

Status CheckScatter(std::string_view what, std::span<const TensorType> operands,
                    loop::Update update) {
  const TensorType &x = operands[0], &indices = operands[1], &updates = operands[2];
  if (!IsIndexType(indices.dtype))
    return Error{Describe(what, operands) + ": indices are i32 or i64"};
  if (updates.dtype != x.dtype)
    return Error{Describe(what, operands) + ": updates are of another type than x"};
  if (x.dtype == DType::kBool && update != loop::Update::kSet)
    return Error{Describe(what, operands) + ": bool has no sums"};
  return kSuccess;
}

void CopyFirst(loop::Lowering& to) {
  LowerMap(to, [&](const loop::Index& at) { return to.build.Load(to.operands[0], at); });
}

}  // namespace

Result<Types> ScatterElements::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1], &updates = operands[2];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  TRY(CheckScatter(kName, operands, update));
  bool fits = indices.rank() == x.rank() && updates.shape == indices.shape;
  for (size_t d = 0; fits && d < x.shape.size(); ++d) {
    if (static_cast<int64_t>(d) == axis) continue;
    fits = !ProvablyLess(x.shape[d], indices.shape[d]);
  }
  if (!fits) return Error{Describe(kName, operands) + ": the indices do not fit"};
  return Types{x};
}

std::vector<EqualSizes> ScatterElements::Equal(std::span<const TensorType> operands) const {
  std::vector<EqualSizes> equal;
  size_t rank = std::min(operands[1].shape.size(), operands[2].shape.size());
  for (size_t d = 0; d < rank; ++d) equal.push_back({{{1, d}, {2, d}}});
  return equal;
}

// Elements that differ in another dimension than the axis go to different places.
void ScatterElements::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  CopyFirst(to);
  auto along = static_cast<size_t>(axis);
  const Shape shape = to.Operand(0).shape, places = to.Operand(1).shape;
  Shape rows = places;
  rows.erase(rows.begin() + axis);
  b.ForOrdered("t", places[along], [&](loop::ExprId t) {
    b.ForEach(rows, [&](loop::Index at) {
      at.insert(at.begin() + axis, t);
      loop::Index target = at;
      target[along] = ClampedIndex(b, b.Load(to.operands[1], at), shape[along]);
      b.Store(to.results[0], target, b.Load(to.operands[2], at), update);
    });
  });
}

Result<Types> ScatterND::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1], &updates = operands[2];
  TRY(CheckScatter(kName, operands, update));
  Error misfit{Describe(kName, operands) + ": the indices do not fit"};
  if (indices.rank() < 1 || !indices.shape.back().IsConstant()) return misfit;
  int64_t depth = indices.shape.back().value();
  if (depth < 1 || depth > x.rank()) return misfit;
  Shape expected(indices.shape.begin(), indices.shape.end() - 1);
  expected.insert(expected.end(), x.shape.begin() + depth, x.shape.end());
  if (updates.shape != expected) return misfit;
  return Types{x};
}

// updates[i..., s...] of indices[i..., depth] and x[depth..., s...].
std::vector<EqualSizes> ScatterND::Equal(std::span<const TensorType> operands) const {
  const Shape &x = operands[0].shape, &indices = operands[1].shape, &updates = operands[2].shape;
  if (indices.empty() || !indices.back().IsConstant()) return {};
  auto depth = static_cast<size_t>(indices.back().value());
  size_t rows = indices.size() - 1;
  std::vector<EqualSizes> equal;
  for (size_t d = 0; d < updates.size(); ++d) {
    if (d < rows) equal.push_back({{{1, d}, {2, d}}});
    if (d >= rows && d - rows + depth < x.size())
      equal.push_back({{{0, d - rows + depth}, {2, d}}});
  }
  return equal;
}

void ScatterND::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  CopyFirst(to);
  const Shape shape = to.Operand(0).shape, indices = to.Operand(1).shape;
  int64_t depth = indices.back().value();
  Shape places(indices.begin(), indices.end() - 1), slice(shape.begin() + depth, shape.end());
  b.ForOrdered("t", ElementCount(places), [&](loop::ExprId t) {
    loop::Index place(places.size());
    for (size_t d = places.size(); d-- > 0;) {
      place[d] = d == 0 ? t : b.FloorMod(t, b.Size(places[d]));
      t = b.FloorDiv(t, b.Size(places[d]));
    }
    b.ForEach(slice, [&](const loop::Index& within) {
      loop::Index target, from = place;
      for (int64_t d = 0; d < depth; ++d) {
        loop::Index where = place;
        where.push_back(b.Int(d));
        loop::ExprId index = b.Load(to.operands[1], where);
        target.push_back(ClampedIndex(b, index, shape[static_cast<size_t>(d)]));
      }
      target.insert(target.end(), within.begin(), within.end());
      from.insert(from.end(), within.begin(), within.end());
      b.Store(to.results[0], target, b.Load(to.operands[2], from), update);
    });
  });
}

}  // namespace webnnc::graph
