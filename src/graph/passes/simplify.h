#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Replaces operations by cheaper ones that compute the same:
//
//   x + 0, x * 1, a cast to its own type, a slice of everything       x
//   a transpose that moves only dimensions of size 1                  a reshape
//   a reshape of a reshape, a transpose of a transpose                one
//   a gather at indices that are known and evenly spaced              a slice
//   x - c  with a constant c                                          x + (-c)
//   x / c  with a power of two, whose reciprocal is exact             x * (1/c)
//   pow(x, 2), pow(x, 0.5)                                            x * x, sqrt(x)
//   a zero pad before a convolution or average                        the convolution's own pads
void Simplify(Graph& graph);

}  // namespace webnnc::graph
