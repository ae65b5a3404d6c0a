#pragma once

#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// The sizes that loops and expressions speak of and that are not constant, in that order. A
// kernel's function is told them beside its parameters' addresses.
std::vector<Dim> SizesOf(const Kernel& kernel);

}  // namespace webnnc::loop
