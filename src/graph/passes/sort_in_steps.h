#pragma once

#include <string>

#include "graph/graph.h"

namespace webnnc::graph {

struct Sorted {
  ValueId values, places;
};

// top_k as Batcher's bitonic network (Knuth, The Art of Computer Programming, 5.3.4) in a loop, a
// step an iteration: steps (k, j) with k = 2, 4, ..., n and j = k/2, k/4, ..., 1, in each of which
// places i and i xor j are compared, for ascending order where i has no bit k. What is sorted are
// indices into a row, of as many as the next power of two; those behind the row's end come last.
// A row has at most `most` elements.
Sorted SortInSteps(Builder& build, const TopK& op, ValueId x, const std::string& name,
                   int64_t most);

}  // namespace webnnc::graph
