#include "graph/passes/fold_scales.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// How large the weights of a product are.
struct Magnitude {
  double largest = 0;  // of one weight
  double most = 0;     // of the sum over the weights of an element of the result
};

// What a product of this type may be multiplied by and still be far from overflow.
double LargestWeight(DType dtype) {
  switch (dtype) {
    case DType::kF16: return Highest(dtype).real;  // sums are in f32
    case DType::kF32: return 0x1p64;
    default: return 0x1p512;
  }
}

double SmallestNormal(DType dtype) {
  switch (dtype) {
    case DType::kF16: return 0x1p-14;
    case DType::kF32: return 0x1p-126;
    default: return 0x1p-1022;
  }
}

// How many times the sum of a product's weights a constant may be that is added to it, for the
// sum's rounding to be of the size of the product's own.
double LargestShift(DType dtype) { return dtype == DType::kF16 ? 2 : 16; }

// Each rule moves one constant one step toward the product; FoldScales applies them until none
// fits.
class Folder {
 public:
  Folder(Graph& graph, EvaluationBudget& budget)
      : graph_(graph), budget_(budget), links_(graph), rewrite_(graph) {
    for (size_t v = 0; v < links_.users.size(); ++v) {
      single_use_.push_back(links_.users[v].size() == 1 && !links_.is_output[v]);
    }
  }

  bool Run() {
    for (Node& node : rewrite_.nodes()) {
      std::optional<ValueId> by;
      auto* binary = std::get_if<Binary>(&node.op);
      if (binary) by = Fold(node, binary->op);
      if (by) {
        changed_ = true;
        if (!SingleUse(node.result())) shared_.insert(*by);
        rewrite_.Replace(node, *by);
        continue;
      }
      for (ValueId result : node.results) definition_.emplace(result, node);
      rewrite_.Keep(std::move(node));
    }
    return changed_;
  }

 private:
  const Tensor* ConstantOf(ValueId id) const {
    auto found = definition_.find(id);
    if (found == definition_.end()) return nullptr;
    auto* constant = std::get_if<Constant>(&found->second.op);
    return constant ? &constant->value : nullptr;
  }
  bool IsConstant(ValueId id) const { return ConstantOf(id) != nullptr; }

  ValueId Add(Op op, std::vector<ValueId> operands, const std::string& name) {
    ValueId id = rewrite_.build.Add(std::move(op), std::move(operands), name);
    definition_.emplace(id, graph_.nodes.back());
    return id;
  }

  std::optional<Tensor> Compute(const Op& op, const std::vector<Tensor>& operands) {
    auto results = Evaluate(op, operands, budget_);
    if (!results) return std::nullopt;
    return results->front();
  }

  ValueId AddConstant(const Tensor& value, const std::string& name) {
    return Add(Constant{value, name}, {}, name);
  }

  // A product, quotient or sum with a constant: the other operand and the constant.
  struct WithConstant {
    ValueId x, constant;
  };
  std::optional<WithConstant> Match(const Node& node, BinaryOp op) const {
    ValueId a = node.operands[0], b = node.operands[1];
    if (IsConstant(a) == IsConstant(b)) return std::nullopt;
    if (IsConstant(a) && op == BinaryOp::kDiv) return std::nullopt;
    if (IsConstant(a)) std::swap(a, b);
    // A constant that makes x larger by broadcasting stays outside.
    if (graph_.values[a].type.shape != graph_.values[node.result()].type.shape) return std::nullopt;
    if (!IsFloat(graph_.values[a].type.dtype)) return std::nullopt;
    return WithConstant{a, b};
  }

  // The node that defines `id` and that nobody else uses.
  const Node* OwnDefinition(ValueId id) const {
    auto found = definition_.find(id);
    return found == definition_.end() || !SingleUse(id) ? nullptr : &found->second;
  }

  // The product with constant weights that defines `id`.
  const Node* ProductOf(ValueId id) const {
    const Node* node = OwnDefinition(id);
    bool multiplies = node && (std::holds_alternative<Conv>(node->op) ||
                               std::holds_alternative<ConvTranspose>(node->op) ||
                               std::holds_alternative<MatMul>(node->op));
    return multiplies && IsConstant(node->operands[1]) ? node : nullptr;
  }

  std::optional<ValueId> Fold(const Node& node, BinaryOp op) {
    bool scales = op == BinaryOp::kMul || op == BinaryOp::kDiv;
    if (!scales && op != BinaryOp::kAdd) return std::nullopt;
    auto outer = Match(node, op);
    if (!outer || FeedsStep(node.result(), 0)) return std::nullopt;
    const std::string name = graph_.values[node.result()].name;
    if (const Node* product = ProductOf(outer->x))
      return scales ? Scaled(Node(*product), op, outer->constant, name) : std::nullopt;

    const Node* sum = OwnDefinition(outer->x);
    auto* added = sum ? std::get_if<Binary>(&sum->op) : nullptr;
    if (!added || added->op != BinaryOp::kAdd) return std::nullopt;
    auto within = Match(*sum, BinaryOp::kAdd);
    const Node* product = within ? ProductOf(within->x) : nullptr;
    if (!product || !IsSmallShift(*product, within->constant)) return std::nullopt;
    // (x + a) + b = x + (a + b),  (x + a) * f = x*f + a*f
    auto shift = Compute(Binary{op}, {*ConstantOf(within->constant), *ConstantOf(outer->constant)});
    if (!shift || Loses(*ConstantOf(within->constant), *shift, scales)) return std::nullopt;
    ValueId x = within->x;
    if (scales) {
      auto scaled = Scaled(Node(*product), op, outer->constant, name);
      if (!scaled) return std::nullopt;
      x = *scaled;
    }
    return Add(Binary{BinaryOp::kAdd}, {x, AddConstant(*shift, name + ".constant")}, name);
  }

  // The product with its weights multiplied or divided by the constant.
  std::optional<ValueId> Scaled(const Node& product, BinaryOp op, ValueId constant,
                                const std::string& name) {
    auto at = WeightDimension(product, constant);
    if (!at) return std::nullopt;
    const Tensor weight = *ConstantOf(product.operands[1]);
    Tensor factor = *ConstantOf(constant);
    Shape upright(weight.type.shape.size(), 1);
    upright[*at] = ElementCount(factor.type.shape);
    factor.type.shape = upright;
    auto scaled = Compute(Binary{op}, {weight, factor});
    if (!scaled || !KeepsWeights(weight, *scaled, *at)) return std::nullopt;
    ValueId changed = AddConstant(*scaled, graph_.values[product.operands[1]].name);
    return Add(product.op, {product.operands[0], changed}, name);
  }

  // The dimension of the weight that the constant varies along: it multiplies those weights that
  // make the elements of the result it is for.
  std::optional<size_t> WeightDimension(const Node& product, ValueId constant) {
    const Shape& shape = graph_.values[constant].type.shape;
    Shape full = graph_.values[product.result()].type.shape;
    // The dimension of the result that the constant varies along.
    size_t rank = full.size(), varies = rank;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d].Is(1)) continue;
      if (varies != rank) return std::nullopt;
      varies = d + rank - shape.size();
    }
    size_t weight_rank = graph_.values[product.operands[1]].type.shape.size();
    if (auto* conv = std::get_if<Conv>(&product.op)) {
      bool first = conv->layout == Layout::kChannelsFirst;
      if (varies != rank && varies != (first ? 1 : rank - 1)) return std::nullopt;
      return first ? 0 : weight_rank - 1;
    }
    if (auto* conv = std::get_if<ConvTranspose>(&product.op)) {
      bool first = conv->layout == Layout::kChannelsFirst;
      if (conv->groups != 1 || (varies != rank && varies != (first ? 1 : rank - 1)))
        return std::nullopt;
      return first ? 1 : weight_rank - 1;
    }
    auto& matmul = std::get<MatMul>(product.op);
    if (varies != rank && varies != rank - 1) return std::nullopt;
    // A vector has no columns.
    if (weight_rank < 2) return std::nullopt;
    return weight_rank - (matmul.transpose_b ? 2 : 1);
  }

  // ---- What is harmless. See docs/decisions.md.

  // The largest magnitudes of a weight's elements, for each of those along dimension `at`.
  static std::vector<Magnitude> Magnitudes(const Tensor& weight, size_t at) {
    const Shape& shape = weight.type.shape;
    auto size = static_cast<size_t>(shape[at].value());
    int64_t inner =
        ElementCount(Shape(shape.begin() + static_cast<int64_t>(at) + 1, shape.end())).value();
    std::vector<Magnitude> all(size);
    int64_t count = ElementCount(shape).value();
    for (int64_t i = 0; i < count; ++i) {
      double value = std::fabs(weight.data.At(weight.type.dtype, i).real);
      Magnitude& one = all[static_cast<size_t>(i / inner) % size];
      one.largest = value > one.largest || std::isnan(value) ? value : one.largest;
      one.most += value;
    }
    return all;
  }

  // Whether no column of weights has lost bits to underflow, or comes near to overflow.
  static bool KeepsWeights(const Tensor& before, const Tensor& after, size_t at) {
    DType dtype = before.type.dtype;
    std::vector<Magnitude> old = Magnitudes(before, at), now = Magnitudes(after, at);
    for (size_t i = 0; i < now.size(); ++i) {
      if (!(now[i].largest <= LargestWeight(dtype))) return false;
      bool vanishes = now[i].largest < SmallestNormal(dtype) && now[i].largest < old[i].largest;
      bool was_there = old[i].largest >= SmallestNormal(dtype);
      if (vanishes && was_there) return false;
    }
    return true;
  }

  // Whether a constant that is added to the product is of its size: something much larger rounds
  // it, and may be meant to.
  bool IsSmallShift(const Node& product, ValueId constant) const {
    const Tensor &shift = *ConstantOf(constant), &weight = *ConstantOf(product.operands[1]);
    size_t rank = weight.type.shape.size(), at = rank - 1;
    if (auto* conv = std::get_if<Conv>(&product.op)) {
      at = conv->layout == Layout::kChannelsFirst ? 0 : rank - 1;
    } else if (auto* conv = std::get_if<ConvTranspose>(&product.op)) {
      at = conv->layout == Layout::kChannelsFirst ? 1 : rank - 1;
    } else if (std::get<MatMul>(product.op).transpose_b) {
      at = rank < 2 ? 0 : rank - 2;
    }
    double most = 0;
    for (const Magnitude& one : Magnitudes(weight, at)) most = std::max(most, one.most);
    return Largest(shift) <= LargestShift(shift.type.dtype) * most;
  }

  // Whether what constants were combined to has overflowed, or vanished by underflow.
  static bool Loses(const Tensor& before, const Tensor& after, bool scaled) {
    double was = Largest(before), is = Largest(after);
    double normal = SmallestNormal(after.type.dtype);
    return !std::isfinite(is) || (scaled && was >= normal && is < normal);
  }

  static double Largest(const Tensor& tensor) {
    double largest = 0;
    int64_t count = ElementCount(tensor.type.shape).value();
    for (int64_t i = 0; i < count; ++i) {
      double value = std::fabs(tensor.data.At(tensor.type.dtype, i).real);
      if (!(value <= largest)) largest = value;
    }
    return largest;
  }

  // Whether what is computed here goes on to where a difference in the last bit is one of a whole
  // step: floor(conv(x, w) / 41) must find multiples of 41.
  bool FeedsStep(ValueId id, int depth) const {
    constexpr int kFarthest = 8;
    if (depth == kFarthest) return false;
    const auto& users = links_.UsersOf(id);
    return std::any_of(users.begin(), users.end(), [&](const Node* user) {
      return IsStep(*user) || (PassesOn(*user) && FeedsStep(user->result(), depth + 1));
    });
  }

  static bool IsStep(const Node& node) {
    if (auto* cast = std::get_if<Cast>(&node.op)) return !IsFloat(cast->to);
    if (auto* unary = std::get_if<Unary>(&node.op)) {
      switch (unary->function) {
        case Function::kSign:
        case Function::kFloor:
        case Function::kCeil:
        case Function::kRound:
        case Function::kTrunc: return true;
        default: return false;
      }
    }
    auto* binary = std::get_if<Binary>(&node.op);
    return binary && (loop::IsComparison(binary->op) || binary->op == BinaryOp::kMod ||
                      binary->op == BinaryOp::kFloorMod || binary->op == BinaryOp::kFloorDiv);
  }

  // Sums and products with constants, and what moves elements.
  bool PassesOn(const Node& node) const {
    if (std::holds_alternative<Reshape>(node.op) || std::holds_alternative<Transpose>(node.op))
      return true;
    if (!std::holds_alternative<Binary>(node.op)) return false;
    return links_.As<Constant>(node.operands[0]) || links_.As<Constant>(node.operands[1]);
  }

  bool SingleUse(ValueId id) const {
    // Values made by this pass have one user, the one they were made for, or the users of what they
    // replace.
    auto at = static_cast<size_t>(id.index);
    return at >= single_use_.size() ? !shared_.count(id) : static_cast<bool>(single_use_[at]);
  }

  Graph& graph_;
  EvaluationBudget& budget_;
  Links links_;
  std::vector<bool> single_use_;
  std::set<ValueId> shared_;
  Rewriter rewrite_;
  std::map<ValueId, Node> definition_;
  bool changed_ = false;
};

}  // namespace

void FoldScales(Graph& graph, EvaluationBudget& budget) {
  while (Folder(graph, budget).Run()) {
  }
}

}  // namespace webnnc::graph
