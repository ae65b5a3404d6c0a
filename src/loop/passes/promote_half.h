#pragma once

#include <vector>

#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::loop {

// Computes in f32 what is in f16, for targets without f16 arithmetic. Buffers between kernels and
// within this one become f32; those that stay f16 (StoredType) are widened when they are loaded and
// rounded when they are stored. In between nothing is rounded but what a model converts by a node
// of its own (Convert::rounded), and sums with constants that are there to round.
//
// Of an input and what flows on, with a weight (in) and an activation (out):
//
//   kernel @k(in %x: f16[8], out %y: f16[8])          kernel @k(in %x: f16[8], out %y: f32[8])
//     %y[i] = %x[i] * 0.5:f16                   ->      %y[i] = f32(%x[i]) * 0.5
//
// `parameters` says what the kernel's parameters are, in order. Those not listed are activations.
void PromoteHalf(Kernel& kernel, const std::vector<Storage>& parameters, const Target& target);

}  // namespace webnnc::loop
