#include "graph/passes/merge_common.h"

#include <map>

namespace webnnc::graph {

namespace {

// Whether two operations of one kind have the same attributes.
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

}  // namespace

void MergeCommon(Graph& graph) {
  // Candidates by name and operands; constants by their size as well, since there are many.
  std::map<std::tuple<std::string, std::vector<ValueId>, size_t>, std::vector<Node>> seen;
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    size_t bytes = 0;
    if (auto* constant = std::get_if<Constant>(&node.op))
      bytes = constant->value.data.bytes().size();
    auto& candidates = seen[{std::string(Name(node.op)), node.operands, bytes}];
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
