// reduce, arg_reduce.
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
  rows.Reduce(best, min ? loop::Update::kMin : loop::Update::kMax,
              [&](const loop::Index& at, const loop::Index&) {
                return b.Convert(b.Load(to.operands[0], at), wide);
              });
  loop::Update update = last ? loop::Update::kMax : loop::Update::kMin;
  rows.Reduce(where, update, [&](const loop::Index& at, const loop::Index& row) {
    loop::ExprId element = b.Convert(b.Load(to.operands[0], at), wide);
    loop::ExprId hit = EqualOrNan(b, element, b.Load(best, row));
    loop::ExprId none = b.Constant(loop::Neutral(update, DType::kI32));
    return b.Select(hit, at[static_cast<size_t>(axis)], none);
  });
  Rows::Place place = PlaceOf(b, axes, x.shape.size(), keep);
  b.ForEach(rows.rows(), [&](const loop::Index& row) {
    // Devices that lose NaN on the way to the best may find it nowhere.
    loop::ExprId inside =
        b.Max(b.Min(b.Load(where, row), b.Size(x.shape[static_cast<size_t>(axis)] - 1)), b.Int(0));
    b.Store(to.results[0], place(row), b.Convert(inside, DType::kI64));
  });
}

}  // namespace webnnc::graph
