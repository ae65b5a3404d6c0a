// Prints SPIR-V as WGSL. SPIRV-Cross parses the module and finds its control flow; the printing is
// ours, since SPIRV-Cross has no WGSL back end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace webnnc::wgsl {

// The module's compute entry point as WGSL that Tint and naga both accept. It knows what
// spirv::Emit and SPIRV-Tools' passes after it produce, and refuses everything else by name.
Result<std::string> Print(const std::vector<uint32_t>& words);

}  // namespace webnnc::wgsl
