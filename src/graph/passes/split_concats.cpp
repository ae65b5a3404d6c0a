#include "graph/passes/split_concats.h"

#include <algorithm>

namespace webnnc::graph {

void SplitConcats(Graph& graph, size_t most) {
  CHECK(most >= 2);
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    if (std::holds_alternative<Concat>(node.op) && node.operands.size() > most) {
      const std::string name = graph.values[node.result()].name;
      rewrite.build.SetOrigins(node.origins);
      // Each turn replaces neighbours by one operand, no more of them than is needed; the next turn
      // looks behind it, so that what has been moved is moved again only when all have been.
      for (size_t at = 0; node.operands.size() > most;) {
        size_t too_many = node.operands.size() - most;
        size_t count = std::min({most, too_many + 1, node.operands.size() - at});
        auto first = node.operands.begin() + static_cast<int64_t>(at),
             end = first + static_cast<int64_t>(count);
        if (count > 1) {
          *first = rewrite.build.Add(node.op, std::vector<ValueId>(first, end), name + "_part");
          node.operands.erase(first + 1, end);
        }
        at = at + 1 < node.operands.size() ? at + 1 : 0;
      }
    }
    rewrite.Keep(std::move(node));
  }
}

}  // namespace webnnc::graph
