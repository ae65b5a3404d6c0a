#include "graph/ops/rows.h"

namespace webnnc::graph {

Result<Types> Cumulate::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  if (x.dtype == DType::kBool) return Error{"cumulate: bool has no sums"};
  if (kind != ReduceKind::kSum && kind != ReduceKind::kProd)
    return Error{"cumulate makes sums and products"};
  return Types{x};
}

void Cumulate::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const TensorType x = to.Operand(0);
  auto along = static_cast<size_t>(axis);
  DType wide = AccumulatorType(x.dtype);
  loop::Update update = kind == ReduceKind::kSum ? loop::Update::kAdd : loop::Update::kMul;
  Rows rows(to, x.shape, {axis});
  loop::BufferId total = rows.Temporary("total", wide);
  rows.ForEachRow(total,
                  [&](const loop::Index&) { return b.Constant(loop::Neutral(update, wide)); });
  b.ForOrdered("t", x.shape[along], [&](loop::ExprId t) {
    loop::ExprId place = reverse ? b.Sub(b.Size(x.shape[along] - 1), t) : t;
    auto at = [&](loop::Index row) {
      row.insert(row.begin() + axis, place);
      return row;
    };
    auto add = [&] {
      rows.ForEachRow(total, [&](const loop::Index& row) {
        loop::ExprId element = b.Convert(b.Load(to.operands[0], at(row)), wide);
        return loop::Combine(to.kernel, update, b.Load(total, row), element);
      });
    };
    if (!exclusive) add();
    rows.ForEachRowAt(to.results[0], at, [&](const loop::Index& row) {
      return b.Convert(b.Load(total, row), x.dtype);
    });
    if (exclusive) add();
  });
}

}  // namespace webnnc::graph
