#include "graph/passes/fold_scales.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// Each rule moves one constant one step toward the product; FoldScales applies them until none
// fits.
class Folder {
 public:
  explicit Folder(Graph& graph) : graph_(graph), links_(graph), rewrite_(graph) {
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
  // A constant, or what this pass made of constants: FoldConstants computes that.
  bool IsConstant(ValueId id) const {
    auto found = definition_.find(id);
    if (found == definition_.end()) return false;
    const Node& node = found->second;
    if (std::holds_alternative<Constant>(node.op)) return true;
    bool made_here =
        std::holds_alternative<Binary>(node.op) || std::holds_alternative<Reshape>(node.op);
    return made_here && std::all_of(node.operands.begin(), node.operands.end(),
                                    [&](ValueId operand) { return IsConstant(operand); });
  }

  ValueId Add(Op op, std::vector<ValueId> operands, const std::string& name) {
    ValueId id = rewrite_.build.Add(std::move(op), std::move(operands), name);
    definition_.emplace(id, graph_.nodes.back());
    return id;
  }

  // A product or sum with a constant: the other operand and the constant.
  struct WithConstant {
    ValueId x, constant;
  };
  std::optional<WithConstant> Match(const Node& node) const {
    ValueId a = node.operands[0], b = node.operands[1];
    if (IsConstant(a) == IsConstant(b)) return std::nullopt;
    if (IsConstant(a)) std::swap(a, b);
    // A constant that makes x larger by broadcasting stays outside.
    if (graph_.values[a].type.shape != graph_.values[node.result()].type.shape) return std::nullopt;
    if (!IsFloat(graph_.values[a].type.dtype)) return std::nullopt;
    return WithConstant{a, b};
  }

  std::optional<ValueId> Fold(const Node& node, BinaryOp op) {
    bool multiplies = op == BinaryOp::kMul;
    if (!multiplies && op != BinaryOp::kAdd) return std::nullopt;
    auto outer = Match(node);
    if (!outer) return std::nullopt;
    auto found = definition_.find(outer->x);
    if (found == definition_.end() || !SingleUse(outer->x)) return std::nullopt;
    const Node inner = found->second;
    const std::string name = graph_.values[node.result()].name;
    if (auto* binary = std::get_if<Binary>(&inner.op)) {
      auto within = Match(inner);
      if (!within) return std::nullopt;
      bool added = binary->op == BinaryOp::kAdd;
      if (!added && binary->op != BinaryOp::kMul) return std::nullopt;
      if (added != multiplies) {
        // (x + a) + b, (x * a) * b
        ValueId both = Add(Binary{op}, {within->constant, outer->constant}, name + ".constant");
        return Add(Binary{op}, {within->x, both}, name);
      }
      if (!multiplies) return std::nullopt;
      // (x + a) * f = x*f + a*f
      ValueId scaled = Add(Binary{BinaryOp::kMul}, {within->x, outer->constant}, name);
      ValueId shift =
          Add(Binary{BinaryOp::kMul}, {within->constant, outer->constant}, name + ".constant");
      return Add(Binary{BinaryOp::kAdd}, {scaled, shift}, name);
    }
    if (!multiplies || inner.operands.size() != 2) return std::nullopt;
    auto factor = WeightFactor(inner, outer->constant);
    if (!factor || !IsConstant(inner.operands[1])) return std::nullopt;
    ValueId weight = Add(Binary{BinaryOp::kMul}, {inner.operands[1], *factor},
                         graph_.values[inner.operands[1]].name);
    return Add(inner.op, {inner.operands[0], weight}, name);
  }

  // The constant shaped so that it multiplies the right elements of the weight: those that make
  // the elements of the result it is for.
  std::optional<ValueId> WeightFactor(const Node& product, ValueId constant) {
    const Shape& shape = graph_.values[constant].type.shape;
    Shape full = graph_.values[product.result()].type.shape;
    // The dimension of the result that the constant varies along.
    size_t rank = full.size(), varies = rank;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d].Is(1)) continue;
      if (varies != rank) return std::nullopt;
      varies = d + rank - shape.size();
    }
    size_t weight_rank = graph_.values[product.operands[1]].type.shape.size(), at = 0;
    if (auto* conv = std::get_if<Conv>(&product.op)) {
      bool first = conv->layout == Layout::kChannelsFirst;
      if (varies != rank && varies != (first ? 1 : rank - 1)) return std::nullopt;
      at = first ? 0 : weight_rank - 1;
    } else if (auto* conv = std::get_if<ConvTranspose>(&product.op)) {
      bool first = conv->layout == Layout::kChannelsFirst;
      if (conv->groups != 1 || (varies != rank && varies != (first ? 1 : rank - 1)))
        return std::nullopt;
      at = first ? 1 : weight_rank - 1;
    } else if (auto* matmul = std::get_if<MatMul>(&product.op)) {
      if (varies != rank && varies != rank - 1) return std::nullopt;
      at = weight_rank - (matmul->transpose_b ? 2 : 1);
    } else {
      return std::nullopt;
    }
    Shape upright(weight_rank, 1);
    upright[at] = ElementCount(shape);
    return Add(Reshape{upright}, {constant}, graph_.values[constant].name);
  }

  bool SingleUse(ValueId id) const {
    // Values made by this pass have one user, the one they were made for, or the users of what they
    // replace.
    auto at = static_cast<size_t>(id.index);
    return at >= single_use_.size() ? !shared_.count(id) : static_cast<bool>(single_use_[at]);
  }

  Graph& graph_;
  Links links_;
  std::vector<bool> single_use_;
  std::set<ValueId> shared_;
  Rewriter rewrite_;
  std::map<ValueId, Node> definition_;
  bool changed_ = false;
};

}  // namespace

void FoldScales(Graph& graph) {
  while (Folder(graph).Run()) {
  }
}

}  // namespace webnnc::graph
