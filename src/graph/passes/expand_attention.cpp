#include "graph/passes/expand_attention.h"

#include "graph/ops/attention.h"

namespace webnnc::graph {

void ExpandAttention(Graph& graph) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    if (auto* attention = std::get_if<Attention>(&node.op)) {
      const std::string name = graph.values[node.result()].name;
      rewrite.Replace(node, Expand(*attention, rewrite.build, node.operands, name));
    } else {
      rewrite.Keep(std::move(node));
    }
  }
}

}  // namespace webnnc::graph
