#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes every access one-dimensional, in row-major order:
//
//   in %a: f32[m,64]    %a[i, j]   ->   in %a: f32[64*m]    %a[64*i + j]
//
// A register buffer that threads have rows of, by `row`, keeps its first dimension: [t, 8*i + j].
void Flatten(Kernel& kernel);

// Whether the first dimension of register buffer `id` is the thread: every access indexes it with
// exactly a thread loop's variable.
bool IsPerThread(const Kernel& kernel, BufferId id);

}  // namespace webnnc::loop
