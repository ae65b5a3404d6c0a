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

// Whether sizes change from run to run, since the program appends to a state, and the page encodes
// its steps: those bind a part of an arena, by RoomFor (gpu_backend.js).
inline bool BindsRooms(const abi::Program& program) {
  if (program.kind == abi::kCpu || program.commands) return false;
  for (uint32_t b = 0; b < program.buffer_count; ++b) {
    if (program.buffers[b].kind == abi::kState) return true;
  }
  return false;
}

// The room for so many bytes: up to an eighth more, so that places stay while sizes grow.
inline uint64_t RoomFor(uint64_t bytes) {
  uint64_t step = abi::kBindingAlignment;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// A size as it is now.
inline int32_t Value(abi::Size size) { return size >= 0 ? size : webnnc_model.dims[~size]; }

}  // namespace webnnc::runtime
