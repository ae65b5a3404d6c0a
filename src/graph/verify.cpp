#include "graph/verify.h"

#include <set>

namespace webnnc::graph {

Status Verify(const Graph& graph) {
  std::vector<bool> defined(static_cast<size_t>(graph.values.size()));
  std::set<std::string> names;
  auto define = [&](ValueId id) {
    defined[static_cast<size_t>(id.index)] = true;
    return names.insert(graph.values[id].name).second;
  };

  for (const Port& port : graph.inputs) {
    const std::string& name = graph.values[port.value].name;
    if (!define(port.value)) return Error{"two values are named %" + name};
    if (HasNegativeSize(graph.values[port.value].type.shape))
      return Error{"a size of %" + name + " is negative"};
  }
  for (const Node& node : graph.nodes) {
    if (node.results.empty()) return Error{std::string(Name(node.op)) + " has no result"};
    Location here{0, 0, graph.values[node.results[0]].name};
    Types operands;
    for (ValueId operand : node.operands) {
      if (!defined[static_cast<size_t>(operand.index)]) {
        return Error{"uses %" + graph.values[operand].name + " before it is defined", here};
      }
      operands.push_back(graph.values[operand].type);
    }
    auto types = InferTypes(node.op, operands);
    if (!types) return Error{types.error().message, here};
    if (types.value().size() != node.results.size()) {
      return Error{
          std::string(Name(node.op)) + " has " + std::to_string(types.value().size()) + " results",
          here};
    }
    for (size_t i = 0; i < node.results.size(); ++i) {
      const Value& result = graph.values[node.results[i]];
      if (result.type != types.value()[i]) {
        return Error{"has type " + Print(result.type) + ", but " + std::string(Name(node.op)) +
                         " gives " + Print(types.value()[i]),
                     here};
      }
      if (!define(node.results[i])) return Error{"two values are named %" + result.name, here};
    }
  }
  for (const Port& port : graph.outputs) {
    if (!defined[static_cast<size_t>(port.value.index)]) {
      return Error{"returns %" + graph.values[port.value].name + ", which is not defined"};
    }
  }
  return kSuccess;
}

}  // namespace webnnc::graph
