#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// Makes kernels equal that differ in numbers alone: the scales and zero points of a quantised model
// say. Each number that differs becomes an element of a weight, which a kernel is given besides, so
// that MergeKernels makes one of them:
//
//   kernel @a(in %x, out %y) { %y[i] = %x[i] * 0.5 }           kernel @a(in %x, out %y, in %c) {
//   kernel @b(in %x, out %y) { %y[i] = %x[i] * 0.25 }    ->      %y[i] = %x[i] * %c[0] }
//   run @a(%x, %t)                                             run @a(%x, %t, %c)   ; 0.5
//   run @b(%t, %y)                                             run @a(%t, %y, %c2)  ; 0.25
//
// Only factors, bounds and what is subtracted from narrow integers, of which no schedule and no
// back end makes more than an operand. Where a kernel may be given so many buffers only, it stays.
void ShareConstants(Program& program, IdVector<WeightTag, Weight>& weights);

}  // namespace webnnc::plan
