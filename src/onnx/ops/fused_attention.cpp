// The attentions of ONNX Runtime: Attention, MultiHeadAttention, GroupQueryAttention.
#include <cmath>

#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

struct Heads {
  ValueId q, k, v;
};

// That operands are not there, or attributes have their defaults, which would mean something else.
Status Refuse(NodeContext& c, std::initializer_list<std::pair<size_t, const char*>> operands) {
  for (auto [operand, name] : operands) {
    if (c.Has(operand)) return Error{std::string(name) + " is not supported"};
  }
  return kSuccess;
}

Result<double> ScaleOf(NodeContext& c, ValueId q) {
  double scale = c.Float("scale", 0);
  if (scale != 0) return scale;
  return ScaleFor(c.TypeOf(q).shape[3]);
}

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

// The output of an attention with one head of keys for each of the queries'.
Result<ValueId> Attended(NodeContext& c, const Heads& heads, const Dim& past,
                         std::optional<ValueId> mask, size_t bias) {
  graph::Attention op;
  TRY_ASSIGN(op.scale, ScaleOf(c, heads.q));
  Masks masks;
  TRY_ASSIGN(masks.bias, AddedToScores(c, mask, bias, c.TypeOf(heads.q).dtype));
  if (c.Int("unidirectional", 0) != 0) {
    op.causal = true;
    op.offset = past;
  }
  TRY_ASSIGN(auto result, AddAttention(c, op, heads.q, heads.k, heads.v, masks));
  return JoinHeads(c, result);
}

}  // namespace

// x times one matrix is queries, keys and values, side by side.
static Result<Values> ImportFusedAttention(NodeContext& c) {
  enum : size_t { kX, kWeights, kBias, kMask, kPast, kScoreBias, kPastLength };
  TRY(Refuse(c, {{kPastLength, "past_sequence_length"}}));
  if (c.Int("past_present_share_buffer", 0) != 0)
    return Error{"past_present_share_buffer is not supported",
                 {},
                 {"export the model with a past that grows"}};
  if (c.Int("do_rotary", 0) != 0) return Error{"do_rotary is not supported"};
  const Shape shape = c.Type(kX).shape;
  int64_t count = c.Int("num_heads", 0);
  if (shape.size() != 3 || c.Type(kWeights).rank() != 2 || count < 1)
    return Error{"x is " + Print(c.Type(kX)) + ", the weights are " + Print(c.Type(kWeights)) +
                 ", and num_heads is " + std::to_string(count)};
  TRY_ASSIGN(auto all, c.Add(graph::MatMul{}, {c[kX], c[kWeights]}));
  if (c.Has(kBias)) {
    TRY_ASSIGN(all, c.Binary(BinaryOp::kAdd, all, c[kBias]));
  }
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

namespace {

// Imports one MultiHeadAttention.
class MultiHeadImporter {
 public:
  explicit MultiHeadImporter(NodeContext& c) : c_(c), count_(c.Int("num_heads", 0)) {}

  Result<Values> Run() {
    TRY(Refuse(c_, {{kPastLength, "past_sequence_length"}, {kIndirection, "cache_indirection"}}));
    if (count_ < 1) return Error{"num_heads is " + std::to_string(count_)};
    TRY(ReadHeads());
    Dim past = 0;
    if (c_.Has(kPastKey) != c_.Has(kPastValue))
      return Error{"past_key and past_value are there together or not at all"};
    if (c_.Has(kPastKey)) {
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
    TRY_ASSIGN(auto result, Attended(c_, heads_, past, mask, kScoreBias));
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

namespace {

// Imports one GroupQueryAttention. A batch's sequence ends at seqlens_k: its queries are the last
// there, their keys and values go into the cache behind those of before.
class GroupQueryImporter {
 public:
  explicit GroupQueryImporter(NodeContext& c) : c_(c) {}

  Result<Values> Run() {
    TRY(Refuse(c_, {{kKeyScale, "k_scale"}, {kValueScale, "v_scale"}}));
    if (c_.Int("qk_output", 0) != 0) return Error{"qk_output is not supported"};
    if (c_.Int("kv_cache_bit_width", 0) != 0) return Error{"a quantised cache is not supported"};
    TRY(ReadHeads());
    TRY(ReadPast());
    if (c_.Int("do_rotary", 0) != 0) TRY(Rotate());
    Values results(3);
    TRY_ASSIGN(results[1], Present(kPastKey, heads_.k));
    TRY_ASSIGN(results[2], Present(kPastValue, heads_.v));
    heads_.k = results[1];
    heads_.v = results[2];
    TRY_ASSIGN(results[0], Attend());
    return results;
  }

 private:
  enum : size_t {
    kQuery,
    kKey,
    kValue,
    kPastKey,
    kPastValue,
    kLengths,
    kTotal,
    kCos,
    kSin,
    kPositions,
    kScoreBias,
    kSink,
    kKeyScale,
    kValueScale
  };

  const Shape& ShapeOf(ValueId id) const { return c_.TypeOf(id).shape; }
  const Dim& Batch() const { return ShapeOf(heads_.q)[0]; }
  const Dim& Queries() const { return ShapeOf(heads_.q)[2]; }

  Status ReadHeads() {
    int64_t queries = c_.Int("num_heads", 0), keys = c_.Int("kv_num_heads", 0);
    if (queries < 1 || keys < 1 || queries % keys != 0)
      return Error{"num_heads is " + std::to_string(queries) + " and kv_num_heads " +
                   std::to_string(keys)};
    if (c_.Has(kKey) != c_.Has(kValue))
      return Error{"key and value are there together or not at all"};
    ValueId q = c_[kQuery], k = c_.Has(kKey) ? c_[kKey] : ValueId(),
            v = c_.Has(kValue) ? c_[kValue] : ValueId();
    if (!c_.Has(kKey)) {
      // All in one: queries, keys and values side by side.
      const TensorType type = c_.Type(kQuery);
      auto size = type.rank() == 3 ? ExactDiv(type.shape[2], queries + 2 * keys) : std::nullopt;
      if (!size) return Error{"the query is " + Print(type) + ", without a key"};
      TRY_ASSIGN(q, Part(c_, c_[kQuery], 2, 0, *size * queries));
      TRY_ASSIGN(k, Part(c_, c_[kQuery], 2, *size * queries, *size * keys));
      TRY_ASSIGN(v, Part(c_, c_[kQuery], 2, *size * (queries + keys), *size * keys));
    }
    TRY_ASSIGN(heads_.q, SplitHeads(c_, q, queries));
    TRY_ASSIGN(heads_.k, SplitHeads(c_, k, keys));
    TRY_ASSIGN(heads_.v, SplitHeads(c_, v, keys));
    return kSuccess;
  }

  // How many keys there were before for each batch, and how long the cache will be.
  Status ReadPast() {
    if (c_.Has(kPastKey) != c_.Has(kPastValue))
      return Error{"past_key and past_value are there together or not at all"};
    if (!c_.Has(kLengths) || !c_.Has(kTotal))
      return Error{"seqlens_k or total_sequence_length is missing"};
    const Dim lengths_given = ElementCount(c_.Type(kLengths).shape);
    bool differ = lengths_given.IsConstant() && Batch().IsConstant() && lengths_given != Batch();
    if (differ)
      return Error{"seqlens_k is " + Print(c_.Type(kLengths)) + ", for " + Print(Batch()) +
                   " sequences"};
    // Of a first run the queries are all there is; padded ones may be fewer than they.
    TRY_ASSIGN(auto lengths, c_.Cast(c_[kLengths], DType::kI64));
    TRY_ASSIGN(auto upright, c_.Reshape(lengths, {Batch(), 1, 1, 1}));
    TRY_ASSIGN(auto less, c_.Add(graph::Sizes{{Queries() - 1}, true}, {}));
    TRY_ASSIGN(auto before, c_.Binary(BinaryOp::kSub, upright, less));
    TRY_ASSIGN(before_, c_.Binary(BinaryOp::kMax, before, 0));
    Dim past = 0;
    if (c_.Has(kPastKey)) {
      if (c_.Type(kPastKey).rank() != 4 || c_.Type(kPastValue).rank() != 4)
        return Error{"the past is " + Print(c_.Type(kPastKey)) + " and " +
                     Print(c_.Type(kPastValue))};
      past = c_.Type(kPastKey).shape[2];
    } else {
      TRY_ASSIGN(before_, c_.Binary(BinaryOp::kMul, before_, 0));
    }
    // What a model computes of its inputs' sizes is known. Where it is data, a past whose size is
    // fixed is a cache with room for all, and any other grows.
    auto total = c_.KnownSizes(c_[kTotal]);
    if (total && total->size() == 1) {
      length_ = Max(past, total->front());
    } else {
      length_ = past.IsConstant() && !past.Is(0) ? past : past + Queries();
    }
    return kSuccess;
  }

  // Where queries and keys of this run are in their sequences: i64[batch, 1, sequence, 1].
  Result<ValueId> Places() {
    TRY_ASSIGN(auto place, Positions(c_, Queries(), 2, 4));
    return c_.Binary(BinaryOp::kAdd, place, before_);
  }

  Status Rotate() {
    if (!c_.Has(kCos) || !c_.Has(kSin)) return Error{"do_rotary needs cos_cache and sin_cache"};
    const Shape shape = c_.Type(kCos).shape;
    if (shape.size() != 2 || !shape[1].IsConstant())
      return Error{"cos_cache is " + Print(c_.Type(kCos))};
    ValueId places;
    if (c_.Has(kPositions)) {
      TRY_ASSIGN(places, c_.Reshape(c_[kPositions], {Batch(), Queries()}));
    } else {
      TRY_ASSIGN(auto upright, Places());
      TRY_ASSIGN(places, c_.Reshape(upright, {Batch(), Queries()}));
    }
    ValueId angles[2];
    for (size_t i = 0; i < 2; ++i) {
      TRY_ASSIGN(auto rows, c_.Add(graph::Gather{0}, {c_[kCos + i], places}));
      TRY_ASSIGN(angles[i], c_.Reshape(rows, {Batch(), 1, Queries(), shape[1]}));
    }
    Rotary rotary{2 * shape[1].value(), c_.Int("rotary_interleaved", 0) != 0};
    TRY_ASSIGN(heads_.q, Rotated(c_, rotary, heads_.q, angles[0], angles[1]));
    TRY_ASSIGN(heads_.k, Rotated(c_, rotary, heads_.k, angles[0], angles[1]));
    return kSuccess;
  }

  // The cache after this run: of each sequence what was there before, then what is new, then zeros.
  Result<ValueId> Present(size_t past, ValueId now) {
    Shape shape = ShapeOf(now);
    const Dim count = shape[2];
    if (!c_.Has(past) && length_ == count) return now;
    shape[2] = length_;
    TRY_ASSIGN(auto place, Positions(c_, length_, 2, 4));
    TRY_ASSIGN(auto source, c_.Binary(BinaryOp::kSub, place, before_));
    TRY_ASSIGN(auto zero, c_.Scalar(DType::kI64, 0));
    TRY_ASSIGN(auto is_old, c_.Binary(BinaryOp::kLess, source, zero));
    TRY_ASSIGN(auto last, c_.Add(graph::Sizes{{count - 1}, true}, {}));
    TRY_ASSIGN(auto low, c_.Binary(BinaryOp::kMin, source, last));
    TRY_ASSIGN(auto inside, c_.Binary(BinaryOp::kMax, low, 0));
    TRY_ASSIGN(auto everywhere, c_.Add(graph::Expand{shape}, {inside}));
    TRY_ASSIGN(auto added, c_.Add(graph::GatherElements{2}, {now, everywhere}));
    TRY_ASSIGN(auto zeros, c_.Scalar(c_.TypeOf(now).dtype, 0));
    ValueId old = zeros;
    if (c_.Has(past)) {
      graph::Pad pad{graph::Sizes1D(4, 0), graph::Sizes1D(4, 0), graph::PadMode::kConstant};
      pad.end[2] = length_ - c_.Type(past).shape[2];
      TRY_ASSIGN(old, c_.Add(pad, {c_[past], zeros}));
    }
    TRY_ASSIGN(auto size, c_.Add(graph::Sizes{{count}, true}, {}));
    TRY_ASSIGN(auto is_new, c_.Binary(BinaryOp::kLess, source, size));
    TRY_ASSIGN(auto behind, c_.Add(graph::Where{}, {is_new, added, zeros}));
    return c_.Add(graph::Where{}, {is_old, old, behind});
  }

  Result<ValueId> Attend() {
    graph::Attention op;
    TRY_ASSIGN(op.scale, ScaleOf(c_, heads_.q));
    op.softcap = c_.Float("softcap", 0);
    TRY_ASSIGN(auto query, Places());
    TRY_ASSIGN(auto key, Positions(c_, length_, 3, 4));
    TRY_ASSIGN(auto counts, c_.Binary(BinaryOp::kLessEqual, key, query));
    int64_t window = c_.Int("local_window_size", -1);
    if (window > 0) {
      TRY_ASSIGN(auto first, c_.Binary(BinaryOp::kSub, query, static_cast<double>(window)));
      TRY_ASSIGN(auto near, c_.Binary(BinaryOp::kLess, first, key));
      TRY_ASSIGN(counts, c_.Binary(BinaryOp::kAnd, counts, near));
    }
    Masks masks{{}, counts};
    if (c_.Has(kScoreBias)) masks.bias = c_[kScoreBias];
    if (c_.Int("smooth_softmax", 0) == 1 || c_.Has(kSink)) TRY(AddSink(masks));
    TRY_ASSIGN(auto result, AddAttention(c_, op, heads_.q, heads_.k, heads_.v, masks));
    return JoinHeads(c_, result);
  }

  // One more key, whose score is given for each head or 0, and which has nothing to say.
  Status AddSink(Masks& masks) {
    DType dtype = c_.TypeOf(heads_.q).dtype;
    const Dim heads = ShapeOf(heads_.q)[1];
    for (ValueId* x : {&heads_.k, &heads_.v}) {
      Shape one = ShapeOf(*x);
      one[2] = 1;
      TRY_ASSIGN(auto zero, c_.Scalar(dtype, 0));
      TRY_ASSIGN(auto row, c_.Add(graph::Expand{one}, {zero}));
      TRY_ASSIGN(*x, c_.Add(graph::Concat{2}, {*x, row}));
    }
    // The other keys have the bias that was given, or none.
    ValueId bias;
    if (masks.bias) {
      bias = *masks.bias;
    } else {
      TRY_ASSIGN(auto zero, c_.Scalar(dtype, 0));
      TRY_ASSIGN(bias, c_.Add(graph::Expand{{1, heads, 1, length_}}, {zero}));
    }
    Shape of_bias = ShapeOf(bias);
    ValueId sink;
    if (c_.Has(kSink)) {
      TRY(c_.CheckVector("head_sink", c_[kSink], heads, "head"));
      TRY_ASSIGN(sink, c_.Reshape(c_[kSink], {1, heads, 1, 1}));
      of_bias[1] = heads;
    } else {
      TRY_ASSIGN(sink, c_.Scalar(dtype, 0));
    }
    TRY_ASSIGN(auto whole, c_.Add(graph::Expand{of_bias}, {bias}));
    Shape column = of_bias;
    column[3] = 1;
    TRY_ASSIGN(auto of_sink, c_.Add(graph::Expand{column}, {sink}));
    TRY_ASSIGN(masks.bias, c_.Add(graph::Concat{3}, {whole, of_sink}));
    TRY_ASSIGN(auto yes, c_.Scalar(DType::kBool, 1));
    Shape always = ShapeOf(*masks.mask);
    always[3] = 1;
    TRY_ASSIGN(auto counts, c_.Add(graph::Expand{always}, {yes}));
    TRY_ASSIGN(masks.mask, c_.Add(graph::Concat{3}, {*masks.mask, counts}));
    return kSuccess;
  }

  NodeContext& c_;
  Heads heads_;
  ValueId before_;  // i64[batch, 1, 1, 1]: how many keys there were
  Dim length_;      // of the cache behind this run
};

}  // namespace

static Result<Values> ImportGroupQueryAttention(NodeContext& c) {
  return GroupQueryImporter(c).Run();
}

// As ONNX's, with the operands in another order: x, position_ids, cos_cache, sin_cache. One
// position is that of the first element of each sequence.
static Result<Values> ImportFusedRotaryEmbedding(NodeContext& c) {
  const TensorType type = c.Type(0);
  if (c.Int("is_packed_batching", 0) != 0) return Error{"is_packed_batching is not supported"};
  bool flat = type.rank() == 3;
  const TensorType table = c.Type(2);
  if ((!flat && type.rank() != 4) || table.rank() != 2 || !table.shape[1].IsConstant())
    return Error{"x is " + Print(type) + ", and cos_cache " + Print(table)};
  Rotary rotary{c.Int("rotary_embedding_dim", 0), c.Int("interleaved", 0) != 0};
  ValueId x = c[0];
  if (flat) {
    int64_t heads = c.Int("num_heads", 0);
    // Without a number of heads, rows are as long as the table says.
    Dim size = table.shape[1] * 2;
    auto count = heads > 0 ? std::optional(Dim(heads)) : ExactDiv(type.shape[2], size);
    auto each = count ? ExactDiv(type.shape[2], *count) : std::nullopt;
    if (!each) return Error{"x is " + Print(type) + ", and num_heads is " + std::to_string(heads)};
    TRY_ASSIGN(x, c.Reshape(x, {type.shape[0], type.shape[1], *count, *each}));
  }
  const Dim &batch = type.shape[0], &sequence = type.shape[flat ? 1 : 2];
  ValueId places = c[1];
  if (c.Type(1).rank() < 2) {
    TRY_ASSIGN(auto first, c.Reshape(places, {1, 1}));
    TRY_ASSIGN(auto each, Positions(c, sequence, 1, 2));
    TRY_ASSIGN(places, c.Binary(BinaryOp::kAdd, each, first));
  }
  ValueId angles[2];
  for (size_t i = 0; i < 2; ++i) {
    TRY_ASSIGN(auto rows, c.Add(graph::Gather{0}, {c[i + 2], places}));
    Dim batches = c.TypeOf(rows).shape[0].Is(1) ? Dim(1) : batch;
    const Dim& half = table.shape[1];
    TRY_ASSIGN(angles[i], flat ? c.Reshape(rows, {batches, sequence, 1, half})
                               : c.Reshape(rows, {batches, 1, sequence, half}));
  }
  TRY_ASSIGN(auto rotated, Rotated(c, rotary, x, angles[0], angles[1]));
  TRY_ASSIGN(auto result, c.Reshape(rotated, type.shape));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"com.microsoft", "Attention", 2, ImportFusedAttention},
    {"com.microsoft", "GroupQueryAttention", 1, ImportGroupQueryAttention},
    {"com.microsoft", "MultiHeadAttention", 1, ImportMultiHeadAttention},
    {"com.microsoft", "RotaryEmbedding", 4, ImportFusedRotaryEmbedding},
};

std::span<const Operator> FusedAttentionOperators() { return kOperators; }

}  // namespace webnnc::onnx
