#include "graph/passes/known_integers.h"

#include <algorithm>
#include <cmath>

namespace webnnc::graph {

Range RangeOf(DType dtype) { return {Lowest(dtype).integer, Highest(dtype).integer}; }

Range RangeOf(const Tensor& tensor) {
  int64_t count = ElementCount(tensor.type.shape).value();
  Range range{INT64_MAX, INT64_MIN};
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = tensor.data.At(tensor.type.dtype, i).integer;
    range = {std::min(range.low, value), std::max(range.high, value)};
  }
  return count == 0 ? Range{} : range;
}

// What a float is clamped to before it becomes an integer.
static Range ClampedTo(const Definitions& definitions, ValueId id, Range all) {
  for (;;) {
    const Node* node = definitions.As<Binary>(id);
    auto op = node ? std::get<Binary>(node->op).op : loop::BinaryOp::kAdd;
    bool above = op == loop::BinaryOp::kMin, below = op == loop::BinaryOp::kMax;
    auto bound = above || below ? definitions.Uniform(node->operands[1]) : std::nullopt;
    if (!bound) return all;
    auto within = std::clamp(*bound, static_cast<double>(all.low), static_cast<double>(all.high));
    (above ? all.high : all.low) = static_cast<int64_t>(std::nearbyint(within));
    id = node->operands[0];
  }
}

static bool MovesElements(const Op& op) {
  auto* pool = std::get_if<Pool>(&op);
  return std::holds_alternative<Reshape>(op) || std::holds_alternative<Transpose>(op) ||
         std::holds_alternative<Slice>(op) || std::holds_alternative<Refine>(op) ||
         std::holds_alternative<Concat>(op) || (pool && pool->kind == PoolKind::kMax);
}

Range RangeOf(const Definitions& definitions, ValueId id) {
  const DType dtype = definitions.TypeOf(id).dtype;
  const Range all = RangeOf(dtype);
  const Node* node = definitions.Of(id);
  if (!node) return all;
  if (auto* constant = std::get_if<Constant>(&node->op)) return RangeOf(constant->value);
  std::optional<Range> range;
  auto* binary = std::get_if<Binary>(&node->op);
  if (std::holds_alternative<Cast>(node->op)) {
    DType from = definitions.TypeOf(node->operands[0]).dtype;
    // What is out of range becomes the nearest number, and NaN 0.
    if (IsFloat(from)) return ClampedTo(definitions, node->operands[0], all);
    if (IsInteger(from)) range = RangeOf(definitions, node->operands[0]);
  } else if (binary && binary->op == loop::BinaryOp::kSub) {
    Range a = RangeOf(definitions, node->operands[0]), b = RangeOf(definitions, node->operands[1]);
    range = {a.low - b.high, a.high - b.low};
  } else if (MovesElements(node->op)) {
    for (ValueId operand : node->operands) {
      Range of = RangeOf(definitions, operand);
      range = range ? Range{std::min(range->low, of.low), std::max(range->high, of.high)} : of;
    }
  }
  return range && range->IsWithin(all) ? *range : all;
}

bool IsMadeOfConstants(const Definitions& definitions, ValueId id) {
  const Node* node = definitions.Of(id);
  if (!node) return false;
  if (std::holds_alternative<Constant>(node->op)) return true;
  bool computes =
      std::holds_alternative<Cast>(node->op) || std::holds_alternative<Binary>(node->op) ||
      std::holds_alternative<Reshape>(node->op) || std::holds_alternative<Transpose>(node->op);
  return computes &&
         std::all_of(node->operands.begin(), node->operands.end(),
                     [&](ValueId operand) { return IsMadeOfConstants(definitions, operand); });
}

std::optional<Tensor> ComputedConstant(const Definitions& definitions, ValueId id,
                                       EvaluationBudget& budget) {
  const Node* node = definitions.Of(id);
  if (auto* constant = std::get_if<Constant>(&node->op)) return constant->value;
  std::vector<Tensor> operands;
  for (ValueId operand : node->operands) {
    auto value = ComputedConstant(definitions, operand, budget);
    if (!value) return std::nullopt;
    operands.push_back(std::move(*value));
  }
  auto results = Evaluate(node->op, operands, budget);
  return results ? std::optional(results->front()) : std::nullopt;
}

}  // namespace webnnc::graph
