// scatter_elements, scatter_nd.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

namespace {

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

// The dimensions of x that are looked up: `depth` of them from `first` on, of which parts have made
// two.
Status CheckParts(std::string_view what, std::span<const TensorType> operands, const Shape& whole,
                  size_t first, size_t depth) {
  const Shape& x = operands[0].shape;
  bool fits = whole.size() == depth && first + 1 < x.size() &&
              !ProvablyLess(x[first] * x[first + 1], ElementCount(whole));
  if (!fits) return Error{Describe(what, operands) + ": the parts are not of the whole"};
  return kSuccess;
}

// Where an update goes in x: as many indices as there are dimensions to look up.
struct Place {
  loop::ExprId part;  // whose turn it is, where x is in parts
  loop::Index at;
};

// The number of the element that `at` is, of a tensor of this shape.
loop::ExprId Number(loop::Builder& b, const loop::Index& at, const Shape& shape) {
  loop::ExprId number = b.Int(0);
  for (size_t d = 0; d < at.size(); ++d) number = b.Add(b.Mul(number, b.Size(shape[d])), at[d]);
  return number;
}

// Updates the element of the result at `place`, behind `before` and before `behind`. Of a result in
// parts each part sees all updates, and keeps what it has where one is not its own.
void StoreAt(loop::Lowering& to, const Place& place, const loop::Index& before,
             const loop::Index& behind, loop::ExprId value, loop::Update update,
             const Shape& whole) {
  loop::Builder& b = to.build;
  loop::Index target = before;
  if (whole.empty()) {
    target.insert(target.end(), place.at.begin(), place.at.end());
    target.insert(target.end(), behind.begin(), behind.end());
    b.Store(to.results[0], target, value, update);
    return;
  }
  loop::ExprId size = b.Size(to.Operand(0).shape[before.size() + 1]);
  loop::ExprId i = b.Sub(Number(b, place.at, whole), b.Mul(place.part, size));
  loop::ExprId is_own = b.Within(i, b.Int(0), size);
  target.push_back(place.part);
  target.push_back(b.Max(b.Min(i, b.Sub(size, b.Int(1))), b.Int(0)));
  target.insert(target.end(), behind.begin(), behind.end());
  loop::ExprId old = b.Load(to.results[0], target);
  b.Store(to.results[0], target,
          b.Select(is_own, loop::Combine(to.kernel, update, old, value), old));
}

}  // namespace

Result<Types> ScatterElements::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1], &updates = operands[2];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  TRY(CheckScatter(kName, operands, update));
  Shape rows = x.shape;
  if (!whole.empty()) {
    TRY(CheckParts(kName, operands, whole, static_cast<size_t>(axis), 1));
    rows.erase(rows.begin() + axis);
  }
  bool fits = indices.shape.size() == rows.size() && updates.shape == indices.shape &&
              axis < indices.rank();
  for (size_t d = 0; fits && d < rows.size(); ++d) {
    if (static_cast<int64_t>(d) == axis) continue;
    fits = !ProvablyLess(rows[d], indices.shape[d]);
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
  if (!whole.empty()) rows.insert(rows.begin() + axis, shape[along]);
  b.ForOrdered("t", places[along], [&](loop::ExprId t) {
    b.ForEach(rows, [&](loop::Index at) {
      Place place;
      if (!whole.empty()) {
        place.part = at[along];
        at.erase(at.begin() + axis);
      }
      loop::Index before(at.begin(), at.begin() + axis), behind(at.begin() + axis, at.end());
      at.insert(at.begin() + axis, t);
      const Dim& size = whole.empty() ? shape[along] : whole[0];
      place.at = {ClampedIndex(b, b.Load(to.operands[1], at), size)};
      StoreAt(to, place, before, behind, b.Load(to.operands[2], at), update, whole);
    });
  });
}

Result<Types> ScatterND::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &indices = operands[1], &updates = operands[2];
  TRY(CheckScatter(kName, operands, update));
  Error misfit{Describe(kName, operands) + ": the indices do not fit"};
  if (indices.rank() < 1 || !indices.shape.back().IsConstant()) return misfit;
  int64_t depth = indices.shape.back().value();
  if (!whole.empty()) TRY(CheckParts(kName, operands, whole, 0, static_cast<size_t>(depth)));
  int64_t looked_up = whole.empty() ? depth : 2;
  if (depth < 1 || looked_up > x.rank()) return misfit;
  Shape expected(indices.shape.begin(), indices.shape.end() - 1);
  expected.insert(expected.end(), x.shape.begin() + looked_up, x.shape.end());
  if (updates.shape != expected) return misfit;
  return Types{x};
}

// updates[i..., s...] of indices[i..., depth] and x[depth..., s...].
std::vector<EqualSizes> ScatterND::Equal(std::span<const TensorType> operands) const {
  const Shape &x = operands[0].shape, &indices = operands[1].shape, &updates = operands[2].shape;
  if (indices.empty() || !indices.back().IsConstant()) return {};
  auto depth = static_cast<size_t>(whole.empty() ? indices.back().value() : 2);
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
  size_t depth = static_cast<size_t>(indices.back().value()), looked_up = whole.empty() ? depth : 2;
  Shape places(indices.begin(), indices.end() - 1);
  Shape slice(shape.begin() + static_cast<int64_t>(looked_up), shape.end());
  if (!whole.empty()) slice.insert(slice.begin(), shape[0]);
  b.ForOrdered("t", ElementCount(places), [&](loop::ExprId t) {
    loop::Index row(places.size());
    for (size_t d = places.size(); d-- > 0;) {
      row[d] = d == 0 ? t : b.FloorMod(t, b.Size(places[d]));
      t = b.FloorDiv(t, b.Size(places[d]));
    }
    b.ForEach(slice, [&](loop::Index within) {
      Place place;
      if (!whole.empty()) {
        place.part = within[0];
        within.erase(within.begin());
      }
      for (size_t d = 0; d < depth; ++d) {
        loop::Index where = row;
        where.push_back(b.Int(static_cast<int64_t>(d)));
        const Dim& size = whole.empty() ? shape[d] : whole[d];
        place.at.push_back(ClampedIndex(b, b.Load(to.operands[1], where), size));
      }
      loop::Index from = row;
      from.insert(from.end(), within.begin(), within.end());
      StoreAt(to, place, {}, within, b.Load(to.operands[2], from), update, whole);
    });
  });
}

}  // namespace webnnc::graph
