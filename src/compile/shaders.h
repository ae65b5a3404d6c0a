// The code of variants for GPUs: kernels as shaders.
#pragma once

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// Emits a shader for each kernel of a scheduled program for GPUs.
Status EmitShaders(plan::Variant& variant);

// What --emit spirv and --emit wgsl print.
std::string PrintSpirv(const Code& code);
std::string PrintWgsl(const Code& code);

}  // namespace webnnc
