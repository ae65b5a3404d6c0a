// How weights become integers of a few bits: x is about q * s, with a scale s for each group.
#pragma once

#include <span>
#include <vector>

#include "tensor/data.h"

namespace webnnc {

// A tensor seen as [outer, along, inner, tail]. What has the same place in `outer` and `inner`, and
// is in the same block of `along`, is a group.
struct Groups {
  int64_t outer = 1, along = 1, inner = 1, tail = 1;
  int64_t block = along;

  int64_t blocks() const { return (along + block - 1) / block; }
  int64_t count() const { return outer * blocks() * inner; }
};

struct QuantizedWeights {
  Tensor integers;
  std::vector<float> scales;  // [outer, blocks, inner]
};

// Quantises finite elements to a signed integer type. Of each group the element that is farthest
// from zero becomes about the lowest integer, whatever its sign. Of scales some percent larger and
// smaller than that tells, which clip more or less, the one with the least square error is taken,
// each the best for the integers that it gives. llama.cpp does it so (make_qx_quants in
// ggml-quants.c), with weights for errors; here all weigh the same. With `half_scales` scales are
// numbers of f16.
QuantizedWeights Quantize(const TensorType& type, std::span<const float> x, const Groups& groups,
                          DType to, bool half_scales);

}  // namespace webnnc
