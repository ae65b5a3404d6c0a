// Vectors of one number four times, read from memory. Of the first is made the second:
//
//   f32x4.mul (x, v128.const 0.5 0.5 0.5 0.5)
//   f32x4.mul (x, v128.load32_splat [numbers + 4])
//
// V8 makes a constant by three instructions, which wait for each other, wherever it is used. A load
// is one, and less code.
#pragma once

#include "wasm/llvm.h"

namespace webnnc::wasm {

void LoadVectorConstants(llvm::Module& module);

}  // namespace webnnc::wasm
