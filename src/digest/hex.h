// Bytes as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace webnnc::digest {

// Two hexadecimal digits for each byte, in lower case. LLVM's, which is linked anyway.
std::string Hex(std::span<const uint8_t> bytes);

}  // namespace webnnc::digest
