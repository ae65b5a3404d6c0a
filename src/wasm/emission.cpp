#include "wasm/emission.h"

namespace webnnc::wasm {

using loop::ExprId;

const loop::Unary* UnaryOf(const loop::Kernel& kernel, ExprId id, loop::UnaryOp op) {
  auto* unary = std::get_if<loop::Unary>(&kernel.exprs[id].node);
  return unary && unary->op == op ? unary : nullptr;
}

const loop::Binary* BinaryOf(const loop::Kernel& kernel, ExprId id, loop::BinaryOp op) {
  auto* binary = std::get_if<loop::Binary>(&kernel.exprs[id].node);
  return binary && binary->op == op ? binary : nullptr;
}

std::pair<ExprId, int64_t> WithoutConstant(const loop::Kernel& kernel, ExprId index) {
  auto* sum = std::get_if<loop::Binary>(&kernel.exprs[index].node);
  bool adds = sum && sum->op == loop::BinaryOp::kAdd;
  if (!adds && !(sum && sum->op == loop::BinaryOp::kSub)) return {index, 0};
  auto* constant = std::get_if<loop::Constant>(&kernel.exprs[sum->b].node);
  if (!constant) return {index, 0};
  return {sum->a, adds ? constant->value.integer : -constant->value.integer};
}

std::optional<int64_t> DistanceOf(const loop::Kernel& kernel, ExprId x, ExprId y) {
  auto *a = std::get_if<loop::Select>(&kernel.exprs[x].node),
       *c = std::get_if<loop::Select>(&kernel.exprs[y].node);
  if (a && c && a->condition == c->condition && a->no == c->no)
    return DistanceOf(kernel, a->yes, c->yes);
  auto *first = std::get_if<loop::Load>(&kernel.exprs[x].node),
       *second = std::get_if<loop::Load>(&kernel.exprs[y].node);
  if (!first || !second || first->buffer != second->buffer) return std::nullopt;
  auto [base, from] = WithoutConstant(kernel, first->index.back());
  auto [other, to] = WithoutConstant(kernel, second->index.back());
  return base == other ? std::optional(to - from) : std::nullopt;
}

}  // namespace webnnc::wasm
