#include "graph/passes/merge_common.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace webnnc::graph {

bool SameOp(const Op& a, const Op& b) {
  if (a.index() != b.index()) return false;
  if (Name(a) != Name(b)) return false;
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        const T& y = std::get<T>(b);
        if constexpr (std::is_same_v<T, Constant>) {
          return x.value.type == y.value.type && x.value.data == y.value.data;
        } else {
          return std::apply(
              [&](auto... field) { return ((x.*field.member == y.*field.member) && ...); },
              T::kFields);
        }
      },
      a);
}

namespace {

size_t HashOf(const std::vector<Dim>& sizes) {
  size_t hash = sizes.size();
  for (const Dim& size : sizes)
    hash = hash * 31 + (size.IsConstant() ? static_cast<size_t>(size.value()) : 0);
  return hash;
}

// Equal for equal operations.
size_t HashOf(const Op& op) {
  if (auto* constant = std::get_if<Constant>(&op)) {
    auto bytes = constant->value.data.bytes();
    constexpr size_t kMostBytes = 4096;
    std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                           std::min(bytes.size(), kMostBytes));
    return std::hash<std::string_view>()(start) ^ bytes.size();
  }
  if (auto* slice = std::get_if<Slice>(&op))
    return HashOf(slice->starts) * 31 + HashOf(slice->sizes);
  if (auto* reshape = std::get_if<Reshape>(&op)) return HashOf(reshape->shape);
  return 0;
}

}  // namespace

void MergeCommon(Graph& graph) {
  // Candidates by name, operands and what of the attributes tells most of them apart: a model may
  // have a hundred thousand weights of one size, or slices of one tensor.
  std::map<std::tuple<std::string, std::vector<ValueId>, size_t>, std::vector<Node>> seen;
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    // Each sets symbols of its own.
    if (!node.bodies.empty() || std::holds_alternative<Define>(node.op)) {
      rewrite.Keep(std::move(node));
      continue;
    }
    auto& candidates = seen[{std::string(Name(node.op)), node.operands, HashOf(node.op)}];
    const Node* same = nullptr;
    for (const Node& candidate : candidates) {
      if (SameOp(candidate.op, node.op)) same = &candidate;
    }
    if (same && node.results.size() == 1) {
      rewrite.Replace(node, same->result());
    } else {
      candidates.push_back(node);
      rewrite.Keep(std::move(node));
    }
  }
}

}  // namespace webnnc::graph
