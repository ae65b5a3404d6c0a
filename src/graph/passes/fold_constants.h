#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// Computes what depends on constants alone, by the operations' own definitions:
//
//   %w: f32[64,10] = constant(...)
//   %t: f32[10,64] = transpose(%w, order=[1,0])      ->    %t: f32[10,64] = constant(...)
//
// A result much larger than its operands, such as a scalar expanded to an image or integers cast to
// wider ones, stays what it is, and so do indices and what is computed of them element by element:
// kernels make these for nothing. What sums, scatters or sorts them is computed here. And what
// would take more than `budget` has left is computed when the model runs.
void FoldConstants(Graph& graph, EvaluationBudget& budget);

}  // namespace webnnc::graph
