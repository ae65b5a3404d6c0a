#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// The graph while it is rewritten: what defines a value, and what values are.
class Definitions {
 public:
  Definitions(Graph& graph, Rewriter& rewrite, const Links& links)
      : graph_(graph), rewrite_(rewrite), links_(links) {}

  void Remember(const Node& node) {
    for (ValueId result : node.results) definition_.emplace(result, node);
  }
  const Node* Of(ValueId id) const {
    auto found = definition_.find(id);
    return found == definition_.end() ? nullptr : &found->second;
  }
  template <typename T>
  const Node* As(ValueId id) const {
    const Node* node = Of(id);
    return node && std::holds_alternative<T>(node->op) ? node : nullptr;
  }
  const TensorType& TypeOf(ValueId id) const { return graph_.values[id].type; }
  const Shape& ShapeOf(ValueId id) const { return TypeOf(id).shape; }

  // Whether `uses` nodes use it, and it is no output. What this pass made is used once.
  bool IsUsed(ValueId id, size_t uses = 1) const {
    bool is_new = static_cast<size_t>(id.index) >= links_.users.size();
    return is_new || (links_.UsersOf(id).size() == uses && !links_.IsOutput(id));
  }

  // The one value of all elements, if it is known.
  std::optional<double> Uniform(ValueId id) const {
    const Node* node = Of(id);
    if (!node) return std::nullopt;
    if (std::holds_alternative<Expand>(node->op) || std::holds_alternative<Reshape>(node->op))
      return Uniform(node->operands[0]);
    auto* constant = std::get_if<Constant>(&node->op);
    if (!constant) return std::nullopt;
    const Tensor& tensor = constant->value;
    constexpr int64_t kMostElements = 1 << 16;
    int64_t count = ElementCount(tensor.type.shape).value();
    if (count == 0 || count > kMostElements) return std::nullopt;
    double first = tensor.data.At(tensor.type.dtype, 0).AsReal();
    for (int64_t i = 1; i < count; ++i) {
      if (tensor.data.At(tensor.type.dtype, i).AsReal() != first) return std::nullopt;
    }
    return first;
  }

  ValueId Add(Op op, std::vector<ValueId> operands) {
    ValueId id = rewrite_.build.Add(std::move(op), std::move(operands), name);
    Remember(graph_.nodes.back());
    return id;
  }
  ValueId Reshaped(ValueId id, const Shape& shape) {
    while (const Node* inner = As<Reshape>(id)) {
      if (ShapeOf(id) == shape) return id;
      id = inner->operands[0];
    }
    return ShapeOf(id) == shape ? id : Add(Reshape{shape}, {id});
  }
  ValueId Scalar(DType dtype, double value) {
    ValueId id = rewrite_.build.AddScalar(dtype, value);
    Remember(graph_.nodes.back());
    return id;
  }

  // Goes through nodes in their order: of one with one result what `by` gives for it, which is made
  // in its name, takes its place.
  template <typename By>
  void ReplaceEach(By by) {
    for (Node& node : rewrite_.nodes()) {
      std::optional<ValueId> other;
      if (node.results.size() == 1) {
        name = graph_.values[node.result()].name;
        SetOrigins({&node});
        other = by(node);
      }
      if (other) {
        rewrite_.Replace(node, *other);
        continue;
      }
      Remember(node);
      rewrite_.Keep(std::move(node));
    }
  }

  // What nodes made from now on come from.
  void SetOrigins(std::initializer_list<const Node*> nodes) {
    std::vector<std::string> all;
    for (const Node* node : nodes) {
      for (const std::string& origin : node->origins) {
        if (std::find(all.begin(), all.end(), origin) == all.end()) all.push_back(origin);
      }
    }
    rewrite_.build.SetOrigins(std::move(all));
  }

  // What values made from now on are called.
  std::string name;

 private:
  Graph& graph_;
  Rewriter& rewrite_;
  const Links& links_;
  std::map<ValueId, Node> definition_;
};

}  // namespace webnnc::graph
