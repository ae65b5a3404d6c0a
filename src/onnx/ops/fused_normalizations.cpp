// Normalisations that ONNX Runtime has made of several operators.
#include <tuple>

#include "onnx/operators.h"
#include "onnx/ops/activations.h"
#include "onnx/ops/normalizations.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

// What is normalised along the last axis, and what results tell of it besides.
struct Normalized {
  ValueId result, mean, inverse_deviation;
};

// x normalised, times gamma, plus beta if there is one. Not centred, the mean square takes the
// variance's place.
Result<Normalized> NormalizeRows(NodeContext& c, ValueId x, ValueId gamma, ValueId beta,
                                 double epsilon, bool center, bool wants_statistics) {
  const TensorType type = c.TypeOf(x);
  if (type.rank() < 1) return Error{"x is " + Print(type)};
  int64_t last = type.rank() - 1;
  TRY(c.CheckVector("gamma", gamma, type.shape.back(), "column"));
  Normalized normalized;
  TRY_ASSIGN(auto rows, c.Add(graph::Normalize{{last}, epsilon, center}, {x}));
  TRY_ASSIGN(normalized.result, c.Binary(BinaryOp::kMul, rows, gamma));
  if (beta.valid()) {
    TRY(c.CheckVector("beta", beta, type.shape.back(), "column"));
    TRY_ASSIGN(normalized.result, c.Binary(BinaryOp::kAdd, normalized.result, beta));
  }
  if (!wants_statistics) return normalized;
  TRY_ASSIGN(auto wide, c.Cast(x, DType::kF32));
  TRY_ASSIGN(normalized.mean, Mean(c, wide, {last}));
  ValueId rest = wide;
  if (center) {
    TRY_ASSIGN(rest, c.Binary(BinaryOp::kSub, wide, normalized.mean));
  }
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, rest, rest));
  TRY_ASSIGN(auto variance, Mean(c, square, {last}));
  TRY_ASSIGN(auto raised, c.Binary(BinaryOp::kAdd, variance, epsilon));
  TRY_ASSIGN(auto deviation, c.Unary(Function::kSqrt, raised));
  TRY_ASSIGN(normalized.inverse_deviation, c.Unary(Function::kReciprocal, deviation));
  return normalized;
}

// input + skip + bias, normalised: operands 0, 1, gamma, and `beta` and `bias` where these are.
Result<Values> SkipNormalization(NodeContext& c, size_t beta, size_t bias, double epsilon,
                                 bool center) {
  TRY_ASSIGN(auto sum, c.Binary(BinaryOp::kAdd, c[0], c[1]));
  if (c.Has(bias)) {
    TRY(c.CheckVector("bias", c[bias], c.Type(0).shape.back(), "column"));
    TRY_ASSIGN(sum, c.Binary(BinaryOp::kAdd, sum, c[bias]));
  }
  bool wants_statistics = c.Wants(1) || c.Wants(2);
  TRY_ASSIGN(auto normalized,
             NormalizeRows(c, sum, c[2], center && c.Has(beta) ? c[beta] : ValueId(), epsilon,
                           center, wants_statistics));
  return Values{normalized.result, normalized.mean, normalized.inverse_deviation, sum};
}

}  // namespace

static Result<Values> ImportSkipLayerNormalization(NodeContext& c) {
  return SkipNormalization(c, 3, 4, c.Float("epsilon", 1e-12), true);
}

static Result<Values> ImportSkipSimplifiedLayerNormalization(NodeContext& c) {
  return SkipNormalization(c, 3, 3, c.Float("epsilon", 1e-12), false);
}

static Result<Values> ImportSimplifiedLayerNormalization(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), type.rank()));
  TRY(CheckFits(c, "scale", 1));
  Integers axes = Following(axis, type.rank());
  double epsilon = c.Float("epsilon", 1e-5);
  TRY_ASSIGN(auto normal, c.Add(graph::Normalize{axes, epsilon, false}, {c[0]}));
  TRY_ASSIGN(auto cast, c.Cast(normal, c.Type(1).dtype));
  Values results(2);
  TRY_ASSIGN(results[0], c.Binary(BinaryOp::kMul, cast, c[1]));
  if (!c.Wants(1)) return results;
  TRY_ASSIGN(auto x, c.Cast(c[0], DType::kF32));
  TRY_ASSIGN(auto square, c.Binary(BinaryOp::kMul, x, x));
  TRY_ASSIGN(auto mean, Mean(c, square, axes));
  TRY_ASSIGN(auto raised, c.Binary(BinaryOp::kAdd, mean, epsilon));
  TRY_ASSIGN(auto deviation, c.Unary(Function::kSqrt, raised));
  TRY_ASSIGN(results[1], c.Unary(Function::kReciprocal, deviation));
  return results;
}

namespace {

// Rows of a table, looked up. Indices that are i32 or i64.
Result<ValueId> Embedded(NodeContext& c, ValueId table, ValueId indices) {
  if (c.TypeOf(table).rank() != 2) return Error{"an embedding is " + Print(c.TypeOf(table))};
  return c.Add(graph::Gather{0}, {table, indices});
}

// How many elements of each row of the mask are 1, or 0 without a mask.
Result<ValueId> CountedMask(NodeContext& c, size_t mask, const Dim& batch) {
  if (!c.Has(mask)) {
    TRY_ASSIGN(auto zero, c.Scalar(DType::kI32, 0));
    return c.Add(graph::Expand{{batch}}, {zero});
  }
  TRY_ASSIGN(auto one, c.Scalar(c.Type(mask).dtype, 1));
  TRY_ASSIGN(auto is_one, c.Binary(BinaryOp::kEqual, c[mask], one));
  TRY_ASSIGN(auto number, c.Cast(is_one, DType::kI32));
  return c.Add(graph::Reduce{graph::ReduceKind::kSum, {1}, false}, {number});
}

}  // namespace

// The sum of a word's, its position's and its segment's row, normalised.
static Result<Values> ImportEmbedLayerNormalization(NodeContext& c) {
  enum : size_t {
    kIds,
    kSegments,
    kWords,
    kPlaces,
    kSegmentRows,
    kGamma,
    kBeta,
    kMask,
    kPositions
  };
  const Shape shape = c.Type(kIds).shape;
  if (shape.size() != 2) return Error{"input_ids are " + Print(c.Type(kIds))};
  for (size_t needed : {kWords, kPlaces, kGamma, kBeta}) {
    if (!c.Has(needed)) return Error{"operand " + std::to_string(needed) + " is missing"};
  }
  TRY_ASSIGN(auto sum, Embedded(c, c[kWords], c[kIds]));
  ValueId positions;
  if (c.Has(kPositions)) {
    positions = c[kPositions];
  } else {
    TRY_ASSIGN(auto each, c.Add(graph::Iota{shape[1]}, {}));
    TRY_ASSIGN(positions, c.Reshape(each, {1, shape[1]}));
  }
  TRY_ASSIGN(auto places, Embedded(c, c[kPlaces], positions));
  TRY_ASSIGN(sum, c.Binary(BinaryOp::kAdd, sum, places));
  if (c.Has(kSegments) && c.Has(kSegmentRows)) {
    TRY_ASSIGN(auto segments, Embedded(c, c[kSegmentRows], c[kSegments]));
    TRY_ASSIGN(sum, c.Binary(BinaryOp::kAdd, sum, segments));
  }
  TRY_ASSIGN(auto normalized,
             NormalizeRows(c, sum, c[kGamma], c[kBeta], c.Float("epsilon", 1e-12), true, false));
  Values results{normalized.result, ValueId(), sum};
  if (c.Wants(1)) {
    TRY_ASSIGN(results[1], CountedMask(c, kMask, shape[0]));
  }
  return results;
}

namespace {

// x in groups of channels, which are its last dimension or its second; gamma and beta have an
// element a channel. The activation is 1 for x * sigmoid(x).
Result<ValueId> GroupNorm(NodeContext& c, ValueId x) {
  const TensorType type = c.TypeOf(x);
  int64_t rank = type.rank(), groups = c.Int("groups", 0), activation = c.Int("activation", 0);
  if (rank < 3 || groups < 1)
    return Error{"x is " + Print(type) + " in " + std::to_string(groups) + " groups"};
  if (activation != 0 && activation != 1)
    return Error{"the activation is " + std::to_string(activation) + ", not 0 or 1"};
  bool last = c.Int("channels_last", 1) != 0;
  auto channels = static_cast<size_t>(last ? rank - 1 : 1);
  auto each = ExactDiv(type.shape[channels], groups);
  if (!each)
    return Error{std::to_string(groups) + " groups do not divide " + Print(type.shape[channels]) +
                 " channels"};
  Shape grouped = type.shape;
  grouped[channels] = groups;
  grouped.insert(grouped.begin() + static_cast<int64_t>(channels) + 1, *each);
  Integers axes;
  for (int64_t d = 1; d <= rank; ++d) {
    if (d != static_cast<int64_t>(channels)) axes.push_back(d);
  }
  TRY_ASSIGN(auto parts, c.Reshape(x, grouped));
  TRY_ASSIGN(auto normal, c.Add(graph::Normalize{axes, c.Float("epsilon", 1e-5), true}, {parts}));
  TRY_ASSIGN(auto whole, c.Reshape(normal, type.shape));
  ValueId factors[2];
  for (size_t i = 0; i < 2; ++i) {
    int64_t upright = last ? 2 : rank;
    TRY_ASSIGN(factors[i],
               Upright(c, i == 0 ? "gamma" : "beta", c[i + 1], upright, type.shape[channels]));
    if (last) {
      TRY_ASSIGN(factors[i], c.Reshape(factors[i], {type.shape[channels]}));
    }
    TRY_ASSIGN(factors[i], c.Cast(factors[i], type.dtype));
  }
  TRY_ASSIGN(auto result, ScaleAndShift(c, whole, factors[0], factors[1]));
  return activation == 1 ? Swish(c, result, 1) : result;
}

}  // namespace

static Result<Values> ImportGroupNorm(NodeContext& c) {
  TRY_ASSIGN(auto result, GroupNorm(c, c[0]));
  return Values{result};
}

// The same of x + skip + bias. The skip may be one for all places of an image.
static Result<Values> ImportSkipGroupNorm(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  if (c.Int("channels_last", 1) == 0) return Error{"channels_last is 0"};
  ValueId skip = c[3];
  if (c.TypeOf(skip).rank() == 2 && shape.size() > 2) {
    Shape spread(shape.size(), 1);
    spread.front() = c.TypeOf(skip).shape[0];
    spread.back() = c.TypeOf(skip).shape[1];
    TRY_ASSIGN(skip, c.Reshape(skip, spread));
  }
  TRY_ASSIGN(auto sum, c.Binary(BinaryOp::kAdd, c[0], skip));
  if (c.Has(4)) {
    TRY(c.CheckVector("bias", c[4], shape.back()));
    TRY_ASSIGN(sum, c.Binary(BinaryOp::kAdd, sum, c[4]));
  }
  TRY_ASSIGN(auto result, GroupNorm(c, sum));
  return Values{result, sum};
}

static constexpr Operator kOperators[] = {
    {"", "SimplifiedLayerNormalization", 2, ImportSimplifiedLayerNormalization},
    {"com.microsoft", "EmbedLayerNormalization", 1, ImportEmbedLayerNormalization},
    {"com.microsoft", "GroupNorm", 3, ImportGroupNorm},
    {"com.microsoft", "SimplifiedLayerNormalization", 2, ImportSimplifiedLayerNormalization},
    {"com.microsoft", "SkipGroupNorm", 4, ImportSkipGroupNorm},
    {"com.microsoft", "SkipLayerNormalization", 3, ImportSkipLayerNormalization},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 3,
     ImportSkipSimplifiedLayerNormalization},
};

std::span<const Operator> FusedNormalizationOperators() { return kOperators; }

}  // namespace webnnc::onnx
