// The code of variants for GPUs: kernels as shaders.
#pragma once

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// Emits a shader for each kernel of the scheduled programs for GPUs. `many_names`: those that are
// the same but for names of sizes are to be one.
Status EmitShaders(Model& model, bool many_names);

// What --emit spirv and --emit wgsl print.
std::string PrintSpirv(const Model& model);
std::string PrintWgsl(const Model& model);

}  // namespace webnnc
