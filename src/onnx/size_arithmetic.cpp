#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using graph::ReduceKind;
using loop::BinaryOp;

Term IntegersOf(Formula& f, size_t i, int64_t length) {
  return Cast(Reshape(f(f.context()[i]), {length}), DType::kI64);
}

Term PlacesOf(Formula& f, Term axes, int64_t rank) {
  Term from_front = FloorMod(axes, f.Number(static_cast<double>(rank), DType::kI64));
  if (!axes.id.valid()) return axes;
  Term upright = Reshape(from_front, {f.TypeOf(axes).shape[0], 1});
  return upright == f.Iota(rank, DType::kI64);
}

Term AnyOf(Term places) {
  Term any = Reduce(ReduceKind::kMax, Cast(places, DType::kI64), {0});
  return Cast(any, DType::kBool);
}

Term AtAxes(Term places, Term values, Term otherwise) {
  if (!values.id.valid()) return values;
  Formula& f = *values.formula;
  Term upright = Reshape(values, {f.TypeOf(values).shape[0], 1});
  Term own = Reduce(ReduceKind::kSum, Where(places, upright, f.Number(0, DType::kI64)), {0});
  return Where(AnyOf(places), own, otherwise);
}

Term Selected(Term values, Term mask, int64_t count) {
  Formula& f = *values.formula;
  Term zero = f.Number(0, DType::kI64);
  Term order = f.Add(graph::Cumulate{ReduceKind::kSum, 0, true}, {Cast(mask, DType::kI64)});
  Term upright = Reshape(f.Iota(count, DType::kI64), {count, 1});
  Term taken = (upright == order) & mask;
  return Reduce(ReduceKind::kSum, Where(taken, values, zero), {1});
}

// Each goes to the place that is the number of those before it, in order: what is not among them
// goes where the next one takes its place, or behind all.
Result<Positions> PositionsOf(Formula& f, Term mask, const std::string& what) {
  TRY(f.Result(mask));
  const Dim size = f.TypeOf(mask).shape[0];
  Term numbers = Cast(mask, DType::kI64);
  TRY_ASSIGN(auto total, f.Result(Reduce(ReduceKind::kSum, numbers, {0})));
  TRY_ASSIGN(auto counts, f.context().DefineSizes(total, what, {size}));
  Term places = f.Add(graph::Cumulate{ReduceKind::kSum, 0, true}, {numbers});
  Term zeros = Expand(f.Number(0, DType::kI64), {size + 1});
  Term sorted = f.Add(graph::ScatterElements{0}, {zeros, places, f.Iota(size, DType::kI64)});
  return Positions{Slice(sorted, 0, 0, counts[0]), counts[0]};
}

Term AxesLast::StridesAmong(Term mask) const {
  Term sizes = Where(mask, sizes_, f_->Number(1, DType::kI64));
  return f_->Add(graph::Cumulate{ReduceKind::kProd, 0, true, true}, {sizes});
}

Term AxesLast::PlacesAmong(Term mask, const Dim& count) const {
  Term element = Reshape(f_->Iota(count, DType::kI64), {count, 1});
  // What has no elements divides nothing.
  Term place = FloorMod(FloorDiv(element, Max(StridesAmong(mask), 1)), Max(sizes_, 1));
  Term offsets = Where(mask, place * strides_, f_->Number(0, DType::kI64));
  return Reduce(ReduceKind::kSum, offsets, {1});
}

AxesLast AxesLast::WithShape(const Shape& shape) const {
  AxesLast other = *this;
  other.shape_ = shape;
  graph::Sizes1D strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  other.sizes_ = f_->Sizes(shape);
  other.strides_ = f_->Sizes(strides);
  return other;
}

Result<AxesLast> AxesLast::Of(Formula& f, Term x, Term axes) {
  TRY(f.Result(x));
  const Shape shape = f.TypeOf(x).shape;
  const Dim all = ElementCount(shape);
  AxesLast moved = AxesLast(f).WithShape(shape);
  moved.named_ = AnyOf(PlacesOf(f, axes, static_cast<int64_t>(shape.size())));
  Term one = f.Number(1, DType::kI64);
  Term outer = Reduce(ReduceKind::kProd, Where(moved.named_, one, moved.sizes_), {0}, true);
  Term inner = Reduce(ReduceKind::kProd, Where(moved.named_, moved.sizes_, one), {0}, true);
  TRY_ASSIGN(auto counts, f.Result(Concat({outer, inner}, 0)));
  TRY_ASSIGN(auto sizes, f.context().DefineSizes(counts, "part", {all, all}));
  moved.others_ = sizes[0];
  moved.inner_ = sizes[1];
  Term rows = moved.PlacesAmong(Not(moved.named_), sizes[0]);
  Term columns = moved.PlacesAmong(moved.named_, sizes[1]);
  Term places = Reshape(rows, {sizes[0], 1}) + columns;
  moved.matrix_ = f.Add(graph::Gather{0}, {Reshape(x, {all}), places});
  return moved;
}

Term AxesLast::Back(Term matrix) const {
  const Dim all = ElementCount(shape_);
  Term element = Reshape(f_->Iota(all, DType::kI64), {all, 1});
  Term place = FloorMod(FloorDiv(element, Max(strides_, 1)), Max(sizes_, 1));
  Term zero = f_->Number(0, DType::kI64);
  auto offset = [&](Term mask) {
    return Reduce(ReduceKind::kSum, Where(mask, place * StridesAmong(mask), zero), {1});
  };
  if (!matrix.id.valid()) return matrix;
  const Shape sizes = f_->TypeOf(matrix).shape;
  Term where = offset(Not(named_)) * f_->Size(sizes[1], DType::kI64) + offset(named_);
  Term flat = Reshape(matrix, {sizes[0] * sizes[1]});
  return Reshape(f_->Add(graph::Gather{0}, {flat, where}), shape_);
}

}  // namespace webnnc::onnx
