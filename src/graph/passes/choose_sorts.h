#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace webnnc::graph {

// How a CPU sorts: a few elements by comparing all with all, others digit by digit.
void ChooseSortsForCpu(Graph& graph);

// Up to how many elements a GPU sorts in a workgroup, which has room for twice as many places, and
// up to how many it compares all with all, which takes less than some dozen passes over a row.
struct SortLimits {
  int64_t network = 1024, compared = 4096;
};

// How a GPU sorts, which nothing is gained by that goes element by element. The first of a long row
// are found among the first of its blocks, each of them sorted by a workgroup:
//
//   v, i = top_k(x, count=8)    ->    blocks: f32[32,64] = reshape(x)
//                                     own, at = top_k(blocks, axis=1, count=8, method=network)
//                                     left: f32[256] = reshape(own)
//                                     v, where = top_k(left, count=8, method=network)
//                                     i = gather_elements(reshape(gather_elements(places, at)),
//                                     where)
//
// Where blocks would leave too many, a loop sorts the row, with a step of a network in each
// iteration (sort_in_steps.h). `model` is the whole graph, in whose bodies there are sizes that it
// defines. Whether anything was changed.
bool ChooseSortsForGpu(Graph& model, const SortLimits& limits = {});

}  // namespace webnnc::graph
