// Runs plain kernels whose sizes are known, for what depends on constants alone. The same results
// as Interpret, bit for bit, some thirty times as fast: expressions are computed for many
// iterations at once.
#pragma once

#include <span>
#include <vector>

#include "loop/kernel.h"
#include "loop/stage.h"

namespace webnnc::loop {

// How much there is to do for a plain kernel without symbols: iterations times expressions, and
// the bytes that are written. Both saturate.
struct StagesCost {
  int64_t steps = 0;
  int64_t bytes = 0;
};
StagesCost CostOfStages(const Kernel& plain);

// How many expressions an iteration of a stage computes.
size_t ExpressionsOf(const Kernel& plain, const Stage& stage);

// `operands` are the bytes of the kernel's `in` buffers, in order; the results are those of its
// `out` buffers. Fails on an index outside its buffer: the kernel is wrong.
Result<std::vector<std::vector<uint8_t>>> RunStages(
    const Kernel& plain, const std::vector<std::span<const uint8_t>>& operands);

}  // namespace webnnc::loop
