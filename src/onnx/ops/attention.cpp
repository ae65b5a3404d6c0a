#include <cmath>

#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

namespace {

// Imports one Attention of opset 23 or later.
class AttentionImporter {
 public:
  explicit AttentionImporter(NodeContext& c) : c_(c) {}

  Result<Values> Run() {
    TRY(ReadOperands());
    TRY(ReadAttributes());
    TRY(ReadMask());
    Values results(4);
    if (c_.Wants(1)) results[1] = k_;
    if (c_.Wants(2)) results[2] = v_;
    DType dtype = c_.TypeOf(q_).dtype;
    TRY_ASSIGN(auto v, c_.Cast(v_, dtype));
    TRY_ASSIGN(results[0], AddAttention(c_, op_, q_, k_, v, masks_));
    TRY_ASSIGN(results[0], c_.Cast(results[0], c_.Type(0).dtype));
    if (flat_) {
      TRY_ASSIGN(results[0], JoinHeads(c_, results[0]));
    }
    if (c_.Wants(3)) {
      TRY_ASSIGN(auto scores, Scores(c_.Int("qk_matmul_output_mode", 0)));
      TRY_ASSIGN(results[3], c_.Cast(scores, c_.Type(0).dtype));
    }
    return results;
  }

 private:
  enum Operand : size_t { kMask = 3, kPastKey = 4, kPastValue = 5, kCounts = 6 };

  const Shape& ShapeOf(ValueId id) const { return c_.TypeOf(id).shape; }
  const Dim& Queries() const { return ShapeOf(q_)[2]; }
  const Dim& Keys() const { return ShapeOf(k_)[2]; }

  Result<ValueId> Heads(size_t operand, const std::string& attribute) {
    if (!flat_) return c_[operand];
    if (!c_.HasAttribute(attribute))
      return Error{"operands of three dimensions need the attribute " + attribute};
    return SplitHeads(c_, c_[operand], c_.Int(attribute, 0));
  }

  Status ReadOperands() {
    int64_t rank = c_.Type(0).rank();
    for (size_t i = 0; i < 3; ++i) {
      if (c_.Type(i).rank() != rank || (rank != 3 && rank != 4))
        return Error{"Q, K and V are " + Print(c_.Type(0)) + ", " + Print(c_.Type(1)) + " and " +
                     Print(c_.Type(2)) + "; all have three dimensions or all have four"};
    }
    flat_ = rank == 3;
    TRY_ASSIGN(q_, Heads(0, "q_num_heads"));
    TRY_ASSIGN(k_, Heads(1, "kv_num_heads"));
    TRY_ASSIGN(v_, Heads(2, "kv_num_heads"));
    if (c_.Has(kPastKey) != c_.Has(kPastValue))
      return Error{"past_key and past_value are there together or not at all"};
    if (c_.Has(kPastKey)) {
      op_.offset = c_.Type(kPastKey).rank() == 4 ? c_.Type(kPastKey).shape[2] : Dim(0);
      TRY_ASSIGN(k_, Appended(c_, c_[kPastKey], k_));
      TRY_ASSIGN(v_, Appended(c_, c_[kPastValue], v_));
    }
    return kSuccess;
  }

  Status ReadAttributes() {
    op_.softcap = c_.Float("softcap", 0);
    if (op_.softcap < 0) op_.softcap = 0;
    op_.causal = c_.Int("is_causal", 0) != 0;
    op_.no_keys = graph::NoKeys::kZero;
    if (c_.HasAttribute("scale")) {
      op_.scale = c_.Float("scale", 1);
    } else {
      TRY_ASSIGN(op_.scale, ScaleFor(ShapeOf(q_)[3]));
    }
    // Softmax is computed in f32 or wider anyway.
    constexpr int64_t kDouble = 11;
    if (c_.Int("softmax_precision", 0) == kDouble) {
      TRY_ASSIGN(q_, c_.Cast(q_, DType::kF64));
      TRY_ASSIGN(k_, c_.Cast(k_, DType::kF64));
    }
    return kSuccess;
  }

  // The mask with what it leaves out, and where keys end.
  Status ReadMask() {
    if (c_.Has(kMask)) {
      TRY_ASSIGN(auto mask, GivenMask());
      (c_.TypeOf(mask).dtype == DType::kBool ? masks_.mask : masks_.bias) = mask;
    }
    if (!c_.Has(kCounts)) return kSuccess;
    TRY(c_.CheckVector("nonpad_kv_seqlen", c_[kCounts], ShapeOf(q_)[0], "batch"));
    TRY_ASSIGN(auto counts, c_.Reshape(c_[kCounts], {ShapeOf(q_)[0], 1, 1, 1}));
    TRY_ASSIGN(auto key, Positions(c_, Keys(), 3, 4));
    TRY_ASSIGN(auto is_there, c_.Binary(BinaryOp::kLess, key, counts));
    TRY(masks_.Restrict(c_, is_there));
    if (!op_.causal || c_.Has(kPastKey)) return kSuccess;
    // The last query is at the last key that is there.
    op_.causal = false;
    TRY_ASSIGN(auto queries, c_.Add(graph::Sizes{{Queries()}, true}, {}));
    TRY_ASSIGN(auto before, c_.Binary(BinaryOp::kSub, counts, queries));
    TRY_ASSIGN(auto query, Positions(c_, Queries(), 2, 4));
    TRY_ASSIGN(auto last, c_.Binary(BinaryOp::kAdd, query, before));
    TRY_ASSIGN(auto is_before, c_.Binary(BinaryOp::kLessEqual, key, last));
    return masks_.Restrict(c_, is_before);
  }

  // What a mask that is too short leaves out does not count.
  Result<ValueId> GivenMask() {
    ValueId mask = c_[kMask];
    const TensorType type = c_.TypeOf(mask);
    if (type.rank() < 1 || type.rank() > 4) return Error{"the mask is " + Print(type)};
    bool is_bool = type.dtype == DType::kBool;
    if (!is_bool) {
      TRY_ASSIGN(mask, c_.Cast(mask, c_.TypeOf(q_).dtype));
    }
    const Dim& length = type.shape.back();
    if (!length.IsConstant() || length == Keys()) return mask;
    if (Keys().IsConstant() && Keys().value() < length.value())
      return Error{"the mask is " + Print(type) + ", for " + Print(Keys()) + " keys"};
    if (!Keys().IsConstant()) c_.AssumeLessEqual(length, Keys());
    graph::Pad pad{graph::Sizes1D(type.shape.size(), 0), graph::Sizes1D(type.shape.size(), 0),
                   graph::PadMode::kConstant};
    pad.end.back() = Keys() - length;
    double nothing = is_bool ? 0 : -std::numeric_limits<double>::infinity();
    TRY_ASSIGN(auto filling, c_.Scalar(c_.TypeOf(mask).dtype, nothing));
    return c_.Add(pad, {mask, filling});
  }

  // ---- The scores, for whoever wants to see them: a product of its own.

  Result<ValueId> Scores(int64_t mode) {
    if (mode < 0 || mode > 3)
      return Error{"qk_matmul_output_mode is " + std::to_string(mode) + ", not 0 to 3"};
    TRY_ASSIGN(auto keys, RepeatedHeads(c_, k_, ShapeOf(q_)[1]));
    TRY_ASSIGN(auto score, c_.Add(graph::MatMul{false, true}, {q_, keys}));
    TRY_ASSIGN(score, c_.Binary(BinaryOp::kMul, score, op_.scale));
    if (mode == 0) return score;
    if (op_.softcap != 0) {
      TRY_ASSIGN(auto part, c_.Binary(BinaryOp::kDiv, score, op_.softcap));
      TRY_ASSIGN(auto tanh, c_.Unary(Function::kTanh, part));
      TRY_ASSIGN(score, c_.Binary(BinaryOp::kMul, tanh, op_.softcap));
    }
    if (mode == 1) return score;
    if (op_.causal) TRY(RestrictToEarlier());
    if (masks_.bias) {
      TRY_ASSIGN(score, c_.Binary(BinaryOp::kAdd, score, *masks_.bias));
    }
    if (masks_.mask) {
      TRY_ASSIGN(auto nothing, Nothing(score));
      TRY_ASSIGN(score, c_.Add(graph::Where{}, {*masks_.mask, score, nothing}));
    }
    if (mode == 2) return score;
    TRY_ASSIGN(auto weight, c_.Add(graph::Softmax{{3}, false}, {score}));
    return ZeroWhereNothing(weight);
  }

  Result<ValueId> Nothing(ValueId like) {
    return c_.Scalar(c_.TypeOf(like).dtype, -std::numeric_limits<double>::infinity());
  }

  // What is causal as a part of the mask.
  Status RestrictToEarlier() {
    TRY_ASSIGN(auto key, Positions(c_, Keys(), 1, 2));
    TRY_ASSIGN(auto query, Positions(c_, Queries(), 0, 2));
    TRY_ASSIGN(auto offset, c_.Add(graph::Sizes{{op_.offset}, true}, {}));
    TRY_ASSIGN(auto last, c_.Binary(BinaryOp::kAdd, query, offset));
    TRY_ASSIGN(auto is_before, c_.Binary(BinaryOp::kLessEqual, key, last));
    op_.causal = false;
    return masks_.Restrict(c_, is_before);
  }

  Result<ValueId> ZeroWhereNothing(ValueId weight) {
    Masks counts{{}, masks_.mask};
    if (masks_.bias) {
      TRY_ASSIGN(auto nothing, Nothing(*masks_.bias));
      TRY_ASSIGN(auto something, c_.Binary(BinaryOp::kNotEqual, *masks_.bias, nothing));
      TRY(counts.Restrict(c_, something));
    }
    if (!counts.mask) return weight;
    TRY_ASSIGN(auto number, c_.Cast(*counts.mask, DType::kI32));
    graph::Reduce any{graph::ReduceKind::kMax, {c_.TypeOf(number).rank() - 1}, true};
    TRY_ASSIGN(auto most, c_.Add(any, {number}));
    TRY_ASSIGN(auto has_keys, c_.Cast(most, DType::kBool));
    TRY_ASSIGN(auto zero, c_.Scalar(c_.TypeOf(weight).dtype, 0));
    return c_.Add(graph::Where{}, {has_keys, weight, zero});
  }

  NodeContext& c_;
  graph::Attention op_;
  bool flat_ = false;
  ValueId q_, k_, v_;
  Masks masks_;
};

}  // namespace

static Result<Values> ImportAttention(NodeContext& c) { return AttentionImporter(c).Run(); }

// x is [batch, heads, sequence, size] or, with num_heads, [batch, sequence, heads*size]. The angles
// are [positions, size/2], looked up by position_ids, or [batch, sequence, size/2].
static Result<Values> ImportRotaryEmbedding(NodeContext& c) {
  const TensorType type = c.Type(0);
  bool flat = type.rank() == 3;
  if (!flat && type.rank() != 4) return Error{"x is " + Print(type)};
  Rotary rotary{c.Int("rotary_embedding_dim", 0), c.Int("interleaved", 0) != 0};
  ValueId x = c[0];
  if (flat) {
    int64_t heads = c.Int("num_heads", 0);
    auto size = heads < 1 ? std::nullopt : ExactDiv(type.shape[2], heads);
    if (!size) return Error{"x is " + Print(type) + ", and num_heads is " + std::to_string(heads)};
    TRY_ASSIGN(x, c.Reshape(x, {type.shape[0], type.shape[1], heads, *size}));
  }
  ValueId angles[2];
  for (size_t i = 0; i < 2; ++i) {
    angles[i] = c[i + 1];
    if (c.Has(3)) {
      TRY_ASSIGN(angles[i], c.Add(graph::Gather{0}, {angles[i], c[3]}));
    }
    Shape shape = c.TypeOf(angles[i]).shape;
    if (shape.size() != 3)
      return Error{"the angles are " + Print(c.TypeOf(angles[i])) +
                   ", not [batch, sequence, size/2]"};
    shape.insert(shape.begin() + (flat ? 2 : 1), 1);
    TRY_ASSIGN(angles[i], c.Reshape(angles[i], shape));
  }
  TRY_ASSIGN(auto rotated, Rotated(c, rotary, x, angles[0], angles[1]));
  TRY_ASSIGN(auto result, c.Reshape(rotated, type.shape));
  return Values{result};
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
    {"", "Attention", 3, ImportAttention},
    {"", "RotaryEmbedding", 3, ImportRotaryEmbedding},
    {"com.microsoft", "RotaryEmbedding", 4, ImportFusedRotaryEmbedding},
};

std::span<const Operator> AttentionOperators() { return kOperators; }

}  // namespace webnnc::onnx
