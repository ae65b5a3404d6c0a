#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace webnnc::wgsl {

// An error if the module is not valid SPIR-V, or has anything that the printer does not know; the
// error shows the instruction, with the names of its opcode and operands. So no later step needs to
// look for what it cannot print.
Status Refuse(const std::vector<uint32_t>& words);

}  // namespace webnnc::wgsl
