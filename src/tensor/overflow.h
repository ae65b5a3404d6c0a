// Dim is the checked integer that sizes are computed with. Its arithmetic is exact; what does not
// fit 64 bits has overflowed, which the largest 64-bit integer stands for, and so has all that is
// computed from it. IsAbsurd says so of it, and importers refuse it by name. No size wraps or
// traps.
#pragma once

#include "tensor/dim.h"

namespace webnnc {

bool HasOverflowed(const Dim& dim);

// Rounded toward zero. b must not be 0.
Dim TruncatingDiv(int64_t a, int64_t b);

// A real number without its fraction.
Dim Truncated(double value);

}  // namespace webnnc
