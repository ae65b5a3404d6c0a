#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// For processors that multiply bytes, all of which have signs: integers that constant weights of i8
// are multiplied with become i8. Those of nine bits are passed on less what moves their range
// there; the weights' sums make up for it:
//
//   x: i16 = ...                     y: i8 = i8(... - 128)
//   conv(i32(x), w)            ->    conv(i32(y), w, outside=-128) + 128 * sum(w)
//   matmul(i32(q) - i32(z), w) ->    matmul(i32(i8(i16(q) - 128)), w) + (128 - i32(z)) * sum(w)
void NarrowFactors(Graph& graph, EvaluationBudget& budget);

// Whether it has products of i8.
bool HasByteProducts(const Graph& graph);

}  // namespace webnnc::graph
