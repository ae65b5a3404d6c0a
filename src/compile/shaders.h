// The code of variants for GPUs: kernels as shaders.
#pragma once

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// Emits a shader for each kernel of the scheduled programs for GPUs. `several`: shaders are shared
// with other models, which call their sizes otherwise.
Status EmitShaders(Model& model, bool several);

// What --emit spirv and --emit wgsl print.
std::string PrintSpirv(const Model& model);
std::string PrintWgsl(const Model& model);

}  // namespace webnnc
