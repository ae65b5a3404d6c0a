#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Writes each attention as the operations that it is made of (ops/attention.h), of which kernels
// are formed: products with the sums and factors of the first, or one of all (loop::StreamRows).
void ExpandAttention(Graph& graph);

}  // namespace webnnc::graph
