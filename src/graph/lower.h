#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"
#include "loop/kernel.h"

namespace webnnc::graph {

// The plain kernel of one node: its operands' and results' buffers in that order, each once even
// where an operand is used twice.
loop::Kernel LowerNode(const Graph& graph, const Node& node);

// The same, without a graph: an operation on operands of these types.
loop::Kernel LowerOp(const Op& op, const Types& operands);

// An operation that is made of others: what it is of its operands, as nodes of a graph.
using Expansion = std::function<ValueId(Builder& build, const std::vector<ValueId>& operands)>;
// The Lower of such an operation. What flows between the others is in temporaries.
void LowerAs(loop::Lowering& to, const Expansion& expand);

}  // namespace webnnc::graph
