#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// What adds nothing is left out, and what adds nothing where a condition does not hold is not
// computed there: a condition that all sums of a block have in common stands around them. So rows
// of a window that are outside of an image are skipped, and those inside are read without looking.
//
//   for k in 3 {
//     acc[0] += select(inside(k) && first, x[k], 0) * w[k]
//     acc[1] += select(inside(k), x[k + 1], 0) * w[k]
//   }
//
//   for k in 3 {
//     if inside(k) {
//       acc[0] += select(first, x[k], 0) * w[k]
//       acc[1] += x[k + 1] * w[k]
//     }
//   }
//
// The other factor is taken to be finite. Conditions that do not change in the loop that a block
// is all of stand around the loop, once for all its iterations. On the CPU, where one iteration of
// a parallel loop runs after another and so takes the same way often.
void GuardSums(Kernel& kernel);

}  // namespace webnnc::loop
