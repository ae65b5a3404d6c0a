#include <algorithm>

#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using graph::Function;
using graph::ReduceKind;
using loop::BinaryOp;
using Integers = std::vector<int64_t>;

namespace {

struct ReduceAttributes {
  Integers axes;
  bool keep = true;
  // Empty axes may mean: leave x alone.
  bool identity = false;
};

// Axes are an attribute up to opset 17 (ReduceSum: 12), an operand since. Without any, all.
Result<ReduceAttributes> ReadReduce(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(auto given, c.IntsOrOperand("axes", 1, {}));
  ReduceAttributes attributes;
  attributes.keep = c.Int("keepdims", 1) != 0;
  attributes.identity = given.empty() && c.Int("noop_with_empty_axes", 0) != 0;
  if (given.empty() && !attributes.identity) {
    for (int64_t d = 0; d < rank; ++d) given.push_back(d);
  }
  TRY_ASSIGN(attributes.axes, c.Axes(given, rank));
  return attributes;
}

Result<ValueId> Reduced(NodeContext& c, ValueId x, ReduceKind kind, const ReduceAttributes& a) {
  if (a.identity) return x;
  // bool has no max of its own; among 0 and 1 it is the number's.
  if (c.TypeOf(x).dtype == DType::kBool) {
    TRY_ASSIGN(auto number, c.Cast(x, DType::kI32));
    TRY_ASSIGN(auto reduced, c.Add(graph::Reduce{kind, a.axes, a.keep}, {number}));
    return c.Cast(reduced, DType::kBool);
  }
  return c.Add(graph::Reduce{kind, a.axes, a.keep}, {x});
}

// A reduction whose axes only a run knows: of the rows of a matrix, in which the axes are behind
// all others.
Result<Values> ReduceByData(NodeContext& c, int64_t count, ImportFunction import) {
  const TensorType type = c.Type(0);
  Formula f(c);
  TRY_ASSIGN(auto apart, AxesLast::Of(f, f(c[0]), IntegersOf(f, 1, count)));
  TRY_ASSIGN(auto matrix, f.Result(apart.matrix()));
  TRY_ASSIGN(auto axes, c.IntegerConstant(DType::kI64, {1}));
  NodeContext of_matrix = c.WithOperand(0, matrix).WithOperand(1, axes);
  TRY_ASSIGN(auto results, import(of_matrix));
  Term sizes = f.Sizes(type.shape);
  sizes = c.Int("keepdims", 1) != 0 ? Where(apart.named(), f.Number(1, DType::kI64), sizes)
                                    : Selected(sizes, Not(apart.named()), type.rank() - count);
  TRY_ASSIGN(auto vector, f.Result(sizes));
  TRY_ASSIGN(auto shape, c.DefineSizes(vector, "shape"));
  TRY_ASSIGN(results[0], c.Reshape(results[0], shape));
  return results;
}

// The reduction, whether its axes are known or data.
template <ImportFunction import>
Result<Values> OverAxes(NodeContext& c) {
  if (c.HasAttribute("axes") || !c.Has(1)) return import(c);
  TRY_ASSIGN(auto known, c.FindIntegers(1));
  if (known) return import(c);
  TRY_ASSIGN(int64_t count, c.Length(1));
  int64_t rank = c.Type(0).rank();
  if (count > rank) return Error{std::to_string(count) + " axes of " + Print(c.Type(0))};
  if (count < rank) return ReduceByData(c, count, import);
  // As many as there are: all.
  Integers all;
  for (int64_t d = 0; d < rank; ++d) all.push_back(d);
  TRY_ASSIGN(auto axes, c.IntegerConstant(DType::kI64, all));
  NodeContext over_all = c.WithOperand(1, axes);
  return import(over_all);
}

}  // namespace

template <ReduceKind kind>
static Result<Values> ImportReduce(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  TRY_ASSIGN(auto result, Reduced(c, c[0], kind, attributes));
  return Values{result};
}

static Result<Values> ImportReduceMean(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  TRY_ASSIGN(auto sum, Reduced(c, c[0], ReduceKind::kSum, attributes));
  if (attributes.identity) return Values{sum};
  Dim count = 1;
  for (int64_t axis : attributes.axes) count = count * c.Type(0).shape[static_cast<size_t>(axis)];
  TRY_ASSIGN(auto size, c.Add(graph::Sizes{{count}, true}, {}));
  TRY_ASSIGN(auto divisor, c.Cast(size, c.Type(0).dtype));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, sum, divisor));
  return Values{result};
}

static Result<Values> ImportReduceL1(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  TRY_ASSIGN(auto magnitude, c.Unary(Function::kAbs, c[0]));
  TRY_ASSIGN(auto result, Reduced(c, magnitude, ReduceKind::kSum, attributes));
  return Values{result};
}

static Result<Values> ImportReduceSumSquare(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, c[0], c[0]));
  TRY_ASSIGN(auto result, Reduced(c, square, ReduceKind::kSum, attributes));
  return Values{result};
}

static Result<Values> ImportReduceL2(NodeContext& c) {
  DType dtype = c.Type(0).dtype;
  TRY_ASSIGN(auto sum, ImportReduceSumSquare(c));
  TRY_ASSIGN(auto real, c.Cast(sum[0], IsFloat(dtype) ? dtype : DType::kF32));
  TRY_ASSIGN(auto root, c.Unary(Function::kSqrt, real));
  TRY_ASSIGN(auto result, c.Cast(root, dtype));
  return Values{result};
}

static Result<Values> ImportReduceLogSum(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  TRY_ASSIGN(auto sum, Reduced(c, c[0], ReduceKind::kSum, attributes));
  TRY_ASSIGN(auto result, c.Unary(Function::kLog, sum));
  return Values{result};
}

// max + log(sum of exp(x - max)), which does not overflow. A row of infinities, or an empty one,
// has no finite maximum; 0 then takes its place.
static Result<Values> ImportReduceLogSumExp(NodeContext& c) {
  TRY_ASSIGN(auto attributes, ReadReduce(c));
  ReduceAttributes keeping = attributes;
  keeping.keep = true;
  TRY_ASSIGN(auto largest, Reduced(c, c[0], ReduceKind::kMax, keeping));
  TRY_ASSIGN(auto infinite, c.Unary(Function::kIsInf, largest));
  TRY_ASSIGN(auto zero, c.Scalar(c.Type(0).dtype, 0));
  TRY_ASSIGN(auto max, c.Add(graph::Where{}, {infinite, zero, largest}));
  TRY_ASSIGN(auto difference, c.Binary(BinaryOp::kSub, c[0], max));
  TRY_ASSIGN(auto power, c.Unary(Function::kExp, difference));
  TRY_ASSIGN(auto sum, Reduced(c, power, ReduceKind::kSum, keeping));
  TRY_ASSIGN(auto log, c.Unary(Function::kLog, sum));
  TRY_ASSIGN(auto total, c.Binary(BinaryOp::kAdd, log, max));
  if (attributes.keep || attributes.identity) return Values{total};
  Shape shape;
  for (int64_t d = 0; d < c.Type(0).rank(); ++d) {
    bool reduced =
        std::find(attributes.axes.begin(), attributes.axes.end(), d) != attributes.axes.end();
    if (!reduced) shape.push_back(c.Type(0).shape[static_cast<size_t>(d)]);
  }
  TRY_ASSIGN(auto result, c.Reshape(total, shape));
  return Values{result};
}

namespace {

Result<Values> ImportArg(NodeContext& c, bool min) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  graph::ArgReduce op{min, axis, c.Int("keepdims", 1) != 0, c.Int("select_last_index", 0) != 0};
  TRY_ASSIGN(auto result, c.Add(op, {c[0]}));
  return Values{result};
}

}  // namespace

static Result<Values> ImportArgMax(NodeContext& c) { return ImportArg(c, false); }
static Result<Values> ImportArgMin(NodeContext& c) { return ImportArg(c, true); }

static constexpr Operator kOperators[] = {
    {"", "ArgMax", 1, ImportArgMax, kAnyOpset},
    {"", "ArgMin", 1, ImportArgMin, kAnyOpset},
    {"", "ReduceL1", 1, OverAxes<ImportReduceL1>, kAnyOpset},
    {"", "ReduceL2", 1, OverAxes<InWide<ImportReduceL2>>, kAnyOpset},
    {"", "ReduceLogSum", 1, OverAxes<InWide<ImportReduceLogSum>>, kAnyOpset},
    {"", "ReduceLogSumExp", 1, OverAxes<InWide<ImportReduceLogSumExp>>, kAnyOpset},
    {"", "ReduceMax", 1, OverAxes<ImportReduce<ReduceKind::kMax>>, kAnyOpset},
    {"", "ReduceMean", 1, OverAxes<InWide<ImportReduceMean>>, kAnyOpset},
    {"", "ReduceMin", 1, OverAxes<ImportReduce<ReduceKind::kMin>>, kAnyOpset},
    {"", "ReduceProd", 1, OverAxes<ImportReduce<ReduceKind::kProd>>, kAnyOpset},
    {"", "ReduceSum", 1, OverAxes<ImportReduce<ReduceKind::kSum>>, kAnyOpset},
    {"", "ReduceSumSquare", 1, OverAxes<ImportReduceSumSquare>, kAnyOpset},
};

std::span<const Operator> ReductionOperators() { return kOperators; }

}  // namespace webnnc::onnx
