#include "graph/passes/fold_constants.h"

#include <algorithm>
#include <map>
#include <set>

namespace webnnc::graph {

// Sizes, also where a slice begins, that a run decides.
static bool MentionsSymbols(const Graph& graph, const Node& node) {
  std::set<std::string> symbols;
  CollectSymbols(graph, node, symbols);
  return !symbols.empty();
}

// Weights that are stored in few bits stay so: kernels widen them where they are read.
static bool WidensIntegers(const Graph& graph, const Node& node) {
  auto* cast = std::get_if<Cast>(&node.op);
  if (!cast) return false;
  DType from = graph.values[node.operands[0]].type.dtype;
  return IsInteger(from) && BitSize(from) < 32 && BitSize(cast->to) > BitSize(from);
}

void FoldConstants(Graph& graph, EvaluationBudget& budget) {
  std::map<ValueId, Tensor> known;
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    if (auto* constant = std::get_if<Constant>(&node.op)) {
      known[node.result()] = constant->value;
      rewrite.Keep(std::move(node));
      continue;
    }
    bool decides = !node.bodies.empty() || std::holds_alternative<Define>(node.op);
    bool folds = std::holds_alternative<Sizes>(node.op) || (!node.operands.empty() && !decides);
    int64_t operand_bytes = 0;
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) {
      auto found = known.find(operand);
      folds &= found != known.end();
      if (!folds) break;
      operands.push_back(found->second);
      operand_bytes += ByteSize(found->second.type).value();
    }
    constexpr int64_t kAlwaysSmall = 4096, kSmallest = 64;
    const int64_t most = WidensIntegers(graph, node) ? std::max(kSmallest, operand_bytes)
                                                     : std::max(kAlwaysSmall, 2 * operand_bytes);
    for (ValueId result : node.results) {
      const TensorType& type = graph.values[result].type;
      folds = folds && IsStatic(type.shape) && ByteSize(type).value() <= most;
    }
    folds = folds && !MentionsSymbols(graph, node);
    auto results = folds ? Evaluate(node.op, operands, budget) : std::nullopt;
    if (!results) {
      rewrite.Keep(std::move(node));
      continue;
    }
    // Weights keep the name of the weight they were made from: that is what people look for.
    for (size_t i = 0; i < node.results.size(); ++i) {
      std::string name = graph.values[node.results[i]].name;
      ValueId folded = rewrite.build.AddConstant((*results)[i], name);
      known[folded] = (*results)[i];
      rewrite.Replace(node.results[i], folded);
    }
  }
}

}  // namespace webnnc::graph
