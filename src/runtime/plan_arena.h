// Places buffers in an arena so that those in use at the same time do not overlap.
//
// The compiler uses this for its report and the compiled model's runtime for each set of sizes, so
// it stands by itself: no library, no allocation.
//
// Buffers are placed from the largest to the smallest, each at the lowest address where it fits
// between those already placed whose lifetimes it meets. This is "greedy by size" of Pisarchyk and
// Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), who find it within a few
// percent of the lower bound, the largest sum of sizes in use together, on networks like ours.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace webnnc::runtime {

struct ArenaItem {
  uint64_t bytes;
  uint32_t first_step, last_step;
  uint64_t offset;  // the result
};

inline bool MeetsInTime(const ArenaItem& a, const ArenaItem& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

// Sets the offsets, multiples of `alignment`, and returns the arena's size. `order` and `placed`
// are room for `count` indices each. Quadratic in `count`.
inline uint64_t PlanArena(ArenaItem* items, uint32_t count, uint64_t alignment, uint32_t* order,
                          uint32_t* placed) {
  auto round_up = [alignment](uint64_t n) { return (n + alignment - 1) / alignment * alignment; };
  for (uint32_t i = 0; i < count; ++i) {
    // Insertion by size, the earlier first among equals: the same plan for the same input.
    uint32_t at = i;
    for (; at > 0 && items[order[at - 1]].bytes < items[i].bytes; --at) order[at] = order[at - 1];
    order[at] = i;
  }
  uint64_t total = 0;
  for (uint32_t n = 0; n < count; ++n) {
    ArenaItem& item = items[order[n]];
    // `placed` is sorted by offset: the first gap between buffers that are in use meanwhile.
    uint64_t low = 0;
    for (uint32_t p = 0; p < n; ++p) {
      const ArenaItem& other = items[placed[p]];
      if (!MeetsInTime(item, other)) continue;
      if (other.offset >= low + item.bytes) break;
      uint64_t end = round_up(other.offset + other.bytes);
      if (end > low) low = end;
    }
    item.offset = low;
    uint32_t at = n;
    for (; at > 0 && items[placed[at - 1]].offset > low; --at) placed[at] = placed[at - 1];
    placed[at] = order[n];
    if (low + item.bytes > total) total = low + item.bytes;
  }
  return round_up(total);
}

}  // namespace webnnc::runtime
