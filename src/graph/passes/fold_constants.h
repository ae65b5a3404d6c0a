#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace webnnc::graph {

// Computes what depends on constants alone, by the operations' own definitions:
//
//   %w: f32[64,10] = constant(...)
//   %t: f32[10,64] = transpose(%w, order=[1,0])      ->    %t: f32[10,64] = constant(...)
//
// A result much larger than its operands, such as a scalar expanded to an image, stays what it is:
// kernels make it for nothing.
Status FoldConstants(Graph& graph);

}  // namespace webnnc::graph
