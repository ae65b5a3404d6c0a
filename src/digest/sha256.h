// Digests of files, as the tools that people compare with print them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace webnnc::digest {

// SHA-256 (FIPS 180-4) in 64 hexadecimal digits, as `sha256sum` prints it. LLVM's, which is linked
// anyway.
std::string Sha256(std::span<const uint8_t> bytes);

}  // namespace webnnc::digest
