#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Writes each attention as the operations that it is made of (ops/attention.h), for which there are
// schedules. Each of these is a kernel, with the sums and factors in the first. The pass goes when
// attention has schedules of its own.
void ExpandAttention(Graph& graph);

}  // namespace webnnc::graph
