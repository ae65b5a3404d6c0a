// The oracle: what a graph computes, by the operations' own definitions.
#pragma once

#include <functional>
#include <optional>
#include <set>

#include "graph/graph.h"

namespace webnnc::graph {

// What computing constants may take while a model is compiled, in all: steps of kernels, and bytes
// of results. Counted, not timed, so that the same model gives the same bundle everywhere. A
// billion steps take about a second.
struct EvaluationBudget {
  int64_t steps = 4'000'000'000;
  int64_t bytes = int64_t{2} << 30;
};

// The results of `op` for constant operands; nothing if they take more than `budget` has left.
std::optional<std::vector<Tensor>> Evaluate(const Op& op, const std::vector<Tensor>& operands,
                                            EvaluationBudget& budget);

// Runs a whole graph, node by node. `inputs` are as graph.inputs; symbols take the inputs' sizes,
// and an input whose sizes contradict them is an error. Results are as graph.outputs.
struct Watch {
  // Called behind each node.
  std::function<void()> node = {};
  // Called with each input and result, those of bodies as often as they run.
  std::function<void(const Graph&, ValueId, const Tensor&)> value = {};
};
Result<std::vector<Tensor>> Evaluate(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const Watch& watch = {});

// What symbols must be for inputs of these types to fit the graph.
Result<SymbolValues> BindSymbols(const Graph& graph, const Types& inputs);

// The elements of a small integer tensor as sizes. `known` is as the operands; an operand that is
// not known has no value. Nothing if an element is no size, or cannot be told apart for all values
// of the symbols. `sizes` as in loop::InterpretDims.
using SizeElements = std::vector<Dim>;
std::optional<SizeElements> EvaluateSizes(const Op& op, const Types& operands,
                                          const std::vector<std::optional<SizeElements>>& known,
                                          const std::set<Dim>& sizes = {});

// The same where some of the elements may not be known: of an operand, and so of the result.
using PartialElements = std::vector<std::optional<Dim>>;
std::optional<PartialElements> EvaluateElements(
    const Op& op, const Types& operands, const std::vector<std::optional<PartialElements>>& known,
    const std::set<Dim>& sizes = {});

}  // namespace webnnc::graph
