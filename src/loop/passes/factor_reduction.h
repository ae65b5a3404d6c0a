#pragma once

#include <cstdint>
#include <optional>

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes two stages of a reduction, so that `parts` of its terms can be combined side by side
// (rfactor; Suriana, Adams, Kamil, Parallel Associative Reductions in Halide, 2017):
//
//   for i { for k in 768 { %y[i] += %x[i, k] from 1.0 } }      ->
//
//   for p in 4 { for i { for k in 192 { %parts[p, i] += %x[i, p * 192 + k] from 0.0 } } }
//   for i { %y[i] = 1.0 + %parts[0, i] + %parts[1, i] + %parts[2, i] + %parts[3, i] }
//
// No two runs differ, since parts are combined in order. The second stage is a map, which becomes
// part of what uses it, or of more than a few parts a reduction. `plain` has one reduction, of one
// value, whose longest loop `parts` divides (FactorableLength).
void FactorReduction(Kernel& plain, int64_t parts);

// How long the loop is that FactorReduction cuts; nothing if the kernel is none of those.
std::optional<int64_t> FactorableLength(const Kernel& plain);

}  // namespace webnnc::loop
