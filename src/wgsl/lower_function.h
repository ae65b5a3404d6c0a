#pragma once

#include "base/result.h"
#include "wgsl/values.h"

namespace webnnc::wgsl {

// A function of `source` as statements, structured as SPIR-V says by its merge instructions. Its
// name, and parameters that the entry point is given, are left to the caller.
Result<Function> LowerFunction(const Source& source, Module& module, Globals& globals, SpirvId id);

}  // namespace webnnc::wgsl
