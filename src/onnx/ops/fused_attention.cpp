// The attentions of ONNX Runtime: Attention, MultiHeadAttention, and its form for one token.
// GroupQueryAttention is in group_query.cpp.
#include <cmath>

#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

// x plus the part of a bias that is for it, both with an element a column.
Result<ValueId> WithPartOf(NodeContext& c, ValueId x, ValueId bias, const Dim& start) {
  const Dim size = c.TypeOf(x).shape.back();
  TRY_ASSIGN(auto part, Part(c, bias, 0, start, size));
  return c.Binary(BinaryOp::kAdd, x, part);
}

// A mask of integers, made bools that broadcast to [batch, heads, queries, keys].
class PaddingMask {
 public:
  PaddingMask(NodeContext& c, ValueId mask, const Dim& batch, const Dim& queries, const Dim& keys,
              const Dim& past)
      : c_(c), mask_(mask), batch_(batch), queries_(queries), keys_(keys), past_(past) {}

  Result<ValueId> Run() {
    const Shape shape = c_.TypeOf(mask_).shape;
    switch (shape.size()) {
      case 1: return FromEnds(shape[0]);
      case 2: return NotZero({shape[0], 1, 1, shape[1]});
      case 3: return NotZero({shape[0], 1, shape[1], shape[2]});
      case 4: return FromWhole(shape);
      default: return Error{"the mask is " + Print(c_.TypeOf(mask_))};
    }
  }

 private:
  Result<ValueId> NotZero(const Shape& shape) {
    TRY_ASSIGN(auto upright, c_.Reshape(mask_, shape));
    return c_.Cast(upright, DType::kBool);
  }

  // Keys end where it says for each batch; begin where it says behind that, if it does.
  Result<ValueId> FromEnds(const Dim& count) {
    bool has_starts = count == batch_ * 2;
    if (!has_starts && count != batch_)
      return Error{"the mask is " + Print(c_.TypeOf(mask_)) +
                   ", with other than one or two elements for each of " + Print(batch_) +
                   " sequences"};
    TRY_ASSIGN(auto key, Positions(c_, keys_, 3, 4));
    TRY_ASSIGN(auto ends, Bounds(0));
    TRY_ASSIGN(auto is_there, c_.Binary(BinaryOp::kLess, key, ends));
    if (!has_starts) return is_there;
    TRY_ASSIGN(auto starts, Bounds(batch_));
    TRY_ASSIGN(auto has_begun, c_.Binary(BinaryOp::kLessEqual, starts, key));
    return c_.Binary(BinaryOp::kAnd, is_there, has_begun);
  }
  Result<ValueId> Bounds(const Dim& start) {
    TRY_ASSIGN(auto part, Part(c_, mask_, 0, start, batch_));
    TRY_ASSIGN(auto integers, c_.Cast(part, DType::kI64));
    return c_.Reshape(integers, {batch_, 1, 1, 1});
  }

  // The rows and columns that there are, of a mask for as many as there may be.
  Result<ValueId> FromWhole(const Shape& shape) {
    for (size_t d : {size_t{2}, size_t{3}}) {
      const Dim wanted = d == 2 ? past_ + queries_ : keys_;
      if (!ProvablyLessEqual(wanted, shape[d])) c_.AssumeLessEqual(wanted, shape[d]);
    }
    TRY_ASSIGN(auto rows, Part(c_, mask_, 2, past_, queries_));
    TRY_ASSIGN(auto part, Part(c_, rows, 3, 0, keys_));
    return c_.Cast(part, DType::kBool);
  }

  NodeContext& c_;
  ValueId mask_;
  const Dim batch_, queries_, keys_, past_;
};

// What ONNX Runtime adds to scores: a number where the mask says so, and a bias.
Result<std::optional<ValueId>> AddedToScores(NodeContext& c, std::optional<ValueId> mask,
                                             size_t bias, DType dtype) {
  std::optional<ValueId> added;
  if (c.Has(bias)) added = c[bias];
  if (!mask) return added;
  TRY_ASSIGN(auto zero, c.Scalar(dtype, 0));
  TRY_ASSIGN(auto filter, c.Scalar(dtype, c.Float("mask_filter_value", -10000)));
  TRY_ASSIGN(auto number, c.Add(graph::Where{}, {*mask, zero, filter}));
  if (added) {
    TRY_ASSIGN(number, c.Binary(BinaryOp::kAdd, number, *added));
  }
  return std::optional(number);
}

// The output of an attention with one head of keys for each of the queries'. `counts`: which keys
// count, where it is not those of all positions, or up to each query's.
Result<ValueId> Attended(NodeContext& c, const Heads& heads, const Dim& past,
                         std::optional<ValueId> mask, size_t bias,
                         std::optional<ValueId> counts = {}) {
  graph::Attention op;
  TRY_ASSIGN(op.scale, ScaleOf(c, heads.q));
  Masks masks;
  TRY_ASSIGN(masks.bias, AddedToScores(c, mask, bias, c.TypeOf(heads.q).dtype));
  masks.mask = counts;
  if (!counts && c.Int("unidirectional", 0) != 0) {
    op.causal = true;
    op.offset = past;
  }
  TRY_ASSIGN(auto result, AddAttention(c, op, heads.q, heads.k, heads.v, masks));
  return JoinHeads(c, result);
}

}  // namespace

namespace {

// Operands of Attention.
enum : size_t { kX, kWeights, kBias, kMask, kPast, kScoreBias, kPastLength };

// What Attention takes of its node, whose operands may be those of another operator.
Status CheckFusedAttention(NodeContext& c) {
  TRY(Refuse(c, {{kPastLength, "past_sequence_length"}}));
  if (c.Int("past_present_share_buffer", 0) != 0)
    return Error{"past_present_share_buffer is not supported",
                 {},
                 {"export the model with a past that grows"}};
  if (c.Int("do_rotary", 0) != 0) return Error{"do_rotary is not supported"};
  if (c.Type(kX).rank() != 3 || c.Type(kWeights).rank() != 2 || c.Int("num_heads", 0) < 1)
    return Error{"x is " + Print(c.Type(kX)) + ", the weights are " + Print(c.Type(kWeights)) +
                 ", and num_heads is " + std::to_string(c.Int("num_heads", 0))};
  return kSuccess;
}

// The rest of an Attention: `all` is queries, keys and values, side by side.
Result<Values> AttentionOf(NodeContext& c, ValueId all) {
  const Shape shape = c.Type(kX).shape;
  const int64_t count = c.Int("num_heads", 0);
  graph::Sizes1D sizes;
  for (int64_t size : c.Ints("qkv_hidden_sizes")) sizes.push_back(size);
  if (sizes.empty()) {
    auto third = ExactDiv(c.Type(kWeights).shape[1], 3);
    if (!third) return Error{"the weights are " + Print(c.Type(kWeights))};
    sizes = {*third, *third, *third};
  }
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != c.Type(kWeights).shape[1])
    return Error{"qkv_hidden_sizes do not fit the weights, " + Print(c.Type(kWeights))};
  ValueId parts[3];
  Dim start = 0;
  for (size_t i = 0; i < 3; ++i) {
    TRY_ASSIGN(auto part, Part(c, all, 2, start, sizes[i]));
    TRY_ASSIGN(parts[i], SplitHeads(c, part, count));
    start = start + sizes[i];
  }
  Heads heads{parts[0], parts[1], parts[2]};
  Dim past = 0;
  if (c.Has(kPast)) {
    const Shape of_past = c.Type(kPast).shape;
    if (of_past.size() != 5) return Error{"the past is " + Print(c.Type(kPast))};
    past = of_past[3];
    Shape each(of_past.begin() + 1, of_past.end());
    for (auto [heads_of, index] : {std::pair{&heads.k, 0}, {&heads.v, 1}}) {
      TRY_ASSIGN(auto one, Part(c, c[kPast], 0, index, 1));
      TRY_ASSIGN(auto before, c.Reshape(one, each));
      TRY_ASSIGN(*heads_of, Appended(c, before, *heads_of));
    }
  }
  Values results(2);
  if (c.Wants(1)) {
    ValueId both[2];
    for (size_t i = 0; i < 2; ++i) {
      ValueId one = i == 0 ? heads.k : heads.v;
      Shape raised = c.TypeOf(one).shape;
      raised.insert(raised.begin(), 1);
      TRY_ASSIGN(both[i], c.Reshape(one, raised));
    }
    TRY_ASSIGN(results[1], c.Add(graph::Concat{0}, {both[0], both[1]}));
  }
  std::optional<ValueId> mask;
  if (c.Has(kMask)) {
    const Dim keys = c.TypeOf(heads.k).shape[2];
    TRY_ASSIGN(mask, PaddingMask(c, c[kMask], shape[0], shape[1], keys, past).Run());
  }
  TRY_ASSIGN(results[0], Attended(c, heads, past, mask, kScoreBias));
  return results;
}

}  // namespace

// x times one matrix is queries, keys and values.
static Result<Values> ImportFusedAttention(NodeContext& c) {
  TRY(CheckFusedAttention(c));
  TRY_ASSIGN(auto all, c.Add(graph::MatMul{}, {c[kX], c[kWeights]}));
  if (c.Has(kBias)) {
    TRY_ASSIGN(all, c.Binary(BinaryOp::kAdd, all, c[kBias]));
  }
  return AttentionOf(c, all);
}

// The same of x and a matrix that are quantised: a product of integers made floats.
static Result<Values> ImportQuantizedAttention(NodeContext& c) {
  enum : size_t { kScale = 3, kScaleOfWeights, kIndices, kZero, kZeroOfWeights, kBefore };
  auto at = [&](size_t i) { return c.Has(i) ? c[i] : ValueId(); };
  NodeContext attention =
      c.WithOperands({c[kX], c[kWeights], at(kBias), at(kIndices), at(kBefore)});
  TRY(CheckFusedAttention(attention));
  NodeContext product = c.WithOperands({c[kX], c[kWeights], c[kScale], c[kScaleOfWeights],
                                        at(kZero), at(kZeroOfWeights), at(kBias)});
  TRY_ASSIGN(auto all, FindOperator("com.microsoft", "MatMulIntegerToFloat")->import(product));
  return AttentionOf(attention, all[0]);
}

namespace {

// Imports one MultiHeadAttention.
class MultiHeadImporter {
 public:
  explicit MultiHeadImporter(NodeContext& c) : c_(c), count_(c.Int("num_heads", 0)) {}

  Result<Values> Run() {
    TRY(Refuse(c_, {{kIndirection, "cache_indirection"}}));
    if (count_ < 1) return Error{"num_heads is " + std::to_string(count_)};
    TRY(ReadHeads());
    Dim past = 0;
    if (c_.Has(kPastKey) != c_.Has(kPastValue))
      return Error{"past_key and past_value are there together or not at all"};
    std::optional<ValueId> counts;
    if (c_.Has(kPastLength)) {
      TRY_ASSIGN(counts, PutIntoPast());
    } else if (c_.Has(kPastKey)) {
      if (c_.Type(kPastKey).rank() == 4) past = c_.Type(kPastKey).shape[2];
      TRY_ASSIGN(heads_.k, Appended(c_, c_[kPastKey], heads_.k));
      TRY_ASSIGN(heads_.v, Appended(c_, c_[kPastValue], heads_.v));
    }
    std::optional<ValueId> mask;
    if (c_.Has(kMask)) {
      const Shape q = c_.TypeOf(heads_.q).shape;
      const Dim keys = c_.TypeOf(heads_.k).shape[2];
      TRY_ASSIGN(mask, PaddingMask(c_, c_[kMask], q[0], q[2], keys, past).Run());
    }
    TRY_ASSIGN(auto result, Attended(c_, heads_, past, mask, kScoreBias, counts));
    return Values{result, heads_.k, heads_.v};
  }

 private:
  enum : size_t {
    kQuery,
    kKey,
    kValue,
    kBias,
    kMask,
    kScoreBias,
    kPastKey,
    kPastValue,
    kPastLength,
    kIndirection
  };

  Status ReadHeads() {
    int64_t rank = c_.Type(kQuery).rank();
    if (rank == 5) return ReadPacked(kQuery, {&heads_.q, &heads_.k, &heads_.v});
    if (rank != 3 || !c_.Has(kKey)) return Error{"the query is " + Print(c_.Type(kQuery))};
    TRY_ASSIGN(heads_.q, Flat(kQuery, 0));
    const Dim hidden = c_.Type(kQuery).shape[2];
    int64_t of_keys = c_.Type(kKey).rank();
    if (of_keys == 5) return ReadPacked(kKey, {&heads_.k, &heads_.v});
    if (!c_.Has(kValue)) return Error{"the key is " + Print(c_.Type(kKey)) + " without a value"};
    // Keys and values of another sequence, which have been computed before.
    if (of_keys == 4) {
      heads_.k = c_[kKey];
      heads_.v = c_[kValue];
      return kSuccess;
    }
    TRY_ASSIGN(heads_.k, Flat(kKey, hidden));
    TRY_ASSIGN(heads_.v, Flat(kValue, hidden * 2));
    return kSuccess;
  }

  // [batch, sequence, hidden] with its part of the bias.
  Result<ValueId> Flat(size_t operand, const Dim& start) {
    if (c_.Type(operand).rank() != 3)
      return Error{"operand " + std::to_string(operand) + " is " + Print(c_.Type(operand))};
    ValueId x = c_[operand];
    if (c_.Has(kBias)) {
      TRY_ASSIGN(x, WithPartOf(c_, x, c_[kBias], start));
    }
    return SplitHeads(c_, x, count_);
  }

  // Keys and values become those of a past with room for more, of which the first `past_length` are
  // there; gives which of them count. What is said of keys is said up to the last that is there.
  Result<ValueId> PutIntoPast() {
    if (!c_.Has(kPastKey) || c_.Type(kPastKey).rank() != 4 || c_.Type(kPastValue).rank() != 4)
      return Error{"past_sequence_length needs a past of four dimensions"};
    const Dim length = c_.Type(kPastKey).shape[2], now = c_.TypeOf(heads_.k).shape[2];
    TRY_ASSIGN(auto integer, c_.Cast(c_[kPastLength], DType::kI64));
    TRY_ASSIGN(auto before, c_.Reshape(integer, {1, 1, 1, 1}));
    TRY_ASSIGN(auto places, Positions(c_, now, 2, 4));
    TRY_ASSIGN(places, c_.Binary(BinaryOp::kAdd, places, before));
    TRY_ASSIGN(heads_.k, Updated(c_, c_[kPastKey], heads_.k, places));
    TRY_ASSIGN(heads_.v, Updated(c_, c_[kPastValue], heads_.v, places));
    if (c_.Has(kMask) && c_.Type(kMask).rank() > 2)
      return Error{"the mask is " + Print(c_.Type(kMask)) + " for a past with room for more"};
    for (size_t i : {size_t{kMask}, size_t{kScoreBias}}) {
      if (c_.Has(i) && c_.Type(i).rank() > 1) TRY(FillUp(i, length));
    }
    TRY_ASSIGN(auto key, Positions(c_, length, 3, 4));
    if (c_.Int("unidirectional", 0) != 0) return c_.Binary(BinaryOp::kLessEqual, key, places);
    TRY_ASSIGN(auto count, c_.Add(graph::Sizes{{now}, true}, {}));
    TRY_ASSIGN(auto end, c_.Binary(BinaryOp::kAdd, before, count));
    return c_.Binary(BinaryOp::kLess, key, end);
  }

  // An operand with zeros behind its last dimension, which is at most `length`.
  Status FillUp(size_t operand, const Dim& length) {
    const Shape shape = c_.Type(operand).shape;
    if (!ProvablyLessEqual(shape.back(), length)) c_.AssumeLessEqual(shape.back(), length);
    graph::Pad pad{graph::Sizes1D(shape.size(), 0), graph::Sizes1D(shape.size(), 0)};
    pad.end.back() = length - shape.back();
    TRY_ASSIGN(auto zero, c_.Scalar(c_.Type(operand).dtype, 0));
    TRY_ASSIGN(auto whole, c_.Add(pad, {c_[operand], zero}));
    c_.SetOperand(operand, whole);
    return kSuccess;
  }

  // [batch, sequence, heads, parts, size]
  Status ReadPacked(size_t operand, std::initializer_list<ValueId*> parts) {
    if (c_.Has(kBias)) return Error{"a bias of packed operands is not supported"};
    const Shape shape = c_.Type(operand).shape;
    if (!shape[3].Is(static_cast<int64_t>(parts.size())))
      return Error{"operand " + std::to_string(operand) + " is " + Print(c_.Type(operand))};
    int64_t index = 0;
    for (ValueId* part : parts) {
      TRY_ASSIGN(auto one, Part(c_, c_[operand], 3, index++, 1));
      TRY_ASSIGN(auto flat, c_.Reshape(one, {shape[0], shape[1], shape[2], shape[4]}));
      TRY_ASSIGN(*part, c_.Transpose(flat, {0, 2, 1, 3}));
    }
    return kSuccess;
  }

  NodeContext& c_;
  int64_t count_;
  Heads heads_;
};

}  // namespace

static Result<Values> ImportMultiHeadAttention(NodeContext& c) {
  return MultiHeadImporter(c).Run();
}

// The same for one token, with the operands in another order. Beams are those of a loop around it.
static Result<Values> ImportDecoderAttention(NodeContext& c) {
  enum : size_t {
    kMask = 3,
    kScoreBias,
    kPastKey,
    kPastValue,
    kPastLength,
    kBeams,
    kChosen,
    kBias
  };
  auto at = [&](size_t i) { return c.Has(i) ? c[i] : ValueId(); };
  if (c.Wants(3)) return Error{"the scores as a result (output_qk) are not supported"};
  if (c.Int("past_present_share_buffer", 0) != 0 && c.Has(kPastKey) && !c.Has(kPastLength))
    return Error{"past_present_share_buffer needs past_sequence_length"};
  NodeContext attention =
      c.WithOperands({c[0], at(1), at(2), at(kBias), at(kMask), at(kScoreBias), at(kPastKey),
                      at(kPastValue), at(kPastLength), at(kChosen)});
  return MultiHeadImporter(attention).Run();
}

static constexpr Operator kOperators[] = {
    {"com.microsoft", "Attention", 2, ImportFusedAttention},
    {"com.microsoft", "DecoderMaskedMultiHeadAttention", 1, ImportDecoderAttention},
    {"com.microsoft", "MultiHeadAttention", 1, ImportMultiHeadAttention},
    {"com.microsoft", "QAttention", 5, ImportQuantizedAttention},
};

std::span<const Operator> FusedAttentionOperators() { return kOperators; }

}  // namespace webnnc::onnx
