#pragma once

#include <map>
#include <string>

#include "loop/kernel.h"

namespace webnnc::loop {

// Puts sizes in the place of symbols: with n = 4*m
//
//   for i in n { %y[i] = %x[i] }     ->     for i in 4*m { %y[i] = %x[i] }
//
// in extents, in expressions and in the types of buffers. All at once: symbols that the sizes are
// made of stay.
void ReplaceSymbols(Kernel& kernel, const std::map<std::string, Dim>& sizes);

}  // namespace webnnc::loop
