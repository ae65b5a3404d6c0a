#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes the groups of a convolution a loop of their own, where the loop over its channels is
// divided to find out the group:
//
//   for o in 198 {                                 for g in 3 { for o in 66 {
//     %y[p, o] += %x[p, o/66*264 + c] * %w[c, o]     %y[p, g, o] += %x[p, g*264 + c] * %w[c, g, o]
//
// The dimensions that the loop indexes, here and in other stages, are divided likewise; parameters
// change their shape, not their bytes. `kernel` must be plain.
void SplitGroups(Kernel& kernel);

}  // namespace webnnc::loop
