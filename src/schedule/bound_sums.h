// Keeps long sums right: whatever a rule, a file or nobody has said about a kernel's loops, no
// variable takes more terms of a sum than accuracy.h says, as far as sizes allow so many.
//
//   y = sum of x: f32[n]        split i 4 4 tail=peel ... combine i.1, combine i.2
//                               adds subtotal i.0 512, subtotal i.0 262144
#pragma once

#include "schedule/schedule.h"

namespace webnnc::schedule {

// Adds directives to `schedule`, if it fits the kernel.
void BoundSums(const loop::Kernel& plain, Schedule& schedule);

}  // namespace webnnc::schedule
