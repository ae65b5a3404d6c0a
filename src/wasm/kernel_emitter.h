// Emits CPU kernels as LLVM functions.
#pragma once

#include <string>
#include <vector>

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

struct EmitOptions {
  // Fused multiply-add and the like (relaxed SIMD): results may differ in the last bit between
  // machines.
  bool relaxed = false;
};

// What a kernel's function is told beside its parameters' addresses: sizes that are not constant.
std::vector<Dim> SizesOf(const loop::Kernel& kernel);

// Adds `void name(ptr parameter..., i32 size...)` to `module`. The kernel is flat, without threads
// and workgroups, and its arithmetic is in types the machine has (no f16; see PromoteHalf).
llvm::Function* EmitKernel(llvm::Module& module, const loop::Kernel& kernel,
                           const std::string& name, const EmitOptions& options);

// What every function for this target is marked with.
void SetTarget(llvm::Function& function, const EmitOptions& options);

}  // namespace webnnc::wasm
