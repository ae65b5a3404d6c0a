#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// What is put back unless a condition holds is left alone instead: a GPU neither loads nor stores
// it.
//
//   %y[p, i] = select(c, v, %y[p, i])   ->   if c { %y[p, i] = v }
//
// Not in registers, where it costs nothing, and not of vectors, each lane of which has its own
// condition.
void GuardStores(Kernel& kernel);

}  // namespace webnnc::loop
