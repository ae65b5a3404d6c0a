#include "graph/ops/rows.h"

namespace webnnc::graph {

Result<Types> Normalize::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, axes, x.rank()));
  if (!IsFloat(x.dtype)) return Error{"normalize does not take " + std::string(Name(x.dtype))};
  return Types{x};
}

void Normalize::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  DType dtype = to.Result().dtype, wide = AccumulatorType(dtype);
  Rows rows(to, to.Result().shape, axes);
  auto element = [&](const loop::Index& at) { return b.Convert(b.Load(to.operands[0], at), wide); };
  Dim size = ElementCount(rows.within());
  auto mean_of = [&](loop::BufferId sum, const loop::Index& row) {
    loop::ExprId count = b.Convert(b.Size(size), wide);
    return b.Div(b.Load(sum, row), count);
  };

  loop::BufferId mean;
  if (center) {
    loop::BufferId sum = rows.Temporary("sum", wide);
    mean = rows.Temporary("mean", wide);
    rows.Reduce(sum, loop::Update::kAdd,
                [&](const loop::Index& at, const loop::Index&) { return element(at); });
    rows.ForEachRow(mean, [&](const loop::Index& row) { return mean_of(sum, row); });
  }
  auto centered = [&](const loop::Index& at, const loop::Index& row) {
    return center ? b.Sub(element(at), b.Load(mean, row)) : element(at);
  };
  // In two passes: the sum of squares less the squared sum would cancel.
  loop::BufferId squares = rows.Temporary("squares", wide);
  rows.Reduce(squares, loop::Update::kAdd, [&](const loop::Index& at, const loop::Index& row) {
    loop::ExprId x = centered(at, row);
    return b.Mul(x, x);
  });
  loop::BufferId scale = rows.Temporary("scale", wide);
  rows.ForEachRow(scale, [&](const loop::Index& row) {
    loop::ExprId variance = b.Add(mean_of(squares, row), b.Real(wide, epsilon));
    return b.Div(b.Real(wide, 1), b.Apply(loop::UnaryOp::kSqrt, variance));
  });
  rows.ForEach([&](const loop::Index& at, const loop::Index& row) {
    return b.Convert(b.Mul(centered(at, row), b.Load(scale, row)), dtype);
  });
}

}  // namespace webnnc::graph
