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

// How large an expression may become, in operations: as code, and written out as text.
struct ExprLimits {
  int64_t code = 0, text = 0;
};
// The most that an element of a kernel should take. Those of networks have some hundred operations.
inline constexpr ExprLimits kLargestExpr = {.code = 2000, .text = 8000};

// The same, but returns false, and leaves a kernel that is no use, as soon as an expression exceeds
// `limits`: what is loaded at several places is there as often, so chains of maps may grow
// exponentially.
bool InlineMapsUpTo(Kernel& kernel, const ExprLimits& limits);

}  // namespace webnnc::loop
