#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes every access one-dimensional, in row-major order:
//
//   in %a: f32[m,64]    %a[i, j]   ->   in %a: f32[64*m]    %a[64*i + j]
//
// A register buffer that threads have rows of (ThreadRows) keeps its first dimension: [t, 8*i + j].
void Flatten(Kernel& kernel);

}  // namespace webnnc::loop
