// From programs to a .wasm: the only folder that knows LLVM and LLD.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "wasm/model_input.h"

namespace webnnc::wasm {

// A module that is to be made: models with their CPU's programs for engines with some features.
// The one without any is for engines of all kinds, so it is a command as well; others are for pages
// only. Kernels of one name are the same kernel, also those of different models.
struct Build {
  std::vector<ModelInput> models;
  FeatureSet features;
};

struct Module {
  std::string bytes;
  // What the memory that it imports has at first, in pages of 64 KiB; 0 if it has its own.
  uint64_t memory_pages = 0;
  // The bytes of code of each of the models' own functions, kernels among them, by name.
  std::map<std::string, int64_t> function_bytes;
};

// Compiles and links models with the runtime, once a build. What comes back are whole modules
// that import nothing but WASI's functions, and their memory if threads share it. Kernels are
// compiled on all cores; what builds have in common is compiled once.
Result<std::vector<Module>> Compile(const std::vector<Build>& builds);

// A module of kernels alone, for who measures them. Each is exported by its number, and takes the
// addresses of its parameters and its sizes. What is behind `__heap_base` in memory is free.
Result<std::string> CompileKernels(const std::vector<loop::Kernel>& kernels, FeatureSet features);

// A section for data that engines ignore and pages can ask for. Appended to a module.
std::string CustomSection(const std::string& name, const std::string& bytes);

// The LLVM IR of all models, for --emit llvm.
std::string PrintLlvm(const Build& build);

}  // namespace webnnc::wasm
