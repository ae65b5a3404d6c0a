// What rules for the CPU count with: one thread of a wasm engine with 128-bit vectors.
#pragma once

#include <cstdint>

namespace webnnc::schedule {

struct CpuTarget {
  // Fused multiply-add (relaxed SIMD). Engines that have it are also those that keep the order of
  // instructions, so that more of a tile fits into registers.
  bool relaxed = false;

  // Elements of 4 bytes in a vector.
  static constexpr int64_t kLanes = 4;
  // Rows of a product's tile of kTileVectors vectors. Engines on x64 have 15 vector registers for
  // accumulators, the vectors of one side and an element of the other in all lanes; without fused
  // multiply-add a product takes one more.
  int64_t tile_rows() const { return relaxed ? 6 : 4; }
  static constexpr int64_t kTileVectors = 2;

  // Caches, as far as a schedule may count on them.
  static constexpr double kL1 = 24e3, kL2 = 384e3, kL3 = 8e6;
};

}  // namespace webnnc::schedule
