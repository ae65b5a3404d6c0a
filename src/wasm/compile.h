// From programs to a .wasm: the only folder that knows LLVM and LLD.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "wasm/model_input.h"

namespace webnnc::wasm {

// A module that is to be made: the model with its CPU's program for engines with some features.
// The one without any is for engines of all kinds, so it is a command as well; others are for pages
// only.
struct Build {
  ModelInput input;
  FeatureSet features;
};

struct Module {
  std::string bytes;
  // The bytes of code of each of the model's own functions, kernels among them, by name.
  std::map<std::string, int64_t> function_bytes;
};

// Compiles and links the model with the runtime, once a build. What comes back are whole modules
// that import nothing but WASI's functions. Kernels are compiled on all cores; what builds have in
// common is compiled once.
Result<std::vector<Module>> Compile(const std::vector<Build>& builds);

// A section for data that engines ignore and pages can ask for. Appended to a module.
std::string CustomSection(const std::string& name, const std::string& bytes);

// The LLVM IR of the model, for --emit llvm.
std::string PrintLlvm(const Build& build);

}  // namespace webnnc::wasm
