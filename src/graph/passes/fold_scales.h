#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// Gathers constants that are added and multiplied behind a convolution or matrix product, and
// multiplies the factors into its weights:
//
//   (conv(x, w) + a) * f + b    ->    conv(x, w*f) + (a*f + b)
//
// This is how batch normalisation disappears: the importer writes it as sums and products. Only in
// floats, where the sum or product has no other user, and where rounding stays of the size of the
// product's own: weights neither overflow nor vanish, what is added is not much larger than the
// product, and no floor or comparison follows, which would make a step of the last bit. Constants
// that no product is behind stay as the model has them, and so does what takes more to multiply
// than `budget` has left.
void FoldScales(Graph& graph, EvaluationBudget& budget);

}  // namespace webnnc::graph
