// attention.
#include "graph/ops/attention.h"

#include <optional>

#include "graph/lower.h"
#include "graph/ops/shapes.h"

namespace webnnc::graph {

namespace {

bool BroadcastsToScores(const TensorType& extra, const TensorType& q, const TensorType& k) {
  Shape scores = q.shape;
  scores.back() = k.shape[k.shape.size() - 2];
  return Broadcast(extra.shape, scores) == scores;
}

}  // namespace

Attention::Extras Attention::ExtrasOf(std::span<const TensorType> operands) {
  Extras extras;
  if (operands.size() > 3) (operands[3].dtype == DType::kBool ? extras.mask : extras.bias) = 3;
  if (operands.size() > 4) extras.mask = 4;
  return extras;
}

Result<Types> Attention::Infer(std::span<const TensorType> operands) const {
  const TensorType &q = operands[0], &k = operands[1], &v = operands[2];
  std::string what = Describe(kName, operands);
  if (!IsFloat(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype)
    return Error{what + ": q, k and v are of one type, which is one of floats"};
  size_t rank = q.shape.size();
  if (rank < 3 || k.shape.size() != rank || v.shape.size() != rank)
    return Error{what + ": q, k and v have as many dimensions as each other, and at least three"};
  for (size_t d = 0; d + 3 < rank; ++d) {
    if (k.shape[d] != q.shape[d] || v.shape[d] != q.shape[d])
      return Error{what + ": the batch dimensions differ"};
  }
  const Dim &heads = q.shape[rank - 3], &shared = k.shape[rank - 3];
  if (v.shape[rank - 3] != shared || shared.Is(0) || !ExactDiv(heads, shared))
    return Error{what + ": the heads of keys and values do not divide those of queries"};
  if (q.shape[rank - 1] != k.shape[rank - 1])
    return Error{what + ": queries and keys differ in their size"};
  if (k.shape[rank - 2] != v.shape[rank - 2])
    return Error{what + ": there are not as many values as keys"};
  Extras extras = ExtrasOf(operands);
  if (extras.bias != 0 && !IsFloat(operands[extras.bias].dtype))
    return Error{what + ": the bias is one of floats, before the mask"};
  if (extras.mask != 0 && operands[extras.mask].dtype != DType::kBool)
    return Error{what + ": the mask is one of bools, behind the bias"};
  for (size_t i = 3; i < operands.size(); ++i) {
    if (!BroadcastsToScores(operands[i], q, k))
      return Error{what + ": bias and mask must broadcast to the scores"};
  }
  TensorType result = q;
  result.shape.back() = v.shape.back();
  return Types{result};
}

std::vector<EqualSizes> Attention::Equal(std::span<const TensorType> operands) const {
  size_t rank = operands[0].shape.size();
  if (rank < 3 || operands[1].shape.size() != rank || operands[2].shape.size() != rank) return {};
  std::vector<EqualSizes> equal;
  for (size_t d = 0; d + 3 < rank; ++d) equal.push_back({{{0, d}, {1, d}, {2, d}}});
  equal.push_back({{{1, rank - 3}, {2, rank - 3}}});
  equal.push_back({{{1, rank - 2}, {2, rank - 2}}});
  equal.push_back({{{0, rank - 1}, {1, rank - 1}}});
  return equal;
}

namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

class Expander {
 public:
  Expander(const Attention& op, Builder& build, const std::vector<ValueId>& operands,
           const std::string& name)
      : build_(build),
        op_(op),
        name_(name),
        q_(operands[0]),
        k_(operands[1]),
        v_(operands[2]),
        result_(TypeOf(q_).shape) {
    result_.back() = TypeOf(v_).shape.back();
    Types types;
    for (ValueId operand : operands) types.push_back(TypeOf(operand));
    auto [bias, mask] = Attention::ExtrasOf(types);
    if (bias != 0) bias_ = operands[bias];
    if (mask != 0) mask_ = operands[mask];
    heads_ = TypeOf(q_).rank() - 3;
    const Dim &all = SizeAt(q_, heads_), &shared = SizeAt(k_, heads_);
    if (all != shared) SplitHeads(shared, *ExactDiv(all, shared));
  }

  ValueId Run() {
    // Rows end behind the first key at the earliest, so it is the others that may leave none.
    bool may_be_empty = op_.no_keys == NoKeys::kZero && (bias_ || MasksOut());
    if (op_.causal && (!mask_ || MasksOut())) {
      mask_ = mask_ ? Combine(loop::BinaryOp::kAnd, *mask_, Before()) : Before();
      is_before_ = true;
    }
    ValueId weight = Add(Softmax{{Rank() - 1}, false}, {Scores()});
    if (op_.no_keys == NoKeys::kNanIsZero) {
      ValueId is_nan = Add(Unary{Function::kIsNan}, {weight});
      weight = Add(Where{}, {is_nan, build_.AddScalar(TypeOf(weight).dtype, 0), weight});
    }
    if (may_be_empty) weight = Choose(AnyCounts(), weight, 0);
    ValueId result = Add(MatMul{}, {Cast(weight, dtype()), v_});
    return TypeOf(result).shape == result_ ? result : Add(Reshape{result_}, {result});
  }

 private:
  const TensorType& TypeOf(ValueId id) const { return build_.type(id); }
  const Dim& SizeAt(ValueId id, int64_t d) const {
    return TypeOf(id).shape[static_cast<size_t>(d)];
  }
  int64_t Rank() const { return TypeOf(q_).rank(); }
  DType dtype() const { return TypeOf(q_).dtype; }

  ValueId Add(Op op, std::vector<ValueId> operands) {
    return build_.Add(std::move(op), std::move(operands), name_);
  }
  ValueId Combine(loop::BinaryOp op, ValueId a, ValueId b) { return Add(Binary{op}, {a, b}); }
  ValueId Combine(loop::BinaryOp op, ValueId a, double b) {
    return Combine(op, a, build_.AddScalar(TypeOf(a).dtype, b));
  }

  ValueId Cast(ValueId id, DType to) {
    return TypeOf(id).dtype == to ? id : Add(graph::Cast{to}, {id});
  }

  // q[b..., h, i, d] as q[b..., h/g, g, i, d], and the others to broadcast to that.
  void SplitHeads(const Dim& shared, const Dim& group) {
    q_ = Add(Reshape{Split(q_, shared, group)}, {q_});
    k_ = Add(Reshape{Split(k_, shared, 1)}, {k_});
    v_ = Add(Reshape{Split(v_, shared, 1)}, {v_});
    for (auto* extra : {&bias_, &mask_}) {
      if (!*extra || TypeOf(**extra).rank() < 3) continue;
      bool each = !SizeAt(**extra, TypeOf(**extra).rank() - 3).Is(1);
      *extra = Add(Reshape{Split(**extra, each ? shared : 1, each ? group : 1)}, {**extra});
    }
  }

  // The shape of `id` with its heads as two dimensions.
  Shape Split(ValueId id, const Dim& shared, const Dim& group) const {
    Shape shape = TypeOf(id).shape;
    auto heads = shape.end() - 3;
    *heads = shared;
    shape.insert(heads + 1, group);
    return shape;
  }

  ValueId Scores() {
    ValueId q = q_;
    // Products of f16 overflow before they are scaled down.
    bool early = dtype() == DType::kF16;
    if (op_.scale != 1 && early) q = Combine(loop::BinaryOp::kMul, q, op_.scale);
    Integers order;
    for (int64_t d = 0; d < Rank(); ++d) order.push_back(d);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    ValueId score = Add(MatMul{}, {q, Add(Transpose{order}, {k_})});
    if (op_.scale != 1 && !early) score = Combine(loop::BinaryOp::kMul, score, op_.scale);
    if (op_.softcap != 0) {
      ValueId tanh =
          Add(Unary{Function::kTanh}, {Combine(loop::BinaryOp::kDiv, score, op_.softcap)});
      score = Combine(loop::BinaryOp::kMul, tanh, op_.softcap);
    }
    if (bias_) score = Combine(loop::BinaryOp::kAdd, Cast(score, TypeOf(*bias_).dtype), *bias_);
    // Causal rows are of the mask if that says -inf, too.
    if (mask_) score = Choose(*mask_, score, is_before_ ? kNothing : op_.masked);
    return op_.causal && !is_before_ ? Choose(Before(), score, kNothing) : score;
  }

  // Whether there is a mask, and where it is false no key counts.
  bool MasksOut() const { return mask_ && op_.masked == kNothing; }

  // condition ? x : otherwise
  ValueId Choose(ValueId condition, ValueId x, double otherwise) {
    return Add(Where{}, {condition, x, build_.AddScalar(TypeOf(x).dtype, otherwise)});
  }

  // bool[queries, keys]: j <= i + offset
  ValueId Before() {
    const Dim &queries = SizeAt(q_, Rank() - 2), &keys = SizeAt(k_, Rank() - 2);
    ValueId last = Add(Reshape{{queries, 1}}, {Add(Iota{queries}, {})});
    if (!op_.offset.Is(0))
      last = Combine(loop::BinaryOp::kAdd, last, Add(Sizes{{op_.offset}, true}, {}));
    return Combine(loop::BinaryOp::kLessEqual, Add(Iota{keys}, {}), last);
  }

  // ---- Queries that no key counts for

  // bool[..., queries, 1]: whether there is a key that counts.
  ValueId AnyCounts() {
    std::optional<ValueId> counts;
    auto demand = [&](ValueId condition) {
      counts = counts ? Combine(loop::BinaryOp::kAnd, *counts, condition) : condition;
    };
    if (bias_) demand(Combine(loop::BinaryOp::kNotEqual, *bias_, kNothing));
    if (is_before_ || MasksOut()) demand(*mask_);
    if (op_.causal && !is_before_) demand(Before());
    ValueId number = Add(graph::Cast{DType::kI32}, {*counts});
    Reduce most{ReduceKind::kMax, {TypeOf(number).rank() - 1}, true};
    return Add(graph::Cast{DType::kBool}, {Add(most, {number})});
  }

  Builder& build_;
  const Attention& op_;
  const std::string name_;
  ValueId q_, k_, v_;
  std::optional<ValueId> bias_, mask_;
  bool is_before_ = false;  // whether the mask says what is causal
  Shape result_;
  int64_t heads_ = 0;
};

}  // namespace

ValueId Expand(const Attention& op, Builder& build, const std::vector<ValueId>& operands,
               const std::string& name) {
  return Expander(op, build, operands, name).Run();
}

void Attention::Lower(loop::Lowering& to) const {
  LowerAs(to, [&](Builder& build, const std::vector<ValueId>& operands) {
    return Expand(*this, build, operands, std::string(kName));
  });
}

}  // namespace webnnc::graph
