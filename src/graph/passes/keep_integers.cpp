#include "graph/passes/keep_integers.h"

#include <algorithm>
#include <cmath>

#include "graph/passes/definitions.h"
#include "graph/passes/known_integers.h"

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// A number that integers stand for: as f32, times the scale, which broadcasts to them.
struct Scaled {
  ValueId integers, scale;
};

class Keeper {
 public:
  Keeper(Graph& graph, EvaluationBudget& budget)
      : budget_(budget), links_(graph), rewrite_(graph), definitions_(graph, rewrite_, links_) {}

  void Run() {
    definitions_.ReplaceEach([&](const Node& node) {
      return std::visit([&](const auto& op) { return Changed(node, op); }, node.op);
    });
  }

 private:
  // ---- What values are

  const TensorType& TypeOf(ValueId id) const { return definitions_.TypeOf(id); }
  bool IsOne(ValueId id) const { return ElementCount(TypeOf(id).shape).Is(1); }
  bool IsByte(ValueId id) const {
    DType dtype = TypeOf(id).dtype;
    return dtype == DType::kI8 || dtype == DType::kU8;
  }

  // The operand, if `id` is it as another type.
  const ValueId* CastFrom(ValueId id) const {
    const Node* node = definitions_.As<Cast>(id);
    return node ? node->operands.data() : nullptr;
  }
  const Node* BinaryOf(ValueId id, BinaryOp op) const {
    const Node* node = definitions_.As<Binary>(id);
    return node && std::get<Binary>(node->op).op == op ? node : nullptr;
  }
  const Node* RoundOf(ValueId id) const {
    const Node* node = definitions_.As<Unary>(id);
    return node && std::get<Unary>(node->op).function == Function::kRound ? node : nullptr;
  }

  std::optional<Scaled> ScaledOf(ValueId id) const {
    const Node* product = BinaryOf(id, BinaryOp::kMul);
    if (!product || TypeOf(id).dtype != DType::kF32) return std::nullopt;
    for (size_t i : {0, 1}) {
      const ValueId* integers = CastFrom(product->operands[i]);
      if (integers && IsInteger(TypeOf(*integers).dtype) &&
          TypeOf(*integers).shape == TypeOf(id).shape)
        return Scaled{*integers, product->operands[1 - i]};
    }
    return std::nullopt;
  }

  bool IsConstant(ValueId id) const { return IsMadeOfConstants(definitions_, id); }
  Range RangeOf(ValueId id) const { return graph::RangeOf(definitions_, id); }

  // ---- Making values

  ValueId As(DType dtype, ValueId id) {
    return TypeOf(id).dtype == dtype ? id : definitions_.Add(Cast{dtype}, {id});
  }
  ValueId Of(BinaryOp op, ValueId a, ValueId b) { return definitions_.Add(Binary{op}, {a, b}); }
  ValueId Number(double value) { return definitions_.Scalar(DType::kF32, value); }
  ValueId Real(const Scaled& x) { return Of(BinaryOp::kMul, As(DType::kF32, x.integers), x.scale); }

  // ---- Integers less their zero point

  template <typename T>
  std::optional<ValueId> Changed(const Node&, const T&) {
    return std::nullopt;
  }

  std::optional<ValueId> Changed(const Node& node, const Binary& binary) {
    switch (binary.op) {
      case BinaryOp::kSub: return Centred(node);
      case BinaryOp::kDiv: {
        auto by = definitions_.Uniform(node.operands[1]);
        return by && *by > 0 ? Unscaled(node, 1 / *by) : std::nullopt;
      }
      case BinaryOp::kMul: {
        auto by = definitions_.Uniform(node.operands[1]);
        return by && *by > 0 ? Unscaled(node, *by) : std::nullopt;
      }
      default: return std::nullopt;
    }
  }

  // i32(q) - i32(z)
  std::optional<ValueId> Centred(const Node& node) {
    const ValueId *q = CastFrom(node.operands[0]), *z = CastFrom(node.operands[1]);
    bool bytes = TypeOf(node.result()).dtype == DType::kI32 && q && IsByte(*q) &&
                 TypeOf(*q).shape == TypeOf(node.result()).shape;
    if (!bytes) return std::nullopt;
    if (IsConstant(node.operands[0]) && IsConstant(node.operands[1])) {
      if (auto weights = Weights(node)) return weights;
    }
    auto zero = definitions_.Uniform(node.operands[1]);
    if (auto kept = zero ? Requantised(*q, *zero) : std::nullopt) return As(DType::kI32, *kept);
    if (!zero && !(z && IsByte(*z))) return std::nullopt;
    ValueId narrow = zero ? definitions_.Scalar(DType::kI16, *zero) : As(DType::kI16, *z);
    return As(DType::kI32, Of(BinaryOp::kSub, As(DType::kI16, *q), narrow));
  }

  // Weights are stored less their zero point where they fit into a byte so.
  std::optional<ValueId> Weights(const Node& node) {
    std::vector<Tensor> sides;
    for (ValueId operand : node.operands) {
      auto side = ComputedConstant(definitions_, operand, budget_);
      if (!side) return std::nullopt;
      sides.push_back(std::move(*side));
    }
    auto differences = Evaluate(node.op, sides, budget_);
    if (!differences) return std::nullopt;
    const Tensor& difference = differences->front();
    if (!graph::RangeOf(difference).IsWithin(graph::RangeOf(DType::kI8))) return std::nullopt;
    auto narrow = Evaluate(Cast{DType::kI8}, {difference}, budget_);
    if (!narrow) return std::nullopt;
    return As(DType::kI32, definitions_.Add(Constant{narrow->front(), definitions_.name}, {}));
  }

  // Of bytes without a zero point.
  std::optional<ValueId> Changed(const Node& node, const Cast& cast) {
    ValueId q = node.operands[0];
    if (cast.to != DType::kI32 || !IsByte(q)) return std::nullopt;
    const auto& users = links_.UsersOf(node.result());
    bool is_centred = std::any_of(users.begin(), users.end(), [](const Node* user) {
      auto* binary = std::get_if<Binary>(&user->op);
      return binary && binary->op == BinaryOp::kSub;
    });
    auto kept = is_centred ? std::nullopt : Requantised(q, 0);
    return kept ? std::optional(As(DType::kI32, *kept)) : std::nullopt;
  }

  // i16(q - zero) of q = round(...) + zero: rounded, and clamped to what q's type has.
  std::optional<ValueId> Requantised(ValueId q, double zero) {
    const ValueId* rounded = CastFrom(q);
    if (!rounded || TypeOf(*rounded).dtype != DType::kF32) return std::nullopt;
    double added = 0;
    if (const Node* sum = BinaryOf(*rounded, BinaryOp::kAdd)) {
      auto uniform = definitions_.Uniform(sum->operands[1]);
      if (!uniform) return std::nullopt;
      added = *uniform;
      rounded = sum->operands.data();
    }
    const Node* round = RoundOf(*rounded);
    if (!round || added != zero) return std::nullopt;
    const Range type = graph::RangeOf(TypeOf(q).dtype);
    const auto shift = static_cast<int64_t>(zero);
    Range range{type.low - shift, type.high - shift};
    ValueId x = Unclamped(round->operands[0], range);
    auto before = SameIntegers(x);
    if (before && RangeOf(*before).IsWithin(range)) return before;
    ValueId whole = definitions_.Add(Unary{Function::kRound}, {x});
    whole = Of(BinaryOp::kMax, whole, Number(static_cast<double>(range.low)));
    whole = Of(BinaryOp::kMin, whole, Number(static_cast<double>(range.high)));
    return As(DType::kI16, whole);
  }

  // What is clamped, before it is rounded; the range becomes what that lets through.
  ValueId Unclamped(ValueId x, Range& range) const {
    while (const Node* node = definitions_.Of(x)) {
      auto* unary = std::get_if<Unary>(&node->op);
      auto* binary = std::get_if<Binary>(&node->op);
      std::optional<double> bound;
      bool below = unary && unary->function == Function::kRelu, above = false;
      if (below) bound = 0;
      if (binary) {
        below = binary->op == BinaryOp::kMax;
        above = binary->op == BinaryOp::kMin;
        if (below || above) bound = definitions_.Uniform(node->operands[1]);
      }
      if (!bound || TypeOf(node->operands[0]).shape != TypeOf(x).shape) return x;
      auto whole = static_cast<int64_t>(std::nearbyint(
          std::clamp(*bound, static_cast<double>(range.low), static_cast<double>(range.high))));
      if (below) range.low = whole;
      if (above) range.high = whole;
      x = node->operands[0];
    }
    return x;
  }

  // The integers that x was quantised to by the scale that it is divided by again.
  std::optional<ValueId> SameIntegers(ValueId x) const {
    auto scaled = ScaledOf(x);
    auto scale = scaled ? definitions_.Uniform(scaled->scale) : std::nullopt;
    // A scale and its inverse in f32, multiplied.
    constexpr double kClose = 1e-6;
    if (!scale || std::fabs(*scale - 1) > kClose) return std::nullopt;
    const ValueId* narrow = CastFrom(scaled->integers);
    bool is_kept = narrow && TypeOf(*narrow).dtype == DType::kI16;
    return is_kept ? std::optional(*narrow) : std::nullopt;
  }

  // ---- What is rounded next is multiplied once

  // The node's first operand, if what is multiplied by `factor` is rounded, with the factor in all
  // that it is a sum of.
  std::optional<ValueId> Unscaled(const Node& node, double factor) {
    const auto& users = links_.UsersOf(node.result());
    bool rounds = TypeOf(node.result()).dtype == DType::kF32 && !users.empty() &&
                  TypeOf(node.operands[0]).shape == TypeOf(node.result()).shape &&
                  std::all_of(users.begin(), users.end(), [](const Node* user) {
                    auto* unary = std::get_if<Unary>(&user->op);
                    return unary && unary->function == Function::kRound;
                  });
    if (!rounds || !IsSumOfIntegers(node.operands[0])) return std::nullopt;
    return Times(node.operands[0], factor);
  }

  bool IsSumOfIntegers(ValueId x) const {
    if (ScaledOf(x)) return true;
    const Node* node = definitions_.Of(x);
    if (!node || !definitions_.IsUsed(x)) return false;
    if (auto* unary = std::get_if<Unary>(&node->op))
      return unary->function == Function::kRelu && IsSumOfIntegers(node->operands[0]);
    auto* binary = std::get_if<Binary>(&node->op);
    if (!binary) return false;
    bool clamps = binary->op == BinaryOp::kMax || binary->op == BinaryOp::kMin;
    if (!clamps && binary->op != BinaryOp::kAdd) return false;
    ValueId a = node->operands[0], b = node->operands[1];
    return IsSumOfIntegers(a) && (definitions_.As<Constant>(b) || IsSumOfIntegers(b));
  }

  ValueId Times(ValueId x, double factor) {
    if (auto scaled = ScaledOf(x))
      return Real({scaled->integers, Folded(Of(BinaryOp::kMul, scaled->scale, Number(factor)))});
    const Node node = *definitions_.Of(x);
    if (std::holds_alternative<Constant>(node.op))
      return Folded(Of(BinaryOp::kMul, x, Number(factor)));
    std::vector<ValueId> operands;
    for (ValueId operand : node.operands) operands.push_back(Times(operand, factor));
    return definitions_.Add(node.op, operands);
  }

  // As a constant, if it is made of such: what bounds are is looked at.
  ValueId Folded(ValueId id) {
    if (!IsConstant(id)) return id;
    auto value = ComputedConstant(definitions_, id, budget_);
    return value ? definitions_.Add(Constant{*value, definitions_.name}, {}) : id;
  }

  // ---- Products

  std::optional<ValueId> Changed(const Node& node, const MatMul& matmul) {
    const Shape &a = TypeOf(node.operands[0]).shape, &b = TypeOf(node.operands[1]).shape;
    if (a.size() < 2 || b.size() < 2) return std::nullopt;
    size_t columns = b.size() - (matmul.transpose_b ? 2 : 1);
    return Product(node, b[b.size() - (matmul.transpose_b ? 1 : 2)], columns, 0);
  }

  std::optional<ValueId> Changed(const Node& node, const Conv& conv) {
    if (conv.layout != Layout::kChannelsFirst) return std::nullopt;
    const Shape& filter = TypeOf(node.operands[1]).shape;
    Dim terms = ElementCount(Shape(filter.begin() + 1, filter.end()));
    return Product(node, terms, 0, filter.size() - 2);
  }

  // Scales of the right side may differ along dimension `at`, behind which the result has `behind`
  // dimensions more.
  std::optional<ValueId> Product(const Node& node, const Dim& terms, size_t at, size_t behind) {
    auto x = ScaledOf(node.operands[0]), weights = ScaledOf(node.operands[1]);
    if (!x || !weights || !terms.IsConstant() || !IsConstant(weights->integers) ||
        !IsOne(x->scale) || !FitSums(x->integers, weights->integers, terms.value()))
      return std::nullopt;
    auto scale = Upright(weights->scale, TypeOf(node.operands[1]).shape, at, behind);
    if (!scale) return std::nullopt;
    ValueId integers = As(DType::kI32, weights->integers);
    const ValueId* narrow = CastFrom(integers);
    bool few = behind > 0 && terms.value() <= kFewTerms;
    if (few && narrow && BinaryOf(*narrow, BinaryOp::kSub))
      integers = As(DType::kI32, Folded(*narrow));
    ValueId sum = definitions_.Add(node.op, {As(DType::kI32, x->integers), integers});
    ValueId all = Of(BinaryOp::kMul, definitions_.Reshaped(x->scale, {}), *scale);
    return Real({sum, all});
  }

  // Weights of windows this small are few beside what they are multiplied with: those of one
  // channel or of colours. They are stored less their zero point, in twice the bytes, so that
  // nobody computes that.
  static constexpr int64_t kFewTerms = 32;

  bool FitSums(ValueId a, ValueId b, int64_t terms) const {
    Range x = RangeOf(a), y = RangeOf(b), narrow = graph::RangeOf(DType::kI16);
    return x.IsWithin(narrow) && y.IsWithin(narrow) &&
           terms < INT32_MAX / std::max<int64_t>(1, x.magnitude() * y.magnitude());
  }

  std::optional<ValueId> Upright(ValueId scale, const Shape& whole, size_t at, size_t behind) {
    if (IsOne(scale)) return definitions_.Reshaped(scale, {});
    const Shape shape = TypeOf(scale).shape;
    size_t skipped = whole.size() - shape.size();
    for (size_t d = 0; d < shape.size(); ++d) {
      if (d + skipped != at && !shape[d].Is(1)) return std::nullopt;
    }
    Shape upright(behind + 1, 1);
    upright[0] = whole[at];
    return definitions_.Reshaped(scale, upright);
  }

  // ---- What moves elements

  std::optional<ValueId> Changed(const Node& node, const Reshape&) { return Moved(node); }
  std::optional<ValueId> Changed(const Node& node, const Refine&) { return Moved(node); }
  std::optional<ValueId> Changed(const Node& node, const Slice&) { return Moved(node); }
  std::optional<ValueId> Changed(const Node& node, const Transpose&) { return Moved(node); }
  std::optional<ValueId> Changed(const Node& node, const Pool& pool) {
    return pool.kind == PoolKind::kMax ? Moved(node) : std::nullopt;
  }
  std::optional<ValueId> Changed(const Node& node, const Concat&) { return Moved(node); }

  // Of integers that kernels pass on, by one scale; of weights if these are transposed.
  std::optional<ValueId> Moved(const Node& node) {
    std::vector<ValueId> integers;
    std::optional<double> scale;
    for (ValueId operand : node.operands) {
      auto scaled = ScaledOf(operand);
      if (!scaled) return std::nullopt;
      if (IsConstant(scaled->integers)) return MovedWeights(node, *scaled);
      const ValueId* narrow = CastFrom(scaled->integers);
      auto uniform = definitions_.Uniform(scaled->scale);
      if (!narrow || !uniform || (scale && scale != uniform)) return std::nullopt;
      if (TypeOf(*narrow).dtype != DType::kI16) return std::nullopt;
      scale = uniform;
      integers.push_back(*narrow);
    }
    ValueId moved = definitions_.Add(node.op, integers);
    return Real({As(DType::kI32, moved), Number(*scale)});
  }

  std::optional<ValueId> MovedWeights(const Node& node, const Scaled& weights) {
    if (!std::holds_alternative<Transpose>(node.op)) return std::nullopt;
    bool same = TypeOf(weights.scale).rank() == TypeOf(weights.integers).rank();
    if (!same && !IsOne(weights.scale)) return std::nullopt;
    ValueId integers = definitions_.Add(node.op, {weights.integers});
    ValueId scale = same ? definitions_.Add(node.op, {weights.scale}) : weights.scale;
    return Real({integers, scale});
  }

  EvaluationBudget& budget_;
  Links links_;
  Rewriter rewrite_;
  Definitions definitions_;
};

}  // namespace

void KeepIntegers(Graph& graph, EvaluationBudget& budget) { Keeper(graph, budget).Run(); }

}  // namespace webnnc::graph
