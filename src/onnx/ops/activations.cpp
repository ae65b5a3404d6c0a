#include "onnx/ops/activations.h"

#include <cmath>

#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

// x < bound ? yes : no, with the bound as a number.
Result<ValueId> Choose(NodeContext& c, ValueId x, double bound, ValueId yes, ValueId no) {
  TRY_ASSIGN(auto below, c.Binary(BinaryOp::kLess, x, bound));
  return c.Add(graph::Where{}, {below, yes, no});
}

// scale * (exp(x) - 1)
Result<ValueId> ScaledExpM1(NodeContext& c, ValueId x, double scale) {
  TRY_ASSIGN(auto power, c.Unary(Function::kExp, x));
  TRY_ASSIGN(auto less_one, c.Binary(BinaryOp::kSub, power, 1));
  return c.Binary(BinaryOp::kMul, less_one, scale);
}

// min(max(alpha*x + beta, 0), 1)
Result<ValueId> HardSigmoid(NodeContext& c, ValueId x, double alpha, double beta) {
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, x, alpha));
  TRY_ASSIGN(auto moved, c.Binary(BinaryOp::kAdd, scaled, beta));
  TRY_ASSIGN(auto low, c.Binary(BinaryOp::kMax, moved, 0));
  return c.Binary(BinaryOp::kMin, low, 1);
}

}  // namespace

Result<ValueId> Swish(NodeContext& c, ValueId x, double alpha) {
  ValueId scaled = x;
  if (alpha != 1) {
    TRY_ASSIGN(scaled, c.Binary(BinaryOp::kMul, x, alpha));
  }
  TRY_ASSIGN(auto gate, c.Unary(Function::kSigmoid, scaled));
  return c.Binary(BinaryOp::kMul, x, gate);
}

static Result<Values> ImportElu(NodeContext& c) {
  TRY_ASSIGN(auto negative, ScaledExpM1(c, c[0], c.Float("alpha", 1)));
  TRY_ASSIGN(auto result, Choose(c, c[0], 0, negative, c[0]));
  return Values{result};
}

static Result<Values> ImportCelu(NodeContext& c) {
  double alpha = c.Float("alpha", 1);
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kDiv, c[0], alpha));
  TRY_ASSIGN(auto negative, ScaledExpM1(c, scaled, alpha));
  TRY_ASSIGN(auto result, Choose(c, c[0], 0, negative, c[0]));
  return Values{result};
}

static Result<Values> ImportSelu(NodeContext& c) {
  double alpha = c.Float("alpha", 1.67326319217681884765625);
  double gamma = c.Float("gamma", 1.05070102214813232421875);
  TRY_ASSIGN(auto negative, ScaledExpM1(c, c[0], alpha));
  TRY_ASSIGN(auto chosen, Choose(c, c[0], 0, negative, c[0]));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, chosen, gamma));
  return Values{result};
}

static Result<Values> ImportLeakyRelu(NodeContext& c) {
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, c[0], c.Float("alpha", 0.01)));
  TRY_ASSIGN(auto result, Choose(c, c[0], 0, scaled, c[0]));
  return Values{result};
}

static Result<Values> ImportPRelu(NodeContext& c) {
  ValueId slope = c[1];
  if (c.opset() < 7 && c.Type(1).rank() == 1 && c.Type(0).rank() > 2) {
    // In opset 6 a vector has an element a channel.
    Shape upright(static_cast<size_t>(c.Type(0).rank()) - 1, 1);
    upright[0] = c.Type(1).shape[0];
    TRY_ASSIGN(slope, c.Reshape(slope, upright));
  }
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, c[0], slope));
  TRY_ASSIGN(auto result, Choose(c, c[0], 0, scaled, c[0]));
  return Values{result};
}

static Result<Values> ImportThresholdedRelu(NodeContext& c) {
  double alpha = c.Float("alpha", 1);
  TRY_ASSIGN(auto limit, c.Scalar(c.Type(0).dtype, alpha));
  TRY_ASSIGN(auto above, c.Binary(BinaryOp::kLess, limit, c[0]));
  TRY_ASSIGN(auto zero, c.Scalar(c.Type(0).dtype, 0));
  TRY_ASSIGN(auto result, c.Add(graph::Where{}, {above, c[0], zero}));
  return Values{result};
}

static Result<Values> ImportShrink(NodeContext& c) {
  double lambd = c.Float("lambd", 0.5), bias = c.Float("bias", 0);
  DType dtype = c.Type(0).dtype;
  // In floats, as ONNX defines it: the bounds need not be integers where x is.
  TRY_ASSIGN(auto x, c.Cast(c[0], IsFloat(dtype) ? dtype : DType::kF32));
  TRY_ASSIGN(auto raised, c.Binary(BinaryOp::kAdd, x, bias));
  TRY_ASSIGN(auto lowered, c.Binary(BinaryOp::kSub, x, bias));
  TRY_ASSIGN(auto zero, c.Scalar(c.TypeOf(x).dtype, 0));
  TRY_ASSIGN(auto limit, c.Scalar(c.TypeOf(x).dtype, lambd));
  TRY_ASSIGN(auto above, c.Binary(BinaryOp::kLess, limit, x));
  TRY_ASSIGN(auto upper, c.Add(graph::Where{}, {above, lowered, zero}));
  TRY_ASSIGN(auto shrunk, Choose(c, x, -lambd, raised, upper));
  TRY_ASSIGN(auto result, c.Cast(shrunk, dtype));
  return Values{result};
}

static Result<Values> ImportHardSigmoid(NodeContext& c) {
  TRY_ASSIGN(auto result, HardSigmoid(c, c[0], c.Float("alpha", 0.2), c.Float("beta", 0.5)));
  return Values{result};
}

static Result<Values> ImportHardSwish(NodeContext& c) {
  TRY_ASSIGN(auto gate, HardSigmoid(c, c[0], 1.0 / 6, 0.5));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, c[0], gate));
  return Values{result};
}

static Result<Values> ImportSwish(NodeContext& c) {
  TRY_ASSIGN(auto result, Swish(c, c[0], c.Float("alpha", 1)));
  return Values{result};
}

static Result<Values> ImportSwiGLU(NodeContext& c) {
  TRY_ASSIGN(auto gate, Swish(c, c[0], c.Float("alpha", 1)));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, gate, c[1]));
  return Values{result};
}

static Result<Values> ImportMish(NodeContext& c) {
  TRY_ASSIGN(auto soft, c.Unary(Function::kSoftplus, c[0]));
  TRY_ASSIGN(auto gate, c.Unary(Function::kTanh, soft));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, c[0], gate));
  return Values{result};
}

static Result<Values> ImportSoftsign(NodeContext& c) {
  TRY_ASSIGN(auto magnitude, c.Unary(Function::kAbs, c[0]));
  TRY_ASSIGN(auto divisor, c.Binary(BinaryOp::kAdd, magnitude, 1));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, c[0], divisor));
  return Values{result};
}

namespace {

// x * (1 + inner) / 2
Result<ValueId> Gated(NodeContext& c, ValueId x, ValueId inner) {
  TRY_ASSIGN(auto raised, c.Binary(BinaryOp::kAdd, inner, 1));
  TRY_ASSIGN(auto half, c.Binary(BinaryOp::kMul, x, 0.5));
  return c.Binary(BinaryOp::kMul, half, raised);
}

}  // namespace

Result<ValueId> Gelu(NodeContext& c, ValueId x) {
  TRY_ASSIGN(auto argument, c.Binary(BinaryOp::kMul, x, std::sqrt(0.5)));
  TRY_ASSIGN(auto inner, c.Unary(Function::kErf, argument));
  return Gated(c, x, inner);
}

Result<ValueId> FastGelu(NodeContext& c, ValueId x) {
  // sqrt(2/pi) * (x + 0.044715 x^3)
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, x, x));
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, square, 0.044715));
  TRY_ASSIGN(auto factor, c.Binary(BinaryOp::kAdd, scaled, 1));
  TRY_ASSIGN(auto cubic, c.Binary(BinaryOp::kMul, x, factor));
  TRY_ASSIGN(auto argument, c.Binary(BinaryOp::kMul, cubic, std::sqrt(2 / M_PI)));
  TRY_ASSIGN(auto inner, c.Unary(Function::kTanh, argument));
  return Gated(c, x, inner);
}

static Result<Values> ImportGelu(NodeContext& c) {
  std::string approximate = c.String("approximate", "none");
  if (approximate != "tanh" && approximate != "none") return Error{"approximate is none or tanh"};
  TRY_ASSIGN(auto result, approximate == "tanh" ? FastGelu(c, c[0]) : Gelu(c, c[0]));
  return Values{result};
}

// ---- Of ONNX Runtime ---------------------------------------------------------------------------

namespace {

// x + operand i, if that is there: a vector with an element a column.
Result<ValueId> WithBias(NodeContext& c, size_t i) {
  if (!c.Has(i)) return c[0];
  if (c.Type(0).rank() < 1) return Error{"x is " + Print(c.Type(0))};
  TRY(c.CheckVector("bias", c[i], c.Type(0).shape.back(), "column"));
  return c.Binary(BinaryOp::kAdd, c[0], c[i]);
}

}  // namespace

static Result<Values> ImportBiasGelu(NodeContext& c) {
  TRY_ASSIGN(auto x, WithBias(c, 1));
  TRY_ASSIGN(auto result, Gelu(c, x));
  return Values{result};
}

static Result<Values> ImportFastGelu(NodeContext& c) {
  TRY_ASSIGN(auto x, WithBias(c, 1));
  TRY_ASSIGN(auto result, FastGelu(c, x));
  return Values{result};
}

static Result<Values> ImportQuickGelu(NodeContext& c) {
  TRY_ASSIGN(auto result, Swish(c, c[0], c.Float("alpha", 1.702)));
  return Values{result};
}

// The left half of x + bias, times the Gelu of the right half.
static Result<Values> ImportBiasSplitGelu(NodeContext& c) {
  TRY_ASSIGN(auto x, WithBias(c, 1));
  const Shape shape = c.TypeOf(x).shape;
  auto half = shape.empty() ? std::nullopt : ExactDiv(shape.back(), 2);
  if (!half) return Error{"x is " + Print(c.TypeOf(x)) + ", which has no two halves"};
  int64_t last = c.TypeOf(x).rank() - 1;
  TRY_ASSIGN(auto left, Part(c, x, last, 0, *half));
  TRY_ASSIGN(auto right, Part(c, x, last, *half, *half));
  TRY_ASSIGN(auto gate, Gelu(c, right));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, left, gate));
  return Values{result};
}

static Result<Values> ImportBiasAdd(NodeContext& c) {
  TRY_ASSIGN(auto x, WithBias(c, 1));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kAdd, x, c[2]));
  return Values{result};
}

Result<ValueId> Activated(NodeContext& c, const std::string& name,
                          const std::vector<double>& parameters, ValueId x) {
  auto parameter = [&](size_t i, double otherwise) {
    return i < parameters.size() ? parameters[i] : otherwise;
  };
  if (name == "Relu") return c.Unary(Function::kRelu, x);
  if (name == "Tanh") return c.Unary(Function::kTanh, x);
  if (name == "Sigmoid") return c.Unary(Function::kSigmoid, x);
  if (name == "Softplus") return c.Unary(Function::kSoftplus, x);
  if (name == "HardSigmoid") return HardSigmoid(c, x, parameter(0, 0.2), parameter(1, 0.5));
  if (name == "LeakyRelu") {
    TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, x, parameter(0, 0.01)));
    return Choose(c, x, 0, scaled, x);
  }
  if (name == "Elu") {
    TRY_ASSIGN(auto negative, ScaledExpM1(c, x, parameter(0, 1)));
    return Choose(c, x, 0, negative, x);
  }
  if (name == "Clip") {
    double most = Highest(c.TypeOf(x).dtype).real;
    TRY_ASSIGN(auto low, c.Binary(BinaryOp::kMax, x, parameter(0, -most)));
    return c.Binary(BinaryOp::kMin, low, parameter(1, most));
  }
  return Error{"the activation " + Quote(name) + " is not supported"};
}

namespace {

// Up to opset 12 softmax takes everything from the axis on together; since 13 the axis alone.
Result<std::vector<int64_t>> SoftmaxAxes(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  bool together = c.opset() < 13;
  int64_t given = c.Int("axis", together ? 1 : -1);
  if (rank == 0) return std::vector<int64_t>();
  // A default axis of 1 behind a vector takes nothing: each element is a row.
  if (together && given == rank) return std::vector<int64_t>();
  TRY_ASSIGN(auto axis, c.Axis(given, rank));
  std::vector<int64_t> axes{axis};
  for (int64_t d = axis + 1; together && d < rank; ++d) axes.push_back(d);
  return axes;
}

}  // namespace

static Result<Values> ImportSoftmax(NodeContext& c) {
  TRY_ASSIGN(auto axes, SoftmaxAxes(c));
  TRY_ASSIGN(auto result, c.Add(graph::Softmax{axes, false}, {c[0]}));
  return Values{result};
}

static Result<Values> ImportLogSoftmax(NodeContext& c) {
  TRY_ASSIGN(auto axes, SoftmaxAxes(c));
  TRY_ASSIGN(auto result, c.Add(graph::Softmax{axes, true}, {c[0]}));
  return Values{result};
}

// softmax(x + bias): everything from the axis on together, as it was up to opset 12.
// is_inner_broadcast says how the bias broadcasts, which its sizes say as well.
static Result<Values> ImportBiasSoftmax(NodeContext& c) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 1), c.Type(0).rank()));
  std::vector<int64_t> axes;
  for (; axis < c.Type(0).rank(); ++axis) axes.push_back(axis);
  TRY_ASSIGN(auto sum, c.Binary(BinaryOp::kAdd, c[0], c[1]));
  if (c.TypeOf(sum).rank() != c.Type(0).rank())
    return Error{"the bias is " + Print(c.Type(1)) + " for " + Print(c.Type(0))};
  TRY_ASSIGN(auto result, c.Add(graph::Softmax{axes, false}, {sum}));
  return Values{result};
}

// 1 where the first largest element of the row is, 0 elsewhere.
static Result<Values> ImportHardmax(NodeContext& c) {
  TRY_ASSIGN(auto axes, SoftmaxAxes(c));
  const TensorType type = c.Type(0);
  if (axes.empty()) {
    TRY_ASSIGN(auto one, c.Scalar(type.dtype, 1));
    TRY_ASSIGN(auto ones, c.Add(graph::Expand{type.shape}, {one}));
    return Values{ones};
  }
  // The row as one dimension.
  Shape rows(type.shape.begin(), type.shape.begin() + axes[0]);
  Shape row(type.shape.begin() + axes[0], type.shape.begin() + axes.back() + 1);
  Shape rest(type.shape.begin() + axes.back() + 1, type.shape.end());
  Shape flat = rows;
  flat.push_back(ElementCount(row));
  flat.insert(flat.end(), rest.begin(), rest.end());
  TRY_ASSIGN(auto x, c.Reshape(c[0], flat));
  TRY_ASSIGN(auto where, c.Add(graph::ArgReduce{false, axes[0], true, false}, {x}));
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{flat[static_cast<size_t>(axes[0])]}, {}));
  Shape column(rest.size() + 1, 1);
  column[0] = flat[static_cast<size_t>(axes[0])];
  TRY_ASSIGN(auto upright, c.Reshape(positions, column));
  TRY_ASSIGN(auto hit, c.Binary(BinaryOp::kEqual, where, upright));
  TRY_ASSIGN(auto cast, c.Cast(hit, type.dtype));
  TRY_ASSIGN(auto result, c.Reshape(cast, type.shape));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Celu", 1, ImportCelu},
    {"", "Elu", 1, ImportElu},
    {"", "Gelu", 1, ImportGelu},
    {"", "HardSigmoid", 1, ImportHardSigmoid},
    {"", "HardSwish", 1, ImportHardSwish},
    {"", "Hardmax", 1, ImportHardmax, kAnyOpset},
    {"", "LeakyRelu", 1, ImportLeakyRelu},
    {"", "LogSoftmax", 1, ImportLogSoftmax, kAnyOpset},
    {"", "Mish", 1, ImportMish},
    {"", "PRelu", 2, ImportPRelu},
    {"", "Selu", 1, ImportSelu},
    {"", "Shrink", 1, ImportShrink},
    {"", "Softmax", 1, ImportSoftmax, kAnyOpset},
    {"", "Softsign", 1, ImportSoftsign, kAnyOpset},
    {"", "SwiGLU", 2, ImportSwiGLU},
    {"", "Swish", 1, ImportSwish},
    {"", "ThresholdedRelu", 1, ImportThresholdedRelu},
    {"com.microsoft", "BiasAdd", 3, ImportBiasAdd},
    {"com.microsoft", "BiasGelu", 2, ImportBiasGelu},
    {"com.microsoft", "BiasSoftmax", 2, ImportBiasSoftmax},
    {"com.microsoft", "BiasSplitGelu", 2, ImportBiasSplitGelu},
    {"com.microsoft", "FastGelu", 1, ImportFastGelu},
    {"com.microsoft", "Gelu", 1, ImportGelu},
    {"com.microsoft", "QuickGelu", 1, ImportQuickGelu},
};

std::span<const Operator> ActivationOperators() { return kOperators; }

}  // namespace webnnc::onnx
