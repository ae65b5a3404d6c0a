// Functions of vectors that are computed side by side. Each step of exp or erf waits for the one
// before; several vectors at once keep a core busy.
#pragma once

#include "loop/kernel.h"

namespace webnnc::wasm {

// How many stores from `at` on may have their values computed before the first of them is stored,
// whose functions are the same of different vectors: 1 if they are not.
size_t StoresSideBySide(const loop::Kernel& kernel, const loop::Block& block, size_t at);

// Calls of one function in values that are alike, one of each value; operands come first.
using Calls = std::vector<loop::ExprId>;
std::vector<Calls> FunctionsSideBySide(const loop::Kernel& kernel, const Calls& values);

}  // namespace webnnc::wasm
