#include "graph/passes/sum_in_floats.h"

#include <algorithm>

#include "graph/passes/definitions.h"
#include "graph/passes/known_integers.h"

namespace webnnc::graph {

namespace {

// The largest sum of magnitudes of weights that are multiplied for one result; `at` is the
// dimension that results have.
int64_t LargestSum(const Tensor& weights, size_t at) {
  const Shape& shape = weights.type.shape;
  auto behind = Shape(shape.begin() + static_cast<std::ptrdiff_t>(at) + 1, shape.end());
  const int64_t size = shape[at].value(), inner = ElementCount(behind).value();
  std::vector<int64_t> sums(static_cast<size_t>(size));
  for (int64_t i = 0; i < ElementCount(shape).value(); ++i)
    sums[static_cast<size_t>(i / inner % size)] +=
        std::abs(weights.data.At(weights.type.dtype, i).integer);
  return sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
}

// The dimension of a product's weights that its result has.
std::optional<size_t> ColumnsOf(const Op& op, size_t rank) {
  if (auto* conv = std::get_if<Conv>(&op))
    return conv->layout == Layout::kChannelsFirst ? 0 : rank - 1;
  auto* matmul = std::get_if<MatMul>(&op);
  if (!matmul || rank != 2) return std::nullopt;
  return matmul->transpose_b ? 0 : 1;
}

}  // namespace

void SumInFloats(Graph& graph, EvaluationBudget& budget) {
  // Integers up to here are floats.
  constexpr int64_t kExact = 1 << 24;
  const Links links(graph);
  Rewriter rewrite(graph);
  Definitions definitions(graph, rewrite, links);
  for (Node& node : rewrite.nodes()) {
    auto keep = [&] {
      definitions.Remember(node);
      rewrite.Keep(std::move(node));
    };
    bool sums = node.operands.size() == 2 && node.results.size() == 1 &&
                definitions.TypeOf(node.result()).dtype == DType::kI32;
    auto at =
        sums ? ColumnsOf(node.op, definitions.ShapeOf(node.operands[1]).size()) : std::nullopt;
    auto weights = at && IsMadeOfConstants(definitions, node.operands[1])
                       ? ComputedConstant(definitions, node.operands[1], budget)
                       : std::nullopt;
    if (!weights) {
      keep();
      continue;
    }
    int64_t largest = RangeOf(definitions, node.operands[0]).magnitude();
    if (largest * LargestSum(*weights, *at) >= kExact) {
      keep();
      continue;
    }
    definitions.name = graph.values[node.result()].name;
    definitions.SetOrigins({&node});
    std::vector<ValueId> floats;
    for (ValueId operand : node.operands) {
      const Node* cast = definitions.As<Cast>(operand);
      ValueId narrow = cast ? cast->operands[0] : operand;
      floats.push_back(definitions.Add(Cast{DType::kF32}, {narrow}));
    }
    ValueId sum = definitions.Add(node.op, floats);
    rewrite.Replace(node, definitions.Add(Cast{DType::kI32}, {sum}));
  }
}

}  // namespace webnnc::graph
