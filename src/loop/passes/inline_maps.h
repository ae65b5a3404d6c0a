#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Replaces what is loaded from a temporary by the expression that its elementwise stage stores
// there, and drops the stage:
//
//   %t[i, j] = exp(%x[i, j])            ->   %y[i, j] = exp(%x[i, j]) * 2.0
//   %y[i, j] = %t[i, j] * 2.0
//
// Temporaries that reductions fill stay. `kernel` must be plain.
void InlineMaps(Kernel& kernel);

}  // namespace webnnc::loop
