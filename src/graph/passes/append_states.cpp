#include "graph/passes/append_states.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace webnnc::graph {

namespace {

// Puts dimension `axis` first.
Integers ToFront(int64_t axis, int64_t rank) {
  Integers order{axis};
  for (int64_t d = 0; d < rank; ++d) {
    if (d != axis) order.push_back(d);
  }
  return order;
}

Integers Inverse(const Integers& order) {
  Integers inverse(order.size());
  for (size_t d = 0; d < order.size(); ++d)
    inverse[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  return inverse;
}

bool IsIdentity(const Integers& order) { return std::is_sorted(order.begin(), order.end()); }

// How an output comes of a concatenation with the input of the run before: transposed, maybe.
struct Growth {
  const Node* concat = nullptr;
  // The output is the concat's result in this order, and the input so is its first operand.
  Integers order;
  // Of the output.
  int64_t axis = 0;
  // Of a state that is not appended in place: why.
  std::string reason = {};
};

Integers OrderOf(const Node& transpose) { return std::get<Transpose>(transpose.op).order; }

Growth GrowthOf(const Graph& graph, const Links& links, ValueId input, ValueId output) {
  Growth growth;
  const TensorType& type = graph.values[input].type;
  growth.order.resize(type.shape.size());
  std::iota(growth.order.begin(), growth.order.end(), 0);
  const Node* node = links.DefinitionOf(output);
  if (node && std::holds_alternative<Transpose>(node->op)) {
    growth.order = OrderOf(*node);
    node = links.DefinitionOf(node->operands[0]);
  }
  auto* concat = node ? std::get_if<Concat>(&node->op) : nullptr;
  bool grows = type.shape != graph.values[output].type.shape;
  if (!concat) {
    if (grows) growth.reason = "it is no concatenation of what was there and what is new";
    return growth;
  }
  auto is_past = [&](ValueId operand) {
    const Node* moved = links.DefinitionOf(operand);
    bool transposes = moved && std::holds_alternative<Transpose>(moved->op);
    if (IsIdentity(growth.order)) return operand == input;
    return transposes && moved->operands[0] == input && OrderOf(*moved) == Inverse(growth.order);
  };
  auto count = std::count_if(node->operands.begin(), node->operands.end(), is_past);
  auto at = std::find(growth.order.begin(), growth.order.end(), concat->axis);
  growth.axis = at - growth.order.begin();
  if (count == 0) {
    growth.reason = "it is no concatenation of what was there and what is new";
  } else if (count > 1) {
    growth.reason = "it is there more than once in what becomes of it";
  } else if (!is_past(node->operands[0])) {
    growth.reason = "it does not grow at its end";
  } else if (type.dtype == DType::kI64 || type.dtype == DType::kU64 || type.dtype == DType::kF64) {
    growth.reason = std::string(Name(type.dtype)) + " is another type on GPUs";
  } else {
    growth.concat = node;
  }
  return growth;
}

}  // namespace

bool AppendStates(Graph& graph, std::vector<State>& states) {
  std::map<ValueId, std::pair<State*, Growth>> by_concat;
  {
    Links links(graph);
    for (State& state : states) {
      Growth growth = GrowthOf(graph, links, graph.inputs[state.input].value,
                               graph.outputs[state.output].value);
      state.reason = growth.reason;
      if (!growth.concat) continue;
      state.kept = State::Kept::kAppended;
      state.axis = growth.axis;
      by_concat[growth.concat->result()] = {&state, growth};
    }
  }
  if (by_concat.empty()) return false;
  Rewriter rewrite(graph);
  Builder& build = rewrite.build;
  auto transposed = [&](ValueId id, const Integers& order, const std::string& name) {
    return IsIdentity(order) ? id : build.Add(Transpose{order}, {id}, name);
  };
  for (auto& [id, of] : by_concat) {
    const State& state = *of.first;
    Port& port = graph.inputs[state.input];
    TensorType type = graph.values[port.value].type;
    Integers order = ToFront(state.axis, type.rank());
    if (IsIdentity(order)) continue;
    const Dim size = type.shape[static_cast<size_t>(state.axis)];
    type.shape.erase(type.shape.begin() + state.axis);
    type.shape.insert(type.shape.begin(), size);
    ValueId moved = build.AddValue(port.name, std::move(type));
    rewrite.Replace(port.value, transposed(moved, Inverse(order), port.name));
    port.value = moved;
  }
  for (Node& node : rewrite.nodes()) {
    auto found = node.results.size() == 1 ? by_concat.find(node.result()) : by_concat.end();
    if (found == by_concat.end()) {
      rewrite.Keep(std::move(node));
      continue;
    }
    const auto& [state, growth] = found->second;
    const std::string name = graph.values[node.result()].name;
    build.SetOrigins(node.origins);
    std::vector<ValueId> added(node.operands.begin() + 1, node.operands.end());
    const int64_t along = std::get<Concat>(node.op).axis;
    ValueId fresh = added.size() == 1 ? added[0] : build.Add(Concat{along}, added, name);
    Integers order = ToFront(state->axis, graph.values[fresh].type.rank());
    ValueId in_order = transposed(fresh, growth.order, name);
    ValueId present = build.Add(
        Concat{0}, {graph.inputs[state->input].value, transposed(in_order, order, name)}, name);
    graph.outputs[state->output].value = present;
    ValueId output = transposed(present, Inverse(order), name);
    rewrite.Replace(node, transposed(output, Inverse(growth.order), name));
  }
  return true;
}

}  // namespace webnnc::graph
