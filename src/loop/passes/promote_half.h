#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Computes in f32 what is in f16, for targets without f16 arithmetic. What is loaded is widened,
// what is stored is rounded; explicit conversions still round, and so do sums with constants that
// are there to round.
//
//   %y[i] = %x[i] * 0.5:f16    ->    %y[i] = f16(f32(%x[i]) * 0.5)
void PromoteHalf(Kernel& kernel);

}  // namespace webnnc::loop
