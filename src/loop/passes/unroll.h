#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Replaces every unrolled loop by copies of its body with the variable's values put in.
void Unroll(Kernel& kernel);

}  // namespace webnnc::loop
