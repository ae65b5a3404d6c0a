// Emits what is not a kernel: the model's tables (webnnc/abi.h) and its host functions, which
// compute sizes, run the steps on the CPU and fill in the GPU's dispatches.
#pragma once

#include "wasm/dim_table.h"
#include "wasm/llvm.h"
#include "wasm/model_input.h"

namespace webnnc::wasm {

// Kernels are declared: they are in modules of their own.
void EmitModel(llvm::Module& module, const ModelInput& input, const DimTable& dims);

// Where the runtime finds several models (src/runtime/models.h).
void EmitTable(llvm::Module& module, const std::vector<ModelInput>& models);

}  // namespace webnnc::wasm
