// The wasm memory, as the runtime takes it.
#pragma once

#include "runtime/model.h"

namespace webnnc::runtime {

constexpr uint64_t kPage = 65536;

inline uint64_t MemoryBytes() { return __builtin_wasm_memory_size(0) * kPage; }

// Memory that the runtime took for itself at the end of the wasm memory; it is never given back.
struct Region {
  uint64_t base = 0, bytes = 0;
};

// Makes `region` at least this large. It grows in place if nothing lies behind it, else it moves,
// and what was in it is lost.
inline bool Reserve(Region& region, uint64_t bytes) {
  if (bytes <= region.bytes) return true;
  bool last = region.bytes > 0 && region.base + region.bytes == MemoryBytes();
  uint64_t base = last ? region.base : MemoryBytes();
  uint64_t pages = (base + bytes - MemoryBytes() + kPage - 1) / kPage;
  if (pages > 65536 || __builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return false;
  region = {base, MemoryBytes() - base};
  return true;
}

// A size as it is now.
inline int32_t Value(abi::Size size) { return size >= 0 ? size : webnnc_model.dims[~size]; }

}  // namespace webnnc::runtime
