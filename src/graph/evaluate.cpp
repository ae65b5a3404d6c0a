#include "graph/evaluate.h"

#include <algorithm>

#include "graph/lower.h"
#include "loop/interpret.h"
#include "loop/interpret_dims.h"
#include "loop/run_stages.h"
#include "loop/verify.h"

namespace webnnc::graph {

Result<SymbolValues> BindSymbols(const Graph& graph, const Types& inputs) {
  CHECK(inputs.size() == graph.inputs.size());
  SymbolValues symbols;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i].value];
    Error misfit{"input \"" + graph.inputs[i].name + "\" is " + Print(inputs[i]) +
                 ", but the model takes " + Print(value.type)};
    if (inputs[i].dtype != value.type.dtype || inputs[i].rank() != value.type.rank()) return misfit;
    for (size_t d = 0; d < inputs[i].shape.size(); ++d) {
      const Dim& size = value.type.shape[d];
      // Inputs' sizes are integers or single symbols; anything else is checked below.
      if (auto symbol = SymbolOf(size)) symbols.emplace(*symbol, inputs[i].shape[d].value());
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i].value];
    if (Substitute(value.type.shape, symbols) != inputs[i].shape) {
      return Error{"input \"" + graph.inputs[i].name + "\" is " + Print(inputs[i]) +
                   ", but the model takes " + Print(value.type)};
    }
  }
  return symbols;
}

namespace {

// Runs an operation's kernel, whose first buffers are the operands, each once.
Result<std::vector<Tensor>> Run(const loop::Kernel& kernel,
                                const std::vector<const Tensor*>& operands,
                                const SymbolValues& symbols) {
  TRY(loop::VerifyPlain(kernel));
  loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
  size_t next = 0;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    if (kernel.buffers[loop::BufferId{b}].space != loop::Space::kIn) continue;
    auto bytes = operands[next++]->data.bytes();
    memory[static_cast<size_t>(b)].assign(bytes.begin(), bytes.end());
  }
  TRY(loop::Interpret(kernel, memory, {symbols, false}));
  std::vector<Tensor> results;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
    if (buffer.space != loop::Space::kOut) continue;
    results.push_back({{buffer.type.dtype, Substitute(buffer.type.shape, symbols)},
                       TensorData::Own(std::move(memory[static_cast<size_t>(b)]))});
  }
  return results;
}

}  // namespace

std::optional<std::vector<Tensor>> Evaluate(const Op& op, const std::vector<Tensor>& operands,
                                            EvaluationBudget& budget) {
  if (auto* constant = std::get_if<Constant>(&op)) return std::vector{constant->value};
  Types types;
  std::vector<std::span<const uint8_t>> bytes;
  for (const Tensor& operand : operands) {
    types.push_back(operand.type);
    bytes.push_back(operand.data.bytes());
  }
  loop::Kernel kernel = LowerOp(op, types);
  loop::StagesCost cost = loop::CostOfStages(kernel);
  if (cost.steps > budget.steps || cost.bytes > budget.bytes) return std::nullopt;
  budget.steps -= cost.steps;
  budget.bytes -= cost.bytes;
  auto computed = loop::RunStages(kernel, bytes);
  // A kernel that reaches outside its buffers is a bug of the operation's definition.
  CHECK(computed);
  auto result_types = InferTypes(op, types);
  CHECK(result_types);
  std::vector<Tensor> results;
  for (size_t i = 0; i < computed.value().size(); ++i)
    results.push_back({result_types.value()[i], TensorData::Own(std::move(computed.value()[i]))});
  return results;
}

Result<std::vector<Tensor>> Evaluate(const Graph& graph, const std::vector<Tensor>& inputs) {
  Types types;
  for (const Tensor& input : inputs) types.push_back(input.type);
  TRY_ASSIGN(auto symbols, BindSymbols(graph, types));
  for (const Assumption& assumption : graph.assumptions) {
    if (!Holds(assumption, symbols))
      return Error{"for these inputs " + Print(assumption) + " does not hold"};
  }

  std::vector<Tensor> values(static_cast<size_t>(graph.values.size()));
  auto at = [&](ValueId id) -> Tensor& { return values[static_cast<size_t>(id.index)]; };
  for (size_t i = 0; i < inputs.size(); ++i) at(graph.inputs[i].value) = inputs[i];
  for (const Node& node : graph.nodes) {
    if (auto* constant = std::get_if<Constant>(&node.op)) {
      at(node.results[0]) = constant->value;
      continue;
    }
    std::vector<const Tensor*> operands;
    std::vector<ValueId> seen;
    for (ValueId operand : node.operands) {
      if (std::find(seen.begin(), seen.end(), operand) != seen.end()) continue;
      seen.push_back(operand);
      operands.push_back(&at(operand));
    }
    auto results = Run(LowerNode(graph, node), operands, symbols);
    if (!results) {
      return Error{results.error().message, {0, 0, graph.values[node.results[0]].name}};
    }
    for (size_t i = 0; i < node.results.size(); ++i) {
      at(node.results[i]) = std::move(results.value()[i]);
    }
  }
  std::vector<Tensor> outputs;
  for (const Port& port : graph.outputs) outputs.push_back(at(port.value));
  return outputs;
}

std::optional<SizeElements> EvaluateSizes(const Op& op, const Types& operands,
                                          const std::vector<std::optional<SizeElements>>& known,
                                          const std::set<Dim>& sizes) {
  // Sizes say their elements themselves.
  if (auto* sizes = std::get_if<Sizes>(&op)) return sizes->values;
  auto types = InferTypes(op, operands);
  if (!types || types.value().size() != 1) return std::nullopt;
  const TensorType& result = types.value()[0];
  constexpr int64_t kMostElements = 64;
  bool small = IsStatic(result.shape) && ElementCount(result.shape).value() <= kMostElements;
  if (!small) return std::nullopt;
  loop::Kernel kernel = LowerOp(op, operands);
  std::vector<loop::DimElements> memory(static_cast<size_t>(kernel.buffers.size()));
  for (size_t i = 0; i < operands.size(); ++i) {
    if (known[i]) memory[i].assign(known[i]->begin(), known[i]->end());
  }
  if (!loop::InterpretDims(kernel, memory, sizes)) return std::nullopt;
  SizeElements elements;
  for (const auto& element : memory[operands.size()]) {
    if (!element) return std::nullopt;
    elements.push_back(*element);
  }
  return elements;
}

}  // namespace webnnc::graph
