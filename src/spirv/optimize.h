#pragma once

#include "base/result.h"
#include "spirv/module_builder.h"

namespace webnnc::spirv {

// Runs those of SPIRV-Tools' passes that make the module and the WGSL printed from it smaller.
Result<Words> Optimize(const Words& words);

}  // namespace webnnc::spirv
