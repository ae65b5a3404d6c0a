#include "graph/ops/rows.h"

namespace webnnc::graph {

Result<Types> Softmax::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, axes, x.rank()));
  if (!IsFloat(x.dtype)) return Error{"softmax does not take " + std::string(Name(x.dtype))};
  return Types{x};
}

void Softmax::Lower(loop::Lowering& to) const {
  using loop::UnaryOp;
  loop::Builder& b = to.build;
  DType dtype = to.Result().dtype, wide = AccumulatorType(dtype);
  Rows rows(to, to.Result().shape, axes);
  loop::BufferId max = rows.Temporary("max", wide), sum = rows.Temporary("sum", wide);

  // Subtracting the maximum keeps exp from overflowing; it cancels in the quotient.
  auto difference = [&](const loop::Index& at, const loop::Index& row) {
    return b.Sub(b.Convert(b.Load(to.operands[0], at), wide), b.Load(max, row));
  };
  rows.Reduce(max, loop::Update::kMax, [&](const loop::Index& at, const loop::Index&) {
    return b.Convert(b.Load(to.operands[0], at), wide);
  });
  rows.Reduce(sum, loop::Update::kAdd, [&](const loop::Index& at, const loop::Index& row) {
    return b.Apply(UnaryOp::kExp, difference(at, row));
  });
  if (log) {
    loop::BufferId log_sum = rows.Temporary("log_sum", wide);
    rows.ForEachRow(
        log_sum, [&](const loop::Index& row) { return b.Apply(UnaryOp::kLog, b.Load(sum, row)); });
    return rows.ForEach([&](const loop::Index& at, const loop::Index& row) {
      return b.Convert(b.Sub(difference(at, row), b.Load(log_sum, row)), dtype);
    });
  }
  loop::BufferId scale = rows.Temporary("scale", wide);
  rows.ForEachRow(scale,
                  [&](const loop::Index& row) { return b.Div(b.Real(wide, 1), b.Load(sum, row)); });
  rows.ForEach([&](const loop::Index& at, const loop::Index& row) {
    loop::ExprId power = b.Apply(UnaryOp::kExp, difference(at, row));
    return b.Convert(b.Mul(power, b.Load(scale, row)), dtype);
  });
}

}  // namespace webnnc::graph
