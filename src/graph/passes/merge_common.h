#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Whether two operations are of one kind and have the same attributes.
bool SameOp(const Op& a, const Op& b);

// Keeps one of several nodes that compute the same from the same operands.
void MergeCommon(Graph& graph);

}  // namespace webnnc::graph
