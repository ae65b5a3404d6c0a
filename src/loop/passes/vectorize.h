#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Replaces every vector loop by its body on vectors. `kernel` must have been flattened.
//
//   for v in 4 vector { %y[8*i + v] = %x[8*i + v] * %s[i] }
//   ->  %y[8*i : 4] = %x[8*i : 4] * splat(%s[i], 4)
//
// Elements that do not lie side by side are loaded one by one. A condition that differs between
// lanes splits the body: all lanes together where all conditions hold, else lane by lane. A
// select's chooses between vectors, unless it guards a load that may be outside of its buffer.
void Vectorize(Kernel& kernel);

}  // namespace webnnc::loop
