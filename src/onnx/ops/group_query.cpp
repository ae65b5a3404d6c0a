// GroupQueryAttention of ONNX Runtime.
#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using loop::BinaryOp;

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
    TRY_ASSIGN(results[1], Present(kPastKey, 1, heads_.k));
    TRY_ASSIGN(results[2], Present(kPastValue, 2, heads_.v));
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
  Result<ValueId> Present(size_t past, size_t result, ValueId now) {
    Shape shape = ShapeOf(now);
    const Dim count = shape[2];
    if (!c_.Has(past) && length_ == count) return now;
    if (c_.IsState(past, result) && c_.Type(past).shape[2] == length_) return Updated(past, now);
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

  // A cache with room for all that is kept from run to run, where ONNX Runtime has the past and the
  // present in one buffer: what is new is put where it belongs, and what is behind it stays as it
  // was, which no query sees.
  Result<ValueId> Updated(size_t past, ValueId now) {
    TRY_ASSIGN(auto places, Places());
    return onnx::Updated(c_, c_[past], now, places);
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

static constexpr Operator kOperators[] = {
    {"com.microsoft", "GroupQueryAttention", 1, ImportGroupQueryAttention},
};

std::span<const Operator> GroupQueryOperators() { return kOperators; }

}  // namespace webnnc::onnx
