#include "graph/passes/fold_constants.h"

#include <algorithm>
#include <map>

namespace webnnc::graph {

namespace {

bool AllConstant(const Sizes& sizes) {
  return std::all_of(sizes.values.begin(), sizes.values.end(),
                     [](const Dim& d) { return d.IsConstant(); });
}

}  // namespace

void FoldConstants(Graph& graph, EvaluationBudget& budget) {
  std::map<ValueId, Tensor> known;
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    if (auto* constant = std::get_if<Constant>(&node.op)) {
      known[node.result()] = constant->value;
      rewrite.Keep(std::move(node));
      continue;
    }
    auto* sizes = std::get_if<Sizes>(&node.op);
    bool folds = sizes ? AllConstant(*sizes) : !node.operands.empty();
    int64_t operand_bytes = 0;
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) {
      auto found = known.find(operand);
      folds &= found != known.end();
      if (!folds) break;
      operands.push_back(found->second);
      operand_bytes += ByteSize(found->second.type).value();
    }
    const TensorType& type = graph.values[node.results[0]].type;
    folds &= node.results.size() == 1 && IsStatic(type.shape);
    constexpr int64_t kAlwaysSmall = 4096;
    folds = folds && ByteSize(type).value() <= std::max(kAlwaysSmall, 2 * operand_bytes);
    auto results = folds ? Evaluate(node.op, operands, budget) : std::nullopt;
    if (!results) {
      rewrite.Keep(std::move(node));
      continue;
    }
    // Weights keep the name of the weight they were made from: that is what people look for.
    std::string name = graph.values[node.results[0]].name;
    ValueId folded = rewrite.build.AddConstant(results->front(), name);
    known[folded] = results->front();
    rewrite.Replace(node, folded);
  }
}

}  // namespace webnnc::graph
