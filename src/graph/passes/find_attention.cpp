#include "graph/passes/find_attention.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/passes/definitions.h"

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// A matrix's last two dimensions, and those before.
Shape Leading(const Shape& shape) { return {shape.begin(), shape.end() - 2}; }
Shape WithLeading(Shape leading, const Shape& matrix) {
  leading.insert(leading.end(), matrix.end() - 2, matrix.end());
  return leading;
}
bool KeepsMatrix(const Shape& a, const Shape& b) {
  return a.size() >= 2 && b.size() >= 2 && std::equal(a.end() - 2, a.end(), b.end() - 2);
}

// One attempt to understand a product as an attention's last one. Walks from there to the product
// of queries and keys; whatever it does not know ends it.
class Matcher {
 public:
  explicit Matcher(Definitions& values) : at_(values) {}

  // The result as an attention, which takes the place of `last`.
  std::optional<ValueId> Run(const Node& last) {
    auto& product = std::get<MatMul>(last.op);
    if (product.transpose_a) return std::nullopt;
    auto softmax = SoftmaxBehind(last.operands[0]);
    if (!softmax) return std::nullopt;
    scores_ = at_.ShapeOf(*softmax);
    if (scores_.size() < 2) return std::nullopt;
    const Node* first = ProductBehind(at_.Of(*softmax)->operands[0]);
    if (!first) return std::nullopt;
    at_.SetOrigins({first, at_.Of(*softmax), &last});
    if (scores_.size() == 2) scores_.insert(scores_.begin(), 1);
    return Write(*first, last);
  }

 private:
  // ---- From the weights to the softmax

  std::optional<ValueId> SoftmaxBehind(ValueId weight) {
    while (const Node* node = at_.Of(weight)) {
      if (auto* softmax = std::get_if<Softmax>(&node->op)) {
        int64_t last = at_.TypeOf(weight).rank() - 1;
        bool of_rows = softmax->axes == Integers{last} && !softmax->log;
        // A guard uses the weights twice.
        bool is_own = at_.IsUsed(weight, op_.no_keys == NoKeys::kNan ? 1 : 2);
        return of_rows && is_own ? std::optional(weight) : std::nullopt;
      }
      if (!at_.IsUsed(weight)) return std::nullopt;
      if (auto guarded = Guarded(*node)) {
        op_.no_keys = NoKeys::kNanIsZero;
        weight = *guarded;
      } else if (IsView(*node) || Narrows(*node)) {
        weight = node->operands[0];
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // x of where(isnan(x), 0, x)
  std::optional<ValueId> Guarded(const Node& node) const {
    if (!std::holds_alternative<Where>(node.op)) return std::nullopt;
    const Node* test = at_.As<Unary>(node.operands[0]);
    bool is_nan = test && std::get<Unary>(test->op).function == Function::kIsNan &&
                  test->operands[0] == node.operands[2] && at_.IsUsed(node.operands[0]);
    bool to_zero = is_nan && at_.Uniform(node.operands[1]) == 0.0;
    return to_zero ? std::optional(node.operands[2]) : std::nullopt;
  }

  // A reshape that merges or splits what is before the rows and columns.
  bool IsView(const Node& node) const {
    return std::holds_alternative<Reshape>(node.op) &&
           KeepsMatrix(at_.ShapeOf(node.operands[0]), at_.ShapeOf(node.result()));
  }
  bool Narrows(const Node& node) const { return Converts(node, DType::kF32, DType::kF16); }
  bool Widens(const Node& node) const { return Converts(node, DType::kF16, DType::kF32); }
  bool Converts(const Node& node, DType from, DType to) const {
    auto* cast = std::get_if<Cast>(&node.op);
    return cast && cast->to == to && at_.TypeOf(node.operands[0]).dtype == from;
  }

  // ---- From the softmax to the product of queries and keys

  const Node* ProductBehind(ValueId score) {
    for (;;) {
      const Node* node = at_.Of(score);
      if (!node || !at_.IsUsed(score)) return nullptr;
      if (std::holds_alternative<MatMul>(node->op)) return node;
      auto next = Step(*node);
      if (!next) return nullptr;
      score = *next;
    }
  }

  // What `node` is made of, if it does something to scores that an attention does.
  std::optional<ValueId> Step(const Node& node) {
    bool is_same = std::holds_alternative<Refine>(node.op);
    if (is_same || IsView(node) || Widens(node)) return node.operands[0];
    if (std::holds_alternative<Where>(node.op)) return Chosen(node);
    if (auto* unary = std::get_if<Unary>(&node.op))
      return unary->function == Function::kTanh ? Capped(node) : std::nullopt;
    auto* binary = std::get_if<Binary>(&node.op);
    if (!binary) return std::nullopt;
    switch (binary->op) {
      case BinaryOp::kAdd: return Added(node);
      case BinaryOp::kMul: return Multiplied(node);
      case BinaryOp::kDiv: return Divided(node);
      default: return std::nullopt;
    }
  }

  // Whether nothing was done to scores yet but to mask them.
  bool IsUnscaled() const { return op_.scale == 1 && op_.softcap == 0 && factors_.empty(); }

  // Whether a product of values that are not constant is behind `id`.
  bool LeadsToProduct(ValueId id, int depth = 0) const {
    constexpr int kFarthest = 16;
    const Node* node = at_.Of(id);
    if (!node || depth == kFarthest || !at_.IsUsed(id)) return false;
    if (std::holds_alternative<MatMul>(node->op)) return !IsWeighted(*node);
    auto* unary = std::get_if<Unary>(&node->op);
    auto* binary = std::get_if<Binary>(&node->op);
    bool passes = IsView(*node) || Widens(*node) || std::holds_alternative<Where>(node->op) ||
                  std::holds_alternative<Refine>(node->op) ||
                  (unary && unary->function == Function::kTanh) ||
                  (binary && (binary->op == BinaryOp::kAdd || binary->op == BinaryOp::kMul ||
                              binary->op == BinaryOp::kDiv));
    return passes && std::any_of(node->operands.begin(), node->operands.end(),
                                 [&](ValueId next) { return LeadsToProduct(next, depth + 1); });
  }

  bool IsWeighted(const Node& product) const {
    return at_.As<Constant>(product.operands[0]) || at_.As<Constant>(product.operands[1]);
  }

  std::optional<ValueId> Added(const Node& node) {
    ValueId score = node.operands[0], bias = node.operands[1];
    if (!LeadsToProduct(score)) std::swap(score, bias);
    if (!IsUnscaled() || !IsWhole(score, node)) return std::nullopt;
    return AddBias(node, bias) ? std::optional(score) : std::nullopt;
  }

  // Whether what is done to scores leaves their rows and columns; their batch it may broadcast.
  bool IsWhole(ValueId score, const Node& done) const {
    return KeepsMatrix(at_.ShapeOf(score), at_.ShapeOf(done.result())) &&
           at_.TypeOf(score).rank() == at_.TypeOf(done.result()).rank();
  }

  bool AddBias(const Node& sum, ValueId bias) {
    ValueId fitting = ToScores(bias, at_.ShapeOf(sum.result()));
    bool differ = bias_ && at_.TypeOf(*bias_).dtype != at_.TypeOf(fitting).dtype;
    if (differ) return false;
    bias_ = bias_ ? at_.Add(Binary{BinaryOp::kAdd}, {fitting, *bias_}) : fitting;
    return true;
  }

  // where(mask, scores, number), or the other way round.
  std::optional<ValueId> Chosen(const Node& node) {
    ValueId condition = node.operands[0], score = node.operands[1];
    auto otherwise = at_.Uniform(node.operands[2]);
    bool reversed = !otherwise;
    if (reversed) {
      otherwise = at_.Uniform(node.operands[1]);
      score = node.operands[2];
    }
    if (!otherwise || !IsUnscaled()) return std::nullopt;
    if (!IsWhole(score, node)) return std::nullopt;
    ValueId mask = ToScores(condition, at_.ShapeOf(node.result()));
    if (reversed) mask = at_.Add(Unary{Function::kNot}, {mask});
    if (!bias_ && (!mask_ || op_.masked == *otherwise)) {
      mask_ = mask_ ? at_.Add(Binary{BinaryOp::kAnd}, {mask, *mask_}) : mask;
      op_.masked = *otherwise;
      return score;
    }
    // What is added to scores that are masked: as numbers, if these swallow the scores.
    if (!Swallows(*otherwise, at_.TypeOf(score).dtype)) return std::nullopt;
    DType dtype = at_.TypeOf(score).dtype;
    ValueId number = at_.Add(Where{}, {mask, at_.Scalar(dtype, 0), at_.Scalar(dtype, *otherwise)});
    return AddBias(node, number) ? std::optional(score) : std::nullopt;
  }

  // Whether a score is lost when it is added to the number.
  static bool Swallows(double number, DType dtype) {
    return number == kNothing || (dtype != DType::kF16 && number <= -1e30);
  }

  // softcap * tanh(x), where the factor has just been passed.
  std::optional<ValueId> Capped(const Node& node) {
    if (op_.softcap != 0 || !(op_.scale > 0) || !factors_.empty()) return std::nullopt;
    op_.softcap = op_.scale;
    return node.operands[0];
  }

  std::optional<ValueId> Multiplied(const Node& node) {
    ValueId score = node.operands[0], factor = node.operands[1];
    if (at_.Uniform(score) || !LeadsToProduct(score)) std::swap(score, factor);
    if (at_.ShapeOf(score) != at_.ShapeOf(node.result())) return std::nullopt;
    auto number = at_.Uniform(factor);
    if (number) {
      op_.scale *= *number;
      return score;
    }
    // One factor for all keys is one of the query.
    const Shape& shape = at_.ShapeOf(factor);
    bool of_query = !shape.empty() && shape.back().Is(1);
    if (!of_query || at_.TypeOf(factor).dtype != at_.TypeOf(score).dtype) return std::nullopt;
    factors_.push_back(ToScores(factor, at_.ShapeOf(score)));
    return score;
  }

  std::optional<ValueId> Divided(const Node& node) {
    auto number = at_.Uniform(node.operands[1]);
    bool same = at_.ShapeOf(node.operands[0]) == at_.ShapeOf(node.result());
    if (!number || *number == 0 || !same) return std::nullopt;
    op_.scale /= *number;
    return node.operands[0];
  }

  // What broadcasts to scores of the shape `from`, made to broadcast to scores as the softmax has
  // them.
  ValueId ToScores(ValueId id, const Shape& from) {
    Shape shape = at_.ShapeOf(id);
    if (shape.size() <= 2 || BroadcastsTo(from, scores_)) return id;
    // Ones in front say nothing.
    while (shape.size() > 2 && shape[0].Is(1)) shape.erase(shape.begin());
    Shape rest = from;
    while (rest.size() > shape.size() && rest[0].Is(1)) rest.erase(rest.begin());
    bool fits = shape.size() <= 2 || BroadcastsTo(rest, scores_);
    if (fits) return at_.Reshaped(id, shape);
    Shape whole = at_.ShapeOf(id);
    if (Leading(whole) != Leading(from)) {
      whole = WithLeading(Leading(from), whole);
      id = at_.Add(Expand{whole}, {id});
    }
    return at_.Reshaped(id, WithLeading(Leading(scores_), whole));
  }

  // Whether it has as many dimensions, and broadcasts.
  static bool BroadcastsTo(const Shape& from, const Shape& to) {
    return from.size() == to.size() && Broadcast(from, to) == to;
  }

  // ---- Queries, keys and values

  std::optional<ValueId> Write(const Node& first, const Node& last) {
    if (IsWeighted(first) || at_.As<Constant>(last.operands[1])) return std::nullopt;
    auto& product = std::get<MatMul>(first.op);
    ValueId q = first.operands[0], k = first.operands[1], v = last.operands[1];
    if (product.transpose_a) q = Turned(q);
    if (!product.transpose_b) k = Turned(k);
    if (std::get<MatMul>(last.op).transpose_b) v = Turned(v);
    q = WithoutFactor(q);
    k = WithoutFactor(k);
    Shape of_scores = Leading(at_.ShapeOf(first.result()));
    Shape of_result = Leading(at_.ShapeOf(last.result()));
    bool share =
        of_scores == Leading(scores_) && of_result == of_scores && HasOneHead(k) && HasOneHead(v);
    auto queries = WithBatch(q, of_scores, false);
    auto keys = WithBatch(k, of_scores, share);
    auto values = WithBatch(v, of_result, share);
    if (!queries || !keys || !values) return std::nullopt;
    ShareHeads(*keys, *values);
    queries = WithRows(*queries, scores_[scores_.size() - 2]);
    keys = WithRows(*keys, scores_.back());
    values = WithRows(*values, scores_.back());
    for (ValueId factor : factors_) queries = at_.Add(Binary{BinaryOp::kMul}, {*queries, factor});
    return Attended({*queries, *keys, *values}, at_.TypeOf(last.result()));
  }

  // `result` is a copy: types move where values are added.
  std::optional<ValueId> Attended(std::vector<ValueId> operands, const TensorType result) {
    if (bias_) operands.push_back(*bias_);
    if (mask_) operands.push_back(*mask_);
    Types types;
    for (ValueId operand : operands) types.push_back(at_.TypeOf(operand));
    auto inferred = InferTypes(op_, types);
    if (!inferred || inferred.value()[0].dtype != result.dtype) return std::nullopt;
    if (ElementCount(inferred.value()[0].shape) != ElementCount(result.shape)) return std::nullopt;
    return at_.Reshaped(at_.Add(op_, operands), result.shape);
  }

  // x with its last two dimensions swapped; where it was made so, what it was made of.
  ValueId Turned(ValueId id) {
    const Shape shape = at_.ShapeOf(id);
    size_t rank = shape.size();
    Shape turned = shape;
    std::swap(turned[rank - 1], turned[rank - 2]);
    const Node* node = at_.Of(id);
    if (node && at_.IsUsed(id)) {
      const Node made = *node;
      if (auto scaled = Scaled(made)) {
        op_.scale *= scaled->factor;
        return Turned(scaled->x);
      }
      if (IsView(made)) return at_.Reshaped(Turned(made.operands[0]), turned);
    }
    Integers order;
    for (size_t d = 0; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
    ValueId source = id;
    if (const Node* transpose = at_.As<Transpose>(id)) {
      order = std::get<Transpose>(transpose->op).order;
      source = transpose->operands[0];
    }
    std::swap(order[rank - 1], order[rank - 2]);
    bool stays = std::is_sorted(order.begin(), order.end());
    return stays ? source : at_.Add(Transpose{order}, {source});
  }

  struct WithFactor {
    ValueId x;
    double factor;
  };
  std::optional<WithFactor> Scaled(const Node& node) const {
    auto* binary = std::get_if<Binary>(&node.op);
    if (!binary) return std::nullopt;
    ValueId a = node.operands[0], b = node.operands[1];
    if (binary->op == BinaryOp::kMul && at_.Uniform(a)) std::swap(a, b);
    auto factor = at_.Uniform(b);
    bool scales = binary->op == BinaryOp::kMul || (binary->op == BinaryOp::kDiv && factor != 0.0);
    if (!scales || !factor || at_.ShapeOf(a) != at_.ShapeOf(node.result())) return std::nullopt;
    return WithFactor{a, binary->op == BinaryOp::kMul ? *factor : 1 / *factor};
  }

  // x without factors that all its elements have; those are the scores' now. Looks behind what
  // moves elements.
  ValueId WithoutFactor(ValueId id) {
    const Node* found = at_.Of(id);
    if (!found || !at_.IsUsed(id)) return id;
    const Node node = *found;
    if (auto scaled = Scaled(node)) {
      op_.scale *= scaled->factor;
      return WithoutFactor(scaled->x);
    }
    bool moves = std::holds_alternative<Transpose>(node.op) ||
                 std::holds_alternative<Reshape>(node.op) ||
                 std::holds_alternative<Expand>(node.op) || std::holds_alternative<Refine>(node.op);
    if (!moves) return id;
    ValueId inner = WithoutFactor(node.operands[0]);
    return inner == node.operands[0] ? id : at_.Add(node.op, {inner});
  }

  bool HasOneHead(ValueId id) const {
    const Shape leading = Leading(at_.ShapeOf(id));
    return !leading.empty() && leading.back().Is(1);
  }

  // A matrix of a product whose batch is `from`, with the scores' batch; with `share` one head for
  // all.
  std::optional<ValueId> WithBatch(ValueId id, const Shape& from, bool share) {
    const Shape batch = Leading(scores_);
    bool broadcasts = BroadcastsTo(from, batch);
    if (!broadcasts && ElementCount(from) != ElementCount(batch)) return std::nullopt;
    Shape wanted = broadcasts ? batch : from;
    if (share) wanted.back() = 1;
    if (Leading(at_.ShapeOf(id)) != wanted)
      id = at_.Add(Expand{WithLeading(wanted, at_.ShapeOf(id))}, {id});
    return broadcasts ? id : at_.Reshaped(id, WithLeading(batch, at_.ShapeOf(id)));
  }

  // As many rows as scores say, which they may have been assumed to be.
  ValueId WithRows(ValueId id, const Dim& count) {
    Shape shape = at_.ShapeOf(id);
    shape[shape.size() - 2] = count;
    return shape == at_.ShapeOf(id) ? id : at_.Add(Refine{shape}, {id});
  }

  // ---- Heads that share keys and values

  void ShareHeads(ValueId& keys, ValueId& values) {
    auto shared_keys = Unrepeated(keys), shared_values = Unrepeated(values);
    if (!shared_keys || !shared_values) return;
    size_t heads = scores_.size() - 3;
    if (at_.ShapeOf(*shared_keys)[heads] != at_.ShapeOf(*shared_values)[heads]) return;
    keys = *shared_keys;
    values = *shared_values;
  }

  // x[b..., h, j, d] of what repeats its heads: reshape(expand(x[b..., h, 1, j, d]))
  std::optional<ValueId> Unrepeated(ValueId id) {
    if (const Node* refined = at_.As<Refine>(id)) id = refined->operands[0];
    const Node* merged = at_.As<Reshape>(id);
    const Node* repeated = merged ? at_.Of(merged->operands[0]) : nullptr;
    bool repeats = repeated && (std::holds_alternative<Expand>(repeated->op) ||
                                std::holds_alternative<Tile>(repeated->op));
    if (!repeats) return std::nullopt;
    const Shape to = at_.ShapeOf(repeated->result()), whole = at_.ShapeOf(id);
    Shape apart = at_.ShapeOf(repeated->operands[0]);
    if (apart.size() != to.size() || to.size() != whole.size() + 1) return std::nullopt;
    size_t group = to.size() - 3;
    if (!apart[group].Is(1) || group == 0) return std::nullopt;
    for (size_t d = 0; d < to.size(); ++d) {
      if (d != group && apart[d] != to[d]) return std::nullopt;
    }
    Shape shared = apart;
    shared.erase(shared.begin() + static_cast<int64_t>(group));
    Shape heads = shared;
    heads[group - 1] = to[group - 1] * to[group];
    if (heads != whole) return std::nullopt;
    return at_.Reshaped(repeated->operands[0], shared);
  }

  Definitions& at_;
  Attention op_;
  Shape scores_;
  std::optional<ValueId> bias_, mask_;
  std::vector<ValueId> factors_;  // one a query
};

}  // namespace

void FindAttention(Graph& graph) {
  Links links(graph);
  Rewriter rewrite(graph);
  Definitions values(graph, rewrite, links);
  for (Node& node : rewrite.nodes()) {
    std::optional<ValueId> attention;
    values.name = graph.values[node.results[0]].name;
    if (std::holds_alternative<MatMul>(node.op)) attention = Matcher(values).Run(node);
    if (attention) {
      rewrite.Replace(node, *attention);
      continue;
    }
    values.Remember(node);
    rewrite.Keep(std::move(node));
  }
}

}  // namespace webnnc::graph
