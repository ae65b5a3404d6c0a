#include "digest/sha256.h"

#include <llvm/ADT/ArrayRef.h>
#include <llvm/Support/SHA256.h>

#include "digest/hex.h"

namespace webnnc::digest {

std::string Sha256(std::span<const uint8_t> bytes) {
  llvm::SHA256 hash;
  hash.update(llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size()));
  return Hex(hash.final());
}

}  // namespace webnnc::digest
