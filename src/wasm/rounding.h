// Floats that are rounded and clamped to whole numbers, as integers.
#pragma once

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// A float within bounds that are whole numbers of an integer type, rounded half to even.
struct Rounded {
  loop::ExprId value, low, high;
};
// What `a` is, if it is min(max(round(value), low), high); `to` has at most 16 bits.
std::optional<Rounded> RoundedOf(const loop::Kernel& kernel, loop::ExprId a, DType to);

// The integer of a vector of f32, as `to`. Adding 1.5 * 2^23 rounds, and leaves the integer in the
// lowest bits: an addition instead of a rounding and a conversion that must look at all cases. NaN
// becomes the lower bound.
llvm::Value* EmitRounded(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* low,
                         llvm::Value* high, DType to);

}  // namespace webnnc::wasm
