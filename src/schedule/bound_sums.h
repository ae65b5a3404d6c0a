// Keeps long sums right: whatever a rule, a file or nobody has said about a kernel's loops, no
// variable takes more than kMostTerms terms of a sum, or kMostProducts products, as far as sizes
// allow so many.
//
//   y = sum of x: f32[n]        split i 4 4 tail=peel ... combine i.1, combine i.2
//                               adds subtotal i.0 512, subtotal i.0 262144
//
// A variable adds to a sum an error of at most 2^-24 of the sum of all magnitudes for each term
// that it takes, and parts of parts add theirs. So a sum is off by at most 2^-13 of its magnitudes
// (two levels of 512 and one of 1024 are enough for 2^28 terms in one variable), and a sum of
// products by 2^-10: registers are dear there. Errors of both signs cancel: what is seen is below
// 10^-5.
#pragma once

#include "schedule/schedule.h"

namespace webnnc::schedule {

inline constexpr int64_t kMostTerms = 1024, kMostProducts = 16384;

// Adds directives to `schedule`, if it fits the kernel.
void BoundSums(const loop::Kernel& plain, Schedule& schedule);

}  // namespace webnnc::schedule
