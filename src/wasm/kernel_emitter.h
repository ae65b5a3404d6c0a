// Emits CPU kernels as LLVM functions.
#pragma once

#include <vector>

#include "loop/kernel.h"
#include "loop/sizes.h"
#include "target/target.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// Before the names of kernels, which are any: the runtime's functions have none with a point.
inline constexpr char kKernelPrefix[] = "kernel.";
// Behind them, of a function that the kernel calls for each item of its outermost loops.
inline constexpr char kItemSuffix[] = ".item";

// `void kernel.NAME(ptr parameter..., i32 size...)` as another module has it.
llvm::Function* DeclareKernel(llvm::Module& module, const loop::Kernel& kernel);

// Adds the function to `module`. The kernel is flat, without threads and workgroups, and its
// arithmetic is in types the machine has (no f16; see PromoteHalf).
void EmitKernel(llvm::Module& module, const loop::Kernel& kernel, FeatureSet features);

// What it keeps on the stack.
uint64_t StackBytes(const loop::Kernel& kernel);

// The runtime's function that threads share a kernel's work by (src/runtime/parallel.h).
inline constexpr char kParallelFunction[] = "webnnc_parallel";

// What every function is marked with.
void SetTarget(llvm::Function& function, FeatureSet features);

}  // namespace webnnc::wasm
