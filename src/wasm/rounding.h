// Floats that are rounded and clamped to whole numbers, as integers.
#pragma once

#include <functional>

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// A float within bounds that are whole numbers of an integer type, rounded half to even. A bound
// that is not given is the type's.
struct Rounded {
  DType type;
  loop::ExprId value = {}, low = {}, high = {};
};
// What `a` is as an integer of type `to`, which has at most 16 bits, if it is
// min(max(round(value), low), high), or without bounds, perhaps as an integer of a narrower type
// first. What is whole already, as a sum of what is rounded and an integer is, is its own value.
std::optional<Rounded> RoundedOf(const loop::Kernel& kernel, loop::ExprId a, DType to);

// The integer of a vector of f32, as `to`. Adding 1.5 * 2^23 rounds, and leaves the integer in the
// lowest bits: an addition instead of a rounding and a conversion that must look at all cases. NaN
// becomes the lower bound.
llvm::Value* EmitRounded(llvm::IRBuilder<>& b, const Rounded& rounded, DType to,
                         const std::function<llvm::Value*(loop::ExprId)>& emit);

}  // namespace webnnc::wasm
