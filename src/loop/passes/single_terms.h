#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// A reduction of one term each becomes a plain store, which other passes know more about:
//
//   for i in n { %y[i] = 0.0 }
//   for i in n { for k in 1 { %y[i] += %x[i, k] } }    ->    for i in n { %y[i] = %x[i, 0] }
//
// `kernel` must be plain.
void StoreSingleTerms(Kernel& kernel);

}  // namespace webnnc::loop
