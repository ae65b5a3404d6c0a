#include "graph/lower.h"

#include <map>

#include "loop/lowering.h"

namespace webnnc::graph {

loop::Kernel LowerNode(const Graph& graph, const Node& node) {
  loop::Kernel kernel;
  kernel.name = Name(node.op);
  std::map<ValueId, loop::BufferId> buffers;
  std::vector<loop::BufferId> operands, results;
  for (ValueId id : node.operands) {
    auto [found, is_new] = buffers.emplace(id, loop::BufferId());
    if (is_new) {
      found->second =
          kernel.buffers.Add({graph.values[id].name, graph.values[id].type, loop::Space::kIn});
    }
    operands.push_back(found->second);
  }
  for (ValueId id : node.results) {
    results.push_back(
        kernel.buffers.Add({graph.values[id].name, graph.values[id].type, loop::Space::kOut}));
  }
  loop::Lowering lowering{kernel, operands, results};
  std::visit([&](const auto& op) { op.Lower(lowering); }, node.op);
  return kernel;
}

void LowerAs(loop::Lowering& to, const Expansion& expand) {
  Graph graph;
  Builder build(graph);
  std::map<ValueId, loop::BufferId> buffers;
  std::vector<ValueId> operands;
  for (size_t i = 0; i < to.operands.size(); ++i) {
    operands.push_back(build.AddValue("x" + std::to_string(i), to.Operand(i)));
    buffers[operands.back()] = to.operands[i];
  }
  buffers[expand(build, operands)] = to.results[0];
  for (const Node& node : graph.nodes) {
    loop::Lowering part{to.kernel, {}, {}};
    for (ValueId id : node.operands) part.operands.push_back(buffers.at(id));
    for (ValueId id : node.results) {
      auto [found, is_new] = buffers.emplace(id, loop::BufferId());
      const Value& value = graph.values[id];
      if (is_new) found->second = to.Temporary(value.name, value.type);
      part.results.push_back(found->second);
    }
    std::visit([&](const auto& op) { op.Lower(part); }, node.op);
  }
}

loop::Kernel LowerOp(const Op& op, const Types& operands) {
  Graph graph;
  Node node{op, {}, {}};
  for (const TensorType& type : operands) {
    node.operands.push_back(graph.values.Add({"x" + std::to_string(node.operands.size()), type}));
  }
  auto types = InferTypes(op, operands);
  CHECK(types);
  for (const TensorType& type : types.value())
    node.results.push_back(graph.values.Add({"y", type}));
  return LowerNode(graph, node);
}

}  // namespace webnnc::graph
