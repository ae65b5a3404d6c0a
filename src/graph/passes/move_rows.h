#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Rows are moved where that costs nothing: such as those of windows that attention is computed in,
// which reshapes, transposes and rolls cut out of an image and put together again. A move here is a
// chain of these that leaves the last dimension as it is.
//
//   add(move(matmul(a, w)), x)    ->    move(add(matmul(a, w), move back(x)))
//   move(normalize(x))            ->    normalize(move(x))
//
// In the first the product's kernel adds x as well, and what reads the sum finds its rows
// elsewhere; this is done where all that reads it does so row by row. In the second the
// normalisation reads rows elsewhere, where its result had to be moved, or a product's tiles be
// gathered.
void MoveRows(Graph& graph);

}  // namespace webnnc::graph
