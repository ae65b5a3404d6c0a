#pragma once

#include "graph/graph.h"
#include "loop/kernel.h"

namespace webnnc::graph {

// The plain kernel of one node: its operands' and results' buffers in that order, each once even
// where an operand is used twice.
loop::Kernel LowerNode(const Graph& graph, const Node& node);

// The same, without a graph: an operation on operands of these types.
loop::Kernel LowerOp(const Op& op, const Types& operands);

}  // namespace webnnc::graph
