#include "digest/hex.h"

#include <llvm/ADT/StringExtras.h>

namespace webnnc::digest {

std::string Hex(std::span<const uint8_t> bytes) {
  return llvm::toHex(llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size()), /*LowerCase=*/true);
}

}  // namespace webnnc::digest
