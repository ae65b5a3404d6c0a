#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Pools of large windows go along one dimension after the other, where that is less work:
//
//   y: f32[1,8,20,20] = pool(x, kind=max, kernel=[13,13])
//   ->  rows: f32[1,8,20,20] = pool(x, kind=max, kernel=[13,1])
//       y = pool(rows, kind=max, kernel=[1,13])
//
// So a window of k x k elements takes 2*k steps instead of k*k. The average of averages is that of
// all, since how many elements count along a dimension is the same wherever a window is along the
// others. Sums of floats are added up in another order; those of f16, which would be rounded on the
// way, stay as they are.
void SeparateWindows(Graph& graph);

}  // namespace webnnc::graph
