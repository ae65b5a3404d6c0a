#include "plan/work.h"

#include "loop/stage.h"

namespace webnnc::plan {

namespace {

// Whether the value reads memory.
bool Reads(const loop::Kernel& kernel, loop::ExprId id) {
  const loop::Expr& expr = kernel.exprs[id];
  if (std::holds_alternative<loop::Load>(expr.node)) return true;
  for (loop::ExprId operand : loop::Operands(expr)) {
    if (Reads(kernel, operand)) return true;
  }
  return false;
}

// A product of two things that are read, perhaps converted, or 0 beyond a border.
bool IsProduct(const loop::Kernel& kernel, loop::ExprId id) {
  const loop::Expr& expr = kernel.exprs[id];
  if (auto* convert = std::get_if<loop::Convert>(&expr.node)) return IsProduct(kernel, convert->a);
  if (auto* select = std::get_if<loop::Select>(&expr.node))
    return IsProduct(kernel, select->yes) || IsProduct(kernel, select->no);
  auto* binary = std::get_if<loop::Binary>(&expr.node);
  return binary && binary->op == loop::BinaryOp::kMul && Reads(kernel, binary->a) &&
         Reads(kernel, binary->b);
}

}  // namespace

Dim MultiplyAdds(const loop::Kernel& plain) {
  Dim count = 0;
  for (const loop::Stage& stage : loop::StagesOf(plain)) {
    bool adds = stage.update == loop::Update::kAdd && IsProduct(plain, stage.value());
    if (adds) count = count + IterationsOf(stage);
  }
  return count;
}

}  // namespace webnnc::plan
