#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Gathers constants that are added and multiplied behind a convolution or matrix product, and
// multiplies the factors into its weights:
//
//   (conv(x, w) + a) * f + b    ->    conv(x, w*f) + (a*f + b)
//
// This is how batch normalisation disappears: the importer writes it as sums and products. Only
// where the sum or product has no other user, and in floats.
void FoldScales(Graph& graph);

}  // namespace webnnc::graph
