#pragma once

#include <cstddef>

#include "graph/graph.h"

namespace webnnc::graph {

// Concatenations of more than `most` operands become trees of such that have at most as many, each
// operand as near to the root as can be:
//
//   concat(a, b, c, d, e)    ->    concat(concat(a, b, c), d, e)    with most = 3
//
// For devices that bind few buffers at once. `most` is at least 2.
void SplitConcats(Graph& graph, size_t most);

}  // namespace webnnc::graph
