#include "onnx/ops/normalizations.h"

#include <algorithm>
#include <tuple>

#include "onnx/operators.h"
#include "onnx/ops/activations.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

// A vector with one element a channel, made to broadcast over an image of `rank` dimensions with
// channels second.
Result<ValueId> Upright(NodeContext& c, const std::string& what, ValueId vector, int64_t rank,
                        const Dim& channels, const std::string& each) {
  TRY(c.CheckVector(what, vector, channels, each));
  Shape shape(static_cast<size_t>(rank) - 1, 1);
  shape[0] = c.TypeOf(vector).shape[0];
  return c.Reshape(vector, shape);
}

Result<ValueId> ScaleAndShift(NodeContext& c, ValueId x, ValueId scale, ValueId shift) {
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, x, scale));
  return c.Binary(BinaryOp::kAdd, scaled, shift);
}

Integers Following(int64_t first, int64_t rank) {
  Integers axes;
  for (int64_t d = first; d < rank; ++d) axes.push_back(d);
  return axes;
}

// The mean over axes, kept, in f32 or wider.
Result<ValueId> Mean(NodeContext& c, ValueId x, const Integers& axes) {
  TRY_ASSIGN(auto sum, c.Add(graph::Reduce{graph::ReduceKind::kSum, axes, true}, {x}));
  Dim count = 1;
  for (int64_t axis : axes) count = count * c.TypeOf(x).shape[static_cast<size_t>(axis)];
  TRY_ASSIGN(auto size, c.Add(graph::Sizes{{count}, true}, {}));
  TRY_ASSIGN(auto divisor, c.Cast(size, c.TypeOf(x).dtype));
  return c.Binary(BinaryOp::kDiv, sum, divisor);
}

namespace {

struct Statistics {
  ValueId mean, variance;
};

// Mean and variance of each channel of x, upright.
Result<Statistics> ChannelStatistics(NodeContext& c, ValueId x) {
  Integers axes = Following(1, c.TypeOf(x).rank());
  axes[0] = 0;
  Statistics statistics;
  TRY_ASSIGN(statistics.mean, Mean(c, x, axes));
  TRY_ASSIGN(auto centered, c.Binary(BinaryOp::kSub, x, statistics.mean));
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, centered, centered));
  TRY_ASSIGN(statistics.variance, Mean(c, square, axes));
  return statistics;
}

// old * momentum + now * (1 - momentum), with an element a channel.
Result<ValueId> Running(NodeContext& c, ValueId old, ValueId now, double momentum) {
  TRY_ASSIGN(auto flat, c.Reshape(now, c.TypeOf(old).shape));
  TRY_ASSIGN(auto kept, c.Binary(BinaryOp::kMul, old, momentum));
  TRY_ASSIGN(auto added, c.Binary(BinaryOp::kMul, flat, 1 - momentum));
  return c.Binary(BinaryOp::kAdd, kept, added);
}

}  // namespace

// Whether mean and variance are those of x: since opset 14 an attribute says so, before that those
// results do that there are in training alone.
static Result<bool> Trains(NodeContext& c) {
  if (c.opset() >= 14) return c.Int("training_mode", 0) != 0;
  const bool listed = c.Wants(1) || c.Wants(2) || c.Wants(3) || c.Wants(4);
  if (listed && c.opset() < 7) {
    return Error{
        "it is in the training mode of opsets before 7", {}, {"export the model for inference"}};
  }
  return listed;
}

// Mean and variance are given or, in training, those of x. In f32 where the operands are f16.
static Result<Values> ImportBatchNormalization(NodeContext& c) {
  TRY_ASSIGN(const bool trains, Trains(c));
  int64_t rank = c.Type(0).rank();
  if (rank < 2) return Error{"x is " + Print(c.Type(0))};
  DType dtype = c.Type(0).dtype, precise = c.Type(3).dtype;
  static constexpr const char* kNames[] = {"scale", "bias", "mean", "variance"};
  ValueId parts[4];
  for (size_t i = 0; i < 4; ++i) {
    TRY_ASSIGN(auto cast, c.Cast(c[i + 1], precise));
    TRY_ASSIGN(parts[i], Upright(c, kNames[i], cast, rank, c.Type(0).shape[1]));
  }
  auto [scale, shift, mean, variance] = parts;
  TRY_ASSIGN(auto x, c.Cast(c[0], precise));
  Values results(5, ValueId());
  if (trains) {
    TRY_ASSIGN(auto current, ChannelStatistics(c, x));
    std::tie(mean, variance) = std::pair(current.mean, current.variance);
    double momentum = c.Float("momentum", 0.9);
    TRY_ASSIGN(results[1], Running(c, c[3], mean, momentum));
    TRY_ASSIGN(results[2], Running(c, c[4], variance, momentum));
    if (c.opset() < 14) {
      TRY_ASSIGN(results[3], c.Reshape(mean, c.Type(3).shape));
    }
  }
  TRY_ASSIGN(auto wide, c.Binary(BinaryOp::kAdd, variance, c.Float("epsilon", 1e-5)));
  TRY_ASSIGN(auto deviation, c.Unary(Function::kSqrt, wide));
  if (trains && c.opset() < 14) {
    // As in ONNX Runtime: what is saved of the variance is what x is multiplied by.
    TRY_ASSIGN(auto inverse, c.Unary(Function::kReciprocal, deviation));
    TRY_ASSIGN(results[4], c.Reshape(inverse, c.Type(4).shape));
  }
  TRY_ASSIGN(auto factor, c.Binary(BinaryOp::kDiv, scale, deviation));
  // x * factor + (shift - mean * factor): what is behind x is constant in inference.
  TRY_ASSIGN(auto middle, c.Binary(BinaryOp::kMul, mean, factor));
  TRY_ASSIGN(auto offset, c.Binary(BinaryOp::kSub, shift, middle));
  TRY_ASSIGN(auto scaled, ScaleAndShift(c, x, factor, offset));
  TRY_ASSIGN(results[0], c.Cast(scaled, dtype));
  return results;
}

static Result<Values> ImportInstanceNormalization(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  if (rank < 3) return Error{"x is " + Print(c.Type(0))};
  graph::Normalize op{Following(2, rank), c.Float("epsilon", 1e-5), true};
  TRY_ASSIGN(auto normal, c.Add(op, {c[0]}));
  const Dim channels = c.Type(0).shape[1];
  TRY_ASSIGN(auto scale, Upright(c, "scale", c[1], rank, channels));
  TRY_ASSIGN(auto shift, Upright(c, "bias", c[2], rank, channels));
  TRY_ASSIGN(auto result, ScaleAndShift(c, normal, scale, shift));
  return Values{result};
}

// Up to opset 20 scale and bias have an element a group, since 21 an element a channel.
static Result<Values> ImportGroupNormalization(NodeContext& c) {
  const TensorType type = c.Type(0);
  int64_t groups = c.Int("num_groups", 0), rank = type.rank();
  if (rank < 3 || groups < 1)
    return Error{"x is " + Print(type) + " in " + std::to_string(groups) + " groups"};
  auto each = ExactDiv(type.shape[1], groups);
  if (!each)
    return Error{std::to_string(groups) + " groups do not divide " + Print(type.shape[1]) +
                 " channels"};
  Shape grouped = type.shape;
  grouped[1] = groups;
  grouped.insert(grouped.begin() + 2, *each);
  TRY_ASSIGN(auto x, c.Reshape(c[0], grouped));
  graph::Normalize op{Following(2, rank + 1), c.Float("epsilon", 1e-5), true};
  TRY_ASSIGN(auto normal, c.Add(op, {x}));
  if (c.opset() < 21) {
    TRY_ASSIGN(auto scale, Upright(c, "scale", c[1], rank + 1, groups, "group"));
    TRY_ASSIGN(auto shift, Upright(c, "bias", c[2], rank + 1, groups, "group"));
    TRY_ASSIGN(auto scaled, ScaleAndShift(c, normal, scale, shift));
    TRY_ASSIGN(auto result, c.Reshape(scaled, type.shape));
    return Values{result};
  }
  TRY_ASSIGN(auto whole, c.Reshape(normal, type.shape));
  TRY_ASSIGN(auto scale, Upright(c, "scale", c[1], rank, type.shape[1]));
  TRY_ASSIGN(auto shift, Upright(c, "bias", c[2], rank, type.shape[1]));
  TRY_ASSIGN(auto result, ScaleAndShift(c, whole, scale, shift));
  return Values{result};
}

// That a scale or bias of what is normalised broadcasts to it.
Status CheckFits(NodeContext& c, const std::string& what, size_t i) {
  const Shape &shape = c.Type(0).shape, &own = c.Type(i).shape;
  bool fits = own.size() <= shape.size();
  for (size_t d = 0; fits && d < own.size(); ++d) {
    const Dim &a = own[own.size() - 1 - d], &b = shape[shape.size() - 1 - d];
    fits = a == b || a.Is(1) || !a.IsConstant() || !b.IsConstant();
  }
  if (fits) return kSuccess;
  return Error{"the " + what + " is " + Print(c.Type(i)) + ", which does not broadcast to x, " +
               Print(c.Type(0))};
}

static Result<Values> ImportLayerNormalization(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), type.rank()));
  TRY(CheckFits(c, "scale", 1));
  if (c.Has(2)) TRY(CheckFits(c, "bias", 2));
  graph::Normalize op{Following(axis, type.rank()), c.Float("epsilon", 1e-5), true};
  TRY_ASSIGN(auto result, c.Add(op, {c[0]}));
  TRY_ASSIGN(result, c.Binary(BinaryOp::kMul, result, c[1]));
  if (c.Has(2)) {
    TRY_ASSIGN(result, c.Binary(BinaryOp::kAdd, result, c[2]));
  }
  Values results{result, ValueId(), ValueId()};
  if (!c.Wants(1) && !c.Wants(2)) return results;
  TRY_ASSIGN(auto x, c.Cast(c[0], DType::kF32));
  TRY_ASSIGN(auto mean, Mean(c, x, op.axes));
  TRY_ASSIGN(auto centered, c.Binary(BinaryOp::kSub, x, mean));
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, centered, centered));
  TRY_ASSIGN(auto variance, Mean(c, square, op.axes));
  TRY_ASSIGN(auto wide, c.Binary(BinaryOp::kAdd, variance, op.epsilon));
  TRY_ASSIGN(auto deviation, c.Unary(Function::kSqrt, wide));
  results[1] = mean;
  TRY_ASSIGN(results[2], c.Unary(Function::kReciprocal, deviation));
  return results;
}

static Result<Values> ImportRMSNormalization(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY(CheckFits(c, "scale", 1));
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), type.rank()));
  graph::Normalize op{Following(axis, type.rank()), c.Float("epsilon", 1e-5), false};
  TRY_ASSIGN(auto normal, c.Add(op, {c[0]}));
  TRY_ASSIGN(auto scale, c.Cast(c[1], type.dtype));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kMul, normal, scale));
  return Values{result};
}

// (x - mean) / (deviation + 1e-9), as ONNX defines it. Squared, that is what is added to a
// variance: as little where all elements are equal, and nothing to speak of beside any other
// deviation.
static Result<Values> ImportMeanVarianceNormalization(NodeContext& c) {
  TRY_ASSIGN(auto axes, c.Axes(c.Ints("axes", {0, 2, 3}), c.Type(0).rank()));
  TRY_ASSIGN(auto result, c.Add(graph::Normalize{axes, 1e-9 * 1e-9, true}, {c[0]}));
  return Values{result};
}

static Result<Values> ImportLpNormalization(NodeContext& c) {
  int64_t p = c.Int("p", 2);
  if (p != 1 && p != 2) return Error{"p is 1 or 2"};
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), c.Type(0).rank()));
  ValueId parts;
  if (p == 1) {
    TRY_ASSIGN(parts, c.Unary(Function::kAbs, c[0]));
  } else {
    TRY_ASSIGN(parts, c.Binary(BinaryOp::kMul, c[0], c[0]));
  }
  TRY_ASSIGN(auto norm, c.Add(graph::Reduce{graph::ReduceKind::kSum, {axis}, true}, {parts}));
  if (p == 2) {
    TRY_ASSIGN(norm, c.Unary(Function::kSqrt, norm));
  }
  // A row of zeros stays one.
  TRY_ASSIGN(auto zero, c.Scalar(c.Type(0).dtype, 0));
  TRY_ASSIGN(auto one, c.Scalar(c.Type(0).dtype, 1));
  TRY_ASSIGN(auto empty, c.Binary(BinaryOp::kEqual, norm, zero));
  TRY_ASSIGN(auto divisor, c.Add(graph::Where{}, {empty, one, norm}));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, c[0], divisor));
  return Values{result};
}

// x / (bias + alpha/size * sum of squares over `size` neighbouring channels)^beta
static Result<Values> ImportLRN(NodeContext& c) {
  int64_t size = c.Int("size", 0);
  if (size < 1 || c.Type(0).rank() < 2) return Error{"size is " + std::to_string(size)};
  double alpha = c.Float("alpha", 1e-4), beta = c.Float("beta", 0.75), bias = c.Float("bias", 1);
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, c[0], c[0]));
  graph::Pool window;
  window.kind = graph::PoolKind::kSum;
  window.first = 1;
  window.kernel = {size};
  window.strides = window.dilations = {1};
  window.pads_begin = {(size - 1) / 2};
  window.pads_end = {size - 1 - (size - 1) / 2};
  TRY_ASSIGN(auto sum, c.Add(window, {square}));
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, sum, alpha / static_cast<double>(size)));
  TRY_ASSIGN(auto base, c.Binary(BinaryOp::kAdd, scaled, bias));
  TRY_ASSIGN(auto power, c.Binary(BinaryOp::kPow, base, beta));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, c[0], power));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "BatchNormalization", 5, ImportBatchNormalization},
    {"", "GroupNormalization", 3, ImportGroupNormalization},
    {"", "InstanceNormalization", 3, ImportInstanceNormalization},
    {"", "LRN", 1, ImportLRN, kAnyOpset},
    {"", "LayerNormalization", 2, ImportLayerNormalization},
    {"", "LpNormalization", 1, InWide<ImportLpNormalization>, kAnyOpset},
    {"", "MeanVarianceNormalization", 1, ImportMeanVarianceNormalization},
    {"", "RMSNormalization", 2, ImportRMSNormalization},
};

std::span<const Operator> NormalizationOperators() { return kOperators; }

}  // namespace webnnc::onnx
