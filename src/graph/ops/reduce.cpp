// reduce, arg_reduce.
#include <limits>

#include "graph/ops/rows.h"

namespace webnnc::graph {

static Shape WithoutAxes(const Shape& shape, const Integers& axes, bool keep) {
  Shape out;
  size_t next = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool reduced = next < axes.size() && axes[next] == static_cast<int64_t>(d);
    next += reduced;
    if (!reduced) out.push_back(shape[d]);
    if (reduced && keep) out.push_back(1);
  }
  return out;
}

// The result's index of a row.
static Rows::Place PlaceOf(loop::Builder& build, const Integers& axes, size_t rank, bool keep) {
  if (!keep) return [](const loop::Index& row) { return row; };
  return [&build, &axes, rank](const loop::Index& row) {
    loop::Index place;
    size_t next = 0, next_row = 0;
    for (size_t d = 0; d < rank; ++d) {
      bool reduced = next < axes.size() && axes[next] == static_cast<int64_t>(d);
      next += reduced;
      place.push_back(reduced ? build.Int(0) : row[next_row++]);
    }
    return place;
  };
}

Result<Types> Reduce::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, axes, x.rank()));
  if (x.dtype == DType::kBool && (kind == ReduceKind::kSum || kind == ReduceKind::kProd)) {
    return Error{"reduce: bool has no sums"};
  }
  return Types{{x.dtype, WithoutAxes(x.shape, axes, keep)}};
}

void Reduce::Lower(loop::Lowering& to) const {
  static constexpr loop::Update kUpdates[] = {loop::Update::kAdd, loop::Update::kMul,
                                              loop::Update::kMax, loop::Update::kMin};
  loop::Builder& b = to.build;
  const Shape shape = to.Operand(0).shape;
  Rows rows(to, shape, axes);
  Rows::Place place = PlaceOf(b, axes, shape.size(), keep);
  DType dtype = to.Result().dtype;
  // max= and min= are for numbers; among bools, max is or.
  DType sum_type = dtype == DType::kBool ? DType::kI32 : AccumulatorType(dtype);
  auto element = [&](const loop::Index& at, const loop::Index&) {
    return b.Convert(b.Load(to.operands[0], at), sum_type);
  };
  loop::Update update = kUpdates[static_cast<int>(kind)];
  if (sum_type == dtype) return rows.ReduceAt(to.results[0], update, place, element);

  loop::BufferId sum = rows.Temporary("sum", sum_type);
  rows.Reduce(sum, update, element);
  b.ForEach(rows.rows(), [&](const loop::Index& row) {
    b.Store(to.results[0], place(row), b.Convert(b.Load(sum, row), dtype));
  });
}

Result<Types> ArgReduce::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  if (x.dtype == DType::kBool) return Error{"arg_reduce does not take bool"};
  return Types{{DType::kI64, WithoutAxes(x.shape, {axis}, keep)}};
}

void ArgReduce::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const TensorType x = to.Operand(0);
  const Integers axes{axis};
  Rows rows(to, x.shape, axes);
  DType wide = AccumulatorType(x.dtype);
  loop::BufferId best = rows.Temporary("best", wide);
  loop::BufferId where = rows.Temporary("where", DType::kI32);
  // The last of equal elements is the first counted from behind.
  auto counted = [&](loop::ExprId place) {
    return last ? b.Apply(loop::UnaryOp::kNegate, place) : place;
  };
  loop::Update reducer = min ? loop::Update::kArgMin : loop::Update::kArgMax;
  rows.Reduce({best, where}, reducer, [&](const loop::Index& at, const loop::Index&) {
    loop::ExprId element = b.Convert(b.Load(to.operands[0], at), wide);
    if (IsFloat(wide)) {
      // NaN is found like the best of all numbers.
      double infinity = std::numeric_limits<double>::infinity();
      loop::ExprId is_nan = b.Apply(loop::UnaryOp::kIsNan, element);
      element = b.Select(is_nan, b.Real(wide, min ? -infinity : infinity), element);
    }
    return loop::Tuple{element, counted(at[static_cast<size_t>(axis)])};
  });
  Rows::Place place = PlaceOf(b, axes, x.shape.size(), keep);
  b.ForEach(rows.rows(), [&](const loop::Index& row) {
    // Devices without NaN may find nothing better than nothing.
    loop::ExprId end = b.Size(x.shape[static_cast<size_t>(axis)] - 1);
    loop::ExprId inside = b.Max(b.Min(counted(b.Load(where, row)), end), b.Int(0));
    b.Store(to.results[0], place(row), b.Convert(inside, DType::kI64));
  });
}

}  // namespace webnnc::graph
