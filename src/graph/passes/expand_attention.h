#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Writes each attention as the operations that there are schedules for: a product, what is done to
// its elements, a softmax, and a product.
//
//   attention(q, k, v, mask, scale=s)
//     ->  matmul(softmax(add(mul(matmul(q, transpose(k)), s), mask)), v)
//
// Each of these is a kernel, with the sums and factors in the first. Heads that share keys and
// values are a dimension of their own, along which those broadcast, so nothing is repeated.
//
// This is the only place that knows it. It goes when attention has schedules of its own.
void ExpandAttention(Graph& graph);

}  // namespace webnnc::graph
