// Loads under a condition that are zero where it does not hold: the padding of windows.
//
//   select(inside, %x[row + c], 0)   ->   load((inside ? &x[row] : zeros) + c)
//
// The runtime keeps zeros to read instead. What the condition does not depend on is added behind
// the choice, so that the choice stands outside the loop over c.
#pragma once

#include <vector>

#include "loop/kernel.h"

namespace webnnc::wasm {

struct EnclosingLoop {
  loop::VarId var;
  Dim extent;
};

// An index as sums: what the choice is between, with what is taken off from it, and what is added
// behind it.
struct SplitIndex {
  std::vector<loop::ExprId> guarded, taken_off, inner;
};

// The terms of the innermost of `loops` come behind the choice, as many as stay below `zeros`
// together.
SplitIndex SplitAt(const loop::Kernel& kernel, const std::vector<EnclosingLoop>& loops,
                   loop::ExprId index, loop::ExprId condition, int64_t zeros);

}  // namespace webnnc::wasm
