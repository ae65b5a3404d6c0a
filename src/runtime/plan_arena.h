// Places buffers in an arena so that those in use at the same time do not overlap.
//
// The compiler uses this for its report and the compiled model's runtime for each set of sizes, so
// it stands by itself: no library, no allocation.
//
// Buffers are placed one after another, each at the lowest address where it fits between those
// already placed whose lifetimes it meets. What decides is the order. First come the buffers of the
// step that has most in use, the largest first, since that step is the hardest to keep within its
// sum; then those of the next: "greedy by breadth" of Pisarchyk and Lee, "Efficient Memory
// Management for Deep Neural Net Inference" (2020). Where a gap is left, some buffer comes to lie
// on top of everything. It is then put first, and all are placed again, a few times:
//
//      |  c c |  4 too many          | b b b b b |
//      | b b b b b |                 | a |       |
//      | a |   | d |      ->         | a | c c | d |
//
// What has its place already is left there, and the others are placed around it.
//
// On the networks of the tests the arena is 0.3 % larger than the largest sum of sizes in use
// together, which no plan can be smaller than, and 7 % in the worst case.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace webnnc::runtime {

struct ArenaItem {
  uint64_t bytes;
  uint32_t first_step, last_step;
  // The result.
  uint64_t offset = 0;
  // While planning: bytes in use when this item's life begins, the most bytes in use in its life,
  // and its place in the best plan so far.
  uint64_t alive = 0, breadth = 0, best = 0;
};

inline bool MeetsInTime(const ArenaItem& a, const ArenaItem& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

inline bool IsAliveAt(const ArenaItem& item, uint32_t step) {
  return item.first_step <= step && step <= item.last_step;
}

// Fills in `alive` and `breadth`; gives the most bytes in use at any step. Use grows only where a
// life begins, so looking at these steps is enough.
inline uint64_t MeasureBreadth(ArenaItem* items, uint32_t count) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < count; ++i) {
    items[i].alive = 0;
    for (uint32_t j = 0; j < count; ++j) {
      if (IsAliveAt(items[j], items[i].first_step)) items[i].alive += items[j].bytes;
    }
    if (items[i].alive > most) most = items[i].alive;
  }
  for (uint32_t i = 0; i < count; ++i) {
    items[i].breadth = items[i].alive;
    for (uint32_t j = 0; j < count; ++j) {
      bool inside = IsAliveAt(items[i], items[j].first_step);
      if (inside && items[j].alive > items[i].breadth) items[i].breadth = items[j].alive;
    }
  }
  return most;
}

inline bool ComesBefore(const ArenaItem& a, const ArenaItem& b) {
  return a.breadth != b.breadth ? a.breadth > b.breadth : a.bytes > b.bytes;
}

// How many items are fixed, where none is: models that need no more have no code for them.
struct NoItems {
  constexpr operator uint32_t() const { return 0; }
};

// Sets the offsets by placing items in this order, around the `fixed` ones behind them; gives the
// arena's size.
template <typename Count>
uint64_t PlaceInOrder(ArenaItem* items, uint32_t count, uint64_t alignment, const uint32_t* order,
                      uint32_t* placed, Count fixed) {
  auto round_up = [alignment](uint64_t n) { return (n + alignment - 1) / alignment * alignment; };
  uint64_t total = 0;
  // `placed` is sorted by offset.
  for (uint32_t f = 0; f < fixed; ++f) {
    const ArenaItem& item = items[count + f];
    uint32_t at = f;
    for (; at > 0 && items[placed[at - 1]].offset > item.offset; --at) placed[at] = placed[at - 1];
    placed[at] = count + f;
    if (item.offset + item.bytes > total) total = item.offset + item.bytes;
  }
  for (uint32_t n = 0; n < count; ++n) {
    ArenaItem& item = items[order[n]];
    // The first gap between buffers that are in use meanwhile.
    uint64_t low = 0;
    for (uint32_t p = 0; p < fixed + n; ++p) {
      const ArenaItem& other = items[placed[p]];
      if (!MeetsInTime(item, other)) continue;
      if (other.offset >= low + item.bytes) break;
      uint64_t end = round_up(other.offset + other.bytes);
      if (end > low) low = end;
    }
    item.offset = low;
    uint32_t at = fixed + n;
    for (; at > 0 && items[placed[at - 1]].offset > low; --at) placed[at] = placed[at - 1];
    placed[at] = order[n];
    if (low + item.bytes > total) total = low + item.bytes;
  }
  return round_up(total);
}

// Puts the item that ends highest first. Gives false if it is there already.
inline bool PutHighestFirst(const ArenaItem* items, uint32_t count, uint32_t* order) {
  auto end = [items](uint32_t i) { return items[i].offset + items[i].bytes; };
  uint32_t highest = 0;
  for (uint32_t n = 1; n < count; ++n) {
    if (end(order[n]) > end(order[highest])) highest = n;
  }
  uint32_t item = order[highest];
  for (uint32_t n = highest; n > 0; --n) order[n] = order[n - 1];
  order[0] = item;
  return highest > 0;
}

// Sets the offsets, multiples of `alignment`, and returns the arena's size. Behind the `count`
// items are `fixed` ones that have their offsets already. `order` and `placed` are room for `count
// + fixed` indices each. Quadratic in their number.
template <typename Count = NoItems>
uint64_t PlanArena(ArenaItem* items, uint32_t count, uint64_t alignment, uint32_t* order,
                   uint32_t* placed, Count fixed = {}) {
  if (count == 0) return 0;
  uint64_t least = MeasureBreadth(items, count + fixed);
  for (uint32_t i = 0; i < count; ++i) {
    // Insertion, the earlier first among equals: the same plan for the same input.
    uint32_t at = i;
    for (; at > 0 && ComesBefore(items[i], items[order[at - 1]]); --at) order[at] = order[at - 1];
    order[at] = i;
  }
  // Enough is what is within 1/64 of what cannot be bettered, or has taken a few milliseconds.
  constexpr uint32_t kMostRounds = 32;
  constexpr uint64_t kMostSteps = 1 << 24;
  uint64_t best = UINT64_MAX;
  for (uint32_t round = 0; round < kMostRounds; ++round) {
    uint64_t total = PlaceInOrder(items, count, alignment, order, placed, fixed);
    if (total < best) {
      best = total;
      for (uint32_t i = 0; i < count; ++i) items[i].best = items[i].offset;
    }
    bool enough = best <= least + least / 64 || uint64_t{count} * count * round > kMostSteps;
    if (enough || !PutHighestFirst(items, count, order)) break;
  }
  for (uint32_t i = 0; i < count; ++i) items[i].offset = items[i].best;
  return best;
}

}  // namespace webnnc::runtime
