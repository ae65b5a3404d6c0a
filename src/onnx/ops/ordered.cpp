// What is computed in order: running sums, sorting.
#include "onnx/operators.h"

namespace webnnc::onnx {

// ---- Running sums and products

static Result<Values> ImportCumulate(NodeContext& c, graph::ReduceKind kind) {
  TRY_ASSIGN(auto axes, c.Integers(1));
  if (axes.size() != 1) return Error{"the axis is not a scalar"};
  TRY_ASSIGN(auto axis, c.Axis(axes[0], c.Type(0).rank()));
  graph::Cumulate op{kind, axis, c.Int("exclusive", 0) != 0, c.Int("reverse", 0) != 0};
  TRY_ASSIGN(auto result, c.Add(op, {c[0]}));
  return Values{result};
}

static Result<Values> ImportCumSum(NodeContext& c) {
  return ImportCumulate(c, graph::ReduceKind::kSum);
}
static Result<Values> ImportCumProd(NodeContext& c) {
  return ImportCumulate(c, graph::ReduceKind::kProd);
}

// ---- The largest

static Result<Values> ImportTopK(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), rank));
  Dim count = c.Int("k", 0);
  if (c.opset() >= 10) {
    TRY_ASSIGN(auto given, c.Sizes(1));
    if (given.size() != 1) return Error{"k is not a scalar"};
    count = given[0];
  }
  if (count.IsConstant() && count.value() < 0) return Error{"k is " + Print(count)};
  const Dim& size = c.Type(0).shape[static_cast<size_t>(axis)];
  if (!ProvablyLessEqual(count, size)) c.AssumeLessEqual(count, size);
  graph::TopK op{axis, count, c.Int("largest", 1) == 0};
  TRY_ASSIGN(auto results, c.AddAll(op, {c[0]}));
  return results;
}

static constexpr Operator kOperators[] = {
    {"", "CumProd", 2, ImportCumProd},
    {"", "CumSum", 2, ImportCumSum},
    {"", "TopK", 1, ImportTopK},
};

std::span<const Operator> OrderedOperators() { return kOperators; }

}  // namespace webnnc::onnx
