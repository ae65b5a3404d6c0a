#include "schedule/bytes.h"

#include <cmath>

#include "loop/integer_ranges.h"

namespace webnnc::schedule {

using loop::ExprId;

const loop::Unary* DotByteOf(const loop::Kernel& kernel, ExprId factor) {
  auto* unary = std::get_if<loop::Unary>(&kernel.exprs[factor].node);
  return unary && unary->op == loop::UnaryOp::kDotByte ? unary : nullptr;
}

static bool IsByte(const loop::Kernel& kernel, loop::IntegerRanges& ranges, ExprId id) {
  if (auto* either = DotByteOf(kernel, id))
    return loop::RangeOf(DType::kU8).Holds(ranges.Of(either->a));
  const loop::Expr& expr = kernel.exprs[id];
  if (auto* constant = std::get_if<loop::Constant>(&expr.node)) {
    const double value = constant->value.AsReal();
    return std::trunc(value) == value && value >= INT8_MIN && value <= INT8_MAX;
  }
  if (auto* select = std::get_if<loop::Select>(&expr.node))
    return IsByte(kernel, ranges, select->yes) && IsByte(kernel, ranges, select->no);
  if (IsInteger(expr.dtype)) return loop::RangeOf(DType::kI8).Holds(ranges.Of(id));
  auto* convert = std::get_if<loop::Convert>(&expr.node);
  return convert && IsInteger(kernel.exprs[convert->a].dtype) && IsByte(kernel, ranges, convert->a);
}

bool IsByte(const loop::Kernel& kernel, ExprId factor) {
  loop::IntegerRanges ranges(kernel, loop::RangeOf);
  return IsByte(kernel, ranges, factor);
}

ExprId ByteAsInteger(loop::Kernel& kernel, ExprId factor) {
  loop::Builder build(kernel);
  const loop::Expr expr = kernel.exprs[factor];
  if (auto* constant = std::get_if<loop::Constant>(&expr.node))
    return build.Int(static_cast<int64_t>(constant->value.AsReal()));
  if (auto* select = std::get_if<loop::Select>(&expr.node))
    return build.Select(select->condition, ByteAsInteger(kernel, select->yes),
                        ByteAsInteger(kernel, select->no));
  auto* convert = std::get_if<loop::Convert>(&expr.node);
  return build.Convert(IsInteger(expr.dtype) ? factor : convert->a, DType::kI32);
}

}  // namespace webnnc::schedule
