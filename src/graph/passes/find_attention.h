#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Finds what queries, keys and values are in the products around a softmax, however an exporter
// wrote it, and makes one operation of it:
//
//   matmul(softmax(add(mul(matmul(q, transpose(k)), s), mask)), v)
//     ->  attention(q, k, v, mask, scale=s)
//
// What may be written in several ways:
//   - factors of the scores, the queries or the keys, on either side of what moves their elements;
//   - softcap * tanh(scores / softcap);
//   - masks that are added or that choose between scores and a number, several of them;
//   - heads and batch as one dimension, and reshapes between that and two;
//   - heads of keys and values repeated by `expand` or `tile`, or broadcast by the product;
//   - weights that are 0 where they are NaN;
//   - f16 that becomes f32 for the softmax.
//
// Left alone are softmaxes whose weights or scores somebody else uses, and products with constants,
// whose weights are packed.
void FindAttention(Graph& graph);

}  // namespace webnnc::graph
