// What is computed in order: running sums, sorting.
#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

// ---- Running sums and products

static Result<Values> ImportCumulate(NodeContext& c, graph::ReduceKind kind) {
  TRY_ASSIGN(int64_t count, c.Length(1));
  if (count != 1) return Error{"the axis is not a scalar"};
  graph::Cumulate op{kind, 0, c.Int("exclusive", 0) != 0, c.Int("reverse", 0) != 0};
  TRY_ASSIGN(auto axes, c.FindIntegers(1));
  if (!axes && c.Type(0).rank() > 1) {
    // Along the rows of a matrix.
    Formula f(c);
    op.axis = 1;
    TRY_ASSIGN(auto apart, AxesLast::Of(f, f(c[0]), IntegersOf(f, 1, 1)));
    TRY_ASSIGN(auto result, f.Result(apart.Back(f.Add(op, {apart.matrix()}))));
    return Values{result};
  }
  TRY_ASSIGN(op.axis, c.Axis(axes ? (*axes)[0] : 0, c.Type(0).rank()));
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
    TRY_ASSIGN(auto given, c.Sizes(1, {c.Type(0).shape[static_cast<size_t>(axis)]}));
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
