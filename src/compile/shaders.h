// The code of variants for GPUs: kernels as shaders.
#pragma once

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// A flat kernel as a shader. `many_names`: those that are the same but for names of sizes are to be
// one. `takes_more_workgroups`: more may be launched than have something to do.
Result<plan::Shader> EmitShader(const loop::Kernel& flat, const std::vector<Storage>& parameters,
                                const Target& target, bool many_names,
                                bool takes_more_workgroups = false);

// Emits a shader for each kernel of the scheduled programs for GPUs.
Status EmitShaders(Model& model, bool many_names);

// What --emit spirv and --emit wgsl print.
std::string PrintSpirv(const Model& model);
std::string PrintWgsl(const Model& model);

}  // namespace webnnc
