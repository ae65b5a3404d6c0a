#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Keeps one of several nodes that compute the same from the same operands.
void MergeCommon(Graph& graph);

}  // namespace webnnc::graph
