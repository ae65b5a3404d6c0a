#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Takes out loops and dimensions of size 1, and makes one of two loops that always run through
// neighbouring dimensions together:
//
//   in %x: f32[56,56,64]                 in %x: f32[3136,64]
//   for i in 56 { for j in 56 { for c in 64 {    ->    for i in 3136 { for c in 64 {
//     %y[i, j, c] += %x[i, j, c] * %w[c]                 %y[i, c] += %x[i, c] * %w[c]
//
// So a 1x1 convolution is a matrix product, and elementwise work on images one loop. `kernel` must
// be plain. Parameters change their shape, not their bytes.
void Collapse(Kernel& kernel);

// Drops the stages that never run, and those that store to temporaries which no stage loads.
// `kernel` must be plain.
void DropUnusedStages(Kernel& kernel);

// Drops buffers, other than parameters, and variables that nothing uses any more.
void DropUnused(Kernel& kernel);

}  // namespace webnnc::loop
