#include "plan/memory.h"

#include <gtest/gtest.h>

#include <random>

#include "runtime/plan_arena.h"

namespace webnnc {
namespace {

using runtime::ArenaItem;

constexpr uint64_t kAlignment = 64;

struct Planned {
  std::vector<ArenaItem> items;
  uint64_t bytes = 0;
};

Planned Plan(std::vector<ArenaItem> items) {
  std::vector<uint32_t> order(items.size()), placed(items.size());
  uint64_t bytes = runtime::PlanArena(items.data(), static_cast<uint32_t>(items.size()), kAlignment,
                                      order.data(), placed.data());
  return {std::move(items), bytes};
}

uint64_t LowerBound(const std::vector<ArenaItem>& items) {
  uint64_t most = 0;
  for (const ArenaItem& at : items) {
    uint64_t alive = 0;
    for (const ArenaItem& item : items) {
      if (item.first_step <= at.first_step && at.first_step <= item.last_step) alive += item.bytes;
    }
    most = std::max(most, alive);
  }
  return most;
}

void ExpectApart(const Planned& plan) {
  for (size_t i = 0; i < plan.items.size(); ++i) {
    const ArenaItem& a = plan.items[i];
    EXPECT_EQ(a.offset % kAlignment, 0u);
    EXPECT_LE(a.offset + a.bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const ArenaItem& b = plan.items[j];
      bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
      EXPECT_TRUE(apart || !runtime::MeetsInTime(a, b)) << "buffers " << i << " and " << j;
    }
  }
}

// From `low` to `high`, the same on every machine.
uint32_t Pick(std::mt19937& random, uint32_t low, uint32_t high) {
  return low + static_cast<uint32_t>(random() % (high - low + 1));
}

// A network: each step makes a buffer that the next one reads, and some are read again later, as
// residuals are. Sizes shrink from time to time, as images do.
std::vector<ArenaItem> RandomNetwork(std::mt19937& random) {
  std::vector<ArenaItem> items;
  uint32_t steps = Pick(random, 5, 104);
  uint64_t size = 1 << 20;
  for (uint32_t step = 0; step < steps; ++step) {
    if (Pick(random, 0, 7) == 0) size = std::max<uint64_t>(256, size / 2);
    uint32_t kept = Pick(random, 0, 3) == 0 ? Pick(random, 2, 7) : 1;
    uint64_t bytes = size * Pick(random, 1, 6);
    items.push_back({bytes, step, std::min(step + kept, steps)});
  }
  return items;
}

TEST(Arena, BuffersInUseTogetherAreApart) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaItem> items;
    for (uint32_t i = 0, count = Pick(random, 0, 60); i < count; ++i) {
      uint32_t first = Pick(random, 0, 40);
      items.push_back({Pick(random, 0, 5000), first, first + Pick(random, 0, 20)});
    }
    ExpectApart(Plan(items));
  }
}

TEST(Arena, OfNetworksIsNearTheLowerBound) {
  std::mt19937 random(2);
  double sum = 0, most = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    Planned plan = Plan(RandomNetwork(random));
    ExpectApart(plan);
    double ratio = static_cast<double>(plan.bytes) / static_cast<double>(LowerBound(plan.items));
    sum += ratio;
    most = std::max(most, ratio);
  }
  EXPECT_LE(sum / kRounds, 1.01);
  EXPECT_LE(most, 1.15);
}

// Some of a plan's items stay where they are, and the others are placed anew for other sizes.
TEST(Arena, LeavesWhatHasItsPlace) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    Planned before = Plan(RandomNetwork(random));
    std::vector<ArenaItem> items, fixed;
    for (const ArenaItem& item : before.items) {
      bool stays = Pick(random, 0, 2) == 0;
      (stays ? fixed : items).push_back(item);
      if (!stays) items.back().bytes = Pick(random, 0, 1 << 20);
    }
    auto count = static_cast<uint32_t>(items.size());
    items.insert(items.end(), fixed.begin(), fixed.end());
    std::vector<uint32_t> order(items.size()), placed(items.size());
    uint64_t bytes = runtime::PlanArena(items.data(), count, kAlignment, order.data(),
                                        placed.data(), static_cast<uint32_t>(fixed.size()));
    if (count > 0) ExpectApart({items, bytes});
    for (size_t i = 0; i < fixed.size(); ++i)
      EXPECT_EQ(items[count + i].offset, fixed[i].offset) << "item " << i;
  }
}

TEST(Arena, OfNothingIsEmpty) { EXPECT_EQ(Plan({}).bytes, 0u); }

TEST(Arena, IsTheSameForTheSameInput) {
  std::mt19937 random(3);
  std::vector<ArenaItem> items = RandomNetwork(random);
  Planned a = Plan(items), b = Plan(items);
  for (size_t i = 0; i < items.size(); ++i) EXPECT_EQ(a.items[i].offset, b.items[i].offset);
}

}  // namespace
}  // namespace webnnc
