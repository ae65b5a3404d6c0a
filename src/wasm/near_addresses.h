// Addresses on both sides of another one: neighbours in a window.
//
//   p - 21504, p - 19968, p - 18432   ->   b = p - 21504;  b, b + 1536, b + 3072
//
// A constant that is added is part of a load or store, if it is not negative. So the lowest of what
// a block loads and stores about an address is computed, and the others are added to that. Behind
// LLVM's passes, which put constants together again.
#pragma once

#include "wasm/llvm.h"

namespace webnnc::wasm {

void AddToLowest(llvm::Module& module);

}  // namespace webnnc::wasm
