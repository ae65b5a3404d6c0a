// From programs to a .wasm: the only folder that knows LLVM and LLD.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "wasm/dim_table.h"
#include "wasm/model_input.h"

namespace webnnc::wasm {

struct CompileOptions {
  bool relaxed = false;
};

struct Module {
  std::string bytes;
  // The bytes of code of each of the model's own functions, kernels among them, by name.
  std::map<std::string, int64_t> function_bytes;
};

// Compiles and links the model with the runtime. What comes back is a whole module that imports
// nothing but WASI's functions.
Result<Module> Compile(const ModelInput& input, const DimTable& dims,
                       const CompileOptions& options);

// A section for data that engines ignore and pages can ask for. Appended to a module.
std::string CustomSection(const std::string& name, const std::string& bytes);

// The LLVM IR of the model, for --emit llvm.
std::string PrintLlvm(const ModelInput& input, const DimTable& dims, const CompileOptions& options);

}  // namespace webnnc::wasm
