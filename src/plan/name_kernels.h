#pragma once

#include <vector>

#include "plan/program.h"

namespace webnnc::plan {

// Gives kernels of programs that become one wasm module names by which they are told apart there:
// those that are the same get one name, others different ones. All are flat. Symbols have the names
// of their own programs, whatever these are.
//
//   @conv, @add   @conv, @add     ->   @conv, @add   @conv_2, @add
//
// A module has each name once, so models share the kernels that they have in common.
void NameKernels(const std::vector<Kernel*>& kernels);

}  // namespace webnnc::plan
