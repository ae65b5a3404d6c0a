#include "graph/passes/expand_attention.h"

#include <optional>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

constexpr double kNothing = -std::numeric_limits<double>::infinity();

class Expander {
 public:
  Expander(const Graph& graph, Builder& build, const Node& node)
      : graph_(graph),
        build_(build),
        op_(std::get<Attention>(node.op)),
        name_(graph.values[node.result()].name),
        q_(node.operands[0]),
        k_(node.operands[1]),
        v_(node.operands[2]),
        result_(graph.values[node.result()].type.shape) {
    Types types;
    for (ValueId operand : node.operands) types.push_back(TypeOf(operand));
    auto [bias, mask] = Attention::ExtrasOf(types);
    if (bias != 0) bias_ = node.operands[bias];
    if (mask != 0) mask_ = node.operands[mask];
    heads_ = TypeOf(q_).rank() - 3;
    const Dim &all = SizeAt(q_, heads_), &shared = SizeAt(k_, heads_);
    if (all != shared) SplitHeads(shared, *ExactDiv(all, shared));
  }

  ValueId Run() {
    // Rows end behind the first key at the earliest, so it is the others that may leave none.
    bool may_be_empty = op_.no_keys == NoKeys::kZero && (bias_ || MasksOut());
    if (op_.causal && (!mask_ || MasksOut())) {
      mask_ = mask_ ? Combine(BinaryOp::kAnd, *mask_, Before()) : Before();
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
  const TensorType& TypeOf(ValueId id) const { return graph_.values[id].type; }
  const Dim& SizeAt(ValueId id, int64_t d) const {
    return TypeOf(id).shape[static_cast<size_t>(d)];
  }
  int64_t Rank() const { return TypeOf(q_).rank(); }
  DType dtype() const { return TypeOf(q_).dtype; }

  ValueId Add(Op op, std::vector<ValueId> operands) {
    return build_.Add(std::move(op), std::move(operands), name_);
  }
  ValueId Combine(BinaryOp op, ValueId a, ValueId b) { return Add(Binary{op}, {a, b}); }
  ValueId Combine(BinaryOp op, ValueId a, double b) {
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
    if (op_.scale != 1 && early) q = Combine(BinaryOp::kMul, q, op_.scale);
    Integers order;
    for (int64_t d = 0; d < Rank(); ++d) order.push_back(d);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    ValueId score = Add(MatMul{}, {q, Add(Transpose{order}, {k_})});
    if (op_.scale != 1 && !early) score = Combine(BinaryOp::kMul, score, op_.scale);
    if (op_.softcap != 0) {
      ValueId tanh = Add(Unary{Function::kTanh}, {Combine(BinaryOp::kDiv, score, op_.softcap)});
      score = Combine(BinaryOp::kMul, tanh, op_.softcap);
    }
    if (bias_) score = Combine(BinaryOp::kAdd, Cast(score, TypeOf(*bias_).dtype), *bias_);
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
    if (!op_.offset.Is(0)) last = Combine(BinaryOp::kAdd, last, Add(Sizes{{op_.offset}, true}, {}));
    return Combine(BinaryOp::kLessEqual, Add(Iota{keys}, {}), last);
  }

  // ---- Queries that no key counts for

  // bool[..., queries, 1]: whether there is a key that counts.
  ValueId AnyCounts() {
    std::optional<ValueId> counts;
    auto demand = [&](ValueId condition) {
      counts = counts ? Combine(BinaryOp::kAnd, *counts, condition) : condition;
    };
    if (bias_) demand(Combine(BinaryOp::kNotEqual, *bias_, kNothing));
    if (is_before_ || MasksOut()) demand(*mask_);
    if (op_.causal && !is_before_) demand(Before());
    ValueId number = Add(graph::Cast{DType::kI32}, {*counts});
    Reduce most{ReduceKind::kMax, {TypeOf(number).rank() - 1}, true};
    return Add(graph::Cast{DType::kBool}, {Add(most, {number})});
  }

  const Graph& graph_;
  Builder& build_;
  const Attention& op_;
  const std::string name_;
  ValueId q_, k_, v_;
  std::optional<ValueId> bias_, mask_;
  bool is_before_ = false;  // whether the mask says what is causal
  const Shape result_;
  int64_t heads_ = 0;
};

}  // namespace

void ExpandAttention(Graph& graph) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    if (std::holds_alternative<Attention>(node.op)) {
      rewrite.Replace(node, Expander(graph, rewrite.build, node).Run());
    } else {
      rewrite.Keep(std::move(node));
    }
  }
}

}  // namespace webnnc::graph
