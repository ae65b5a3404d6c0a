#pragma once

#include "graph/graph.h"
#include "target/machine.h"

namespace webnnc::graph {

// Running sums, and products of integers, along many elements of few rows (`limits`) are made of
// those of blocks, which are rows of their own:
//
//   y: f32[64] = cumulate(x, axis=0)    ->    blocks: f32[8,8] = reshape(x)
//                                             own: f32[8,8] = cumulate(blocks, axis=1)
//                                             totals: f32[8] = reduce(blocks, axes=[1])
//                                             before: f32[8] = cumulate(totals, axis=0, exclusive)
//                                             y = reshape(add(own, before))
//
// For GPUs, where a row is one thread: it takes about twice the square root of the steps. Sums of
// floats are added up in another order, those of f16 in f32; products of floats stay as they are.
void BlockCumulations(Graph& graph, const Machine::Cumulations& limits);

}  // namespace webnnc::graph
