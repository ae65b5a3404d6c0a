#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// For processors that multiply floats faster than integers: a product of integers with constant
// weights is one of f32 where all that is added up is small enough to be exact there:
//
//   matmul(i32(a), i32(w))    ->    i32(matmul(f32(a), f32(w)))
void SumInFloats(Graph& graph, EvaluationBudget& budget);

}  // namespace webnnc::graph
