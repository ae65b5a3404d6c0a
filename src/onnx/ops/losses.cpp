#include "onnx/operators.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

// The sum of all elements, as a scalar.
Result<ValueId> Total(NodeContext& c, ValueId x) {
  graph::Reduce reduce{graph::ReduceKind::kSum, {}, false};
  for (int64_t d = 0; d < c.TypeOf(x).rank(); ++d) reduce.axes.push_back(d);
  return c.Add(reduce, {x});
}

// What each target's element weighs: its class's weight, 1 without weights, 0 where it is ignored.
// Nothing if all weigh 1.
Result<ValueId> Weights(NodeContext& c, ValueId classes, ValueId ignored, DType dtype) {
  ValueId weights;
  if (c.Has(2)) {
    TRY(c.CheckVector("weight", c[2], c.Type(0).shape[1], "class"));
    TRY_ASSIGN(auto gathered, c.Add(graph::Gather{0}, {c[2], classes}));
    TRY_ASSIGN(weights, c.Cast(gathered, dtype));
  }
  if (!ignored.valid()) return weights;
  TRY_ASSIGN(auto zero, c.Scalar(dtype, 0));
  if (!weights.valid()) {
    TRY_ASSIGN(weights, c.Scalar(dtype, 1));
  }
  return c.Add(graph::Where{}, {ignored, zero, weights});
}

// -weight[target] * scores[n, target[n, d...], d...], reduced as the node says. Scores are
// x[n, classes, d...] or made of it; the target is operand 1, the weights are operand 2.
Result<ValueId> LikelihoodLoss(NodeContext& c, ValueId scores) {
  const TensorType type = c.TypeOf(scores), target_type = c.Type(1);
  if (type.rank() < 2 || target_type.rank() + 1 != type.rank())
    return Error{"targets " + Print(target_type) + " do not fit scores " + Print(type)};
  for (size_t d = 0; d < target_type.shape.size(); ++d) {
    const Dim &size = type.shape[d == 0 ? 0 : d + 1], &own = target_type.shape[d];
    if (size == own) continue;
    if (size.IsConstant() && own.IsConstant())
      return Error{"targets " + Print(target_type) + " do not fit scores " + Print(type)};
    c.AssumeEqual(size, own);
  }
  std::string reduction = c.String("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    return Error{"the reduction is " + reduction};
  DType precise = type.dtype == DType::kF16 ? DType::kF32 : type.dtype;
  ValueId classes = c[1], ignored;
  if (c.HasAttribute("ignore_index")) {
    TRY_ASSIGN(ignored,
               c.Binary(BinaryOp::kEqual, c[1], static_cast<double>(c.Int("ignore_index", 0))));
    TRY_ASSIGN(auto first, c.Scalar(target_type.dtype, 0));
    TRY_ASSIGN(classes, c.Add(graph::Where{}, {ignored, first, c[1]}));
  }
  Shape upright = target_type.shape;
  upright.insert(upright.begin() + 1, 1);
  TRY_ASSIGN(auto places, c.Reshape(classes, upright));
  TRY_ASSIGN(auto chosen, c.Add(graph::GatherElements{1}, {scores, places}));
  TRY_ASSIGN(auto flat, c.Reshape(chosen, target_type.shape));
  TRY_ASSIGN(auto wide, c.Cast(flat, precise));
  TRY_ASSIGN(auto loss, c.Unary(Function::kNegate, wide));
  TRY_ASSIGN(auto weights, Weights(c, classes, ignored, precise));
  if (weights.valid()) {
    TRY_ASSIGN(loss, c.Binary(BinaryOp::kMul, loss, weights));
  }
  if (ignored.valid()) {
    // The score of what is ignored may be infinite.
    TRY_ASSIGN(auto zero, c.Scalar(precise, 0));
    TRY_ASSIGN(loss, c.Add(graph::Where{}, {ignored, zero, loss}));
  }
  if (reduction == "none") return c.Cast(loss, type.dtype);
  TRY_ASSIGN(auto sum, Total(c, loss));
  if (reduction == "sum") return c.Cast(sum, type.dtype);
  ValueId weight;
  if (weights.valid()) {
    TRY_ASSIGN(weight, Total(c, weights));
  } else {
    TRY_ASSIGN(auto size, c.Add(graph::Sizes{{ElementCount(target_type.shape)}, true}, {}));
    TRY_ASSIGN(weight, c.Cast(size, precise));
  }
  TRY_ASSIGN(auto mean, c.Binary(BinaryOp::kDiv, sum, weight));
  return c.Cast(mean, type.dtype);
}

}  // namespace

static Result<Values> ImportNegativeLogLikelihoodLoss(NodeContext& c) {
  TRY_ASSIGN(auto loss, LikelihoodLoss(c, c[0]));
  return Values{loss};
}

static Result<Values> ImportSoftmaxCrossEntropyLoss(NodeContext& c) {
  if (c.Type(0).rank() < 2) return Error{"scores are " + Print(c.Type(0))};
  TRY_ASSIGN(auto scores, c.Add(graph::Softmax{{1}, true}, {c[0]}));
  TRY_ASSIGN(auto loss, LikelihoodLoss(c, scores));
  return Values{loss, scores};
}

static constexpr Operator kOperators[] = {
    {"", "NegativeLogLikelihoodLoss", 2, ImportNegativeLogLikelihoodLoss},
    {"", "SoftmaxCrossEntropyLoss", 2, ImportSoftmaxCrossEntropyLoss},
};

std::span<const Operator> LossOperators() { return kOperators; }

}  // namespace webnnc::onnx
