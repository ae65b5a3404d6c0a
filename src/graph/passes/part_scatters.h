#pragma once

#include "graph/graph.h"
#include "target/machine.h"

namespace webnnc::graph {

// Scatters of enough updates are split over parts of what they write to, each of which
// looks through all indices for its own:
//
//   y: f32[n] = scatter_elements(x: f32[64], i: i32[n], u: f32[n])
//     ->   parts: f32[8,8] = reshape(x)
//          y.2: f32[8,8] = scatter_elements(parts, i, u, whole=[64])
//          y: f32[64] = reshape(y.2)
//
// For GPUs, where updates that may meet are a thread's. An element still sees its updates in order:
// results are the same to the last bit. A look at an index that others read as well costs little
// beside an update, which waits for memory.
void PartScatters(Graph& graph, const Machine::Scatters& limits);

}  // namespace webnnc::graph
