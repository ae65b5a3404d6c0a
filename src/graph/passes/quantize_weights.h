#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// How weights are stored: as f16, i8 or i4, the last with a scale for each `block` of a sum.
struct WeightFormat {
  DType dtype = DType::kI8;
  int64_t block = 32;
};

// Stores weights in fewer bits, as they are in models that came so; kernels widen what they read,
// and compute in f32 as before. Weights are constants of f32 that are read as right sides of
// products and as tables whose rows are looked up, and in no other way:
//
//   f16    matmul(x, w)    ->    matmul(x, f32(h))
//   i8     matmul(x, w)    ->    matmul(x, f32(q)) * s            a scale for each column or
//   channel
//          gather(w, i)    ->    gather(f32(q), i) * gather(expand(s), i)      and for each row
//   i4     matmul(x, w)    ->    matmul(x, transpose(f32(q) * s))     one for each block of the sum
//          gather(w, i)    ->    gather(f32(q), i) * gather(expand(s), i)     and of the row
//
// A row is what lies along the last dimension, also of tables whose entries are matrices, as those
// of experts. What has no blocks (filters, several matrices) takes i8 instead of i4. A weight stays
// as it is where less than kFewestSaved bytes would be saved, and if it has elements that are not
// finite, or would not be.
void QuantizeWeights(Graph& graph, const WeightFormat& format);
inline constexpr int64_t kFewestSaved = 4096;

}  // namespace webnnc::graph
