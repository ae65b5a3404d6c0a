// Counts are of hand: each test's comment says how.
#include "loop/tally.h"

#include <gtest/gtest.h>

#include "loop/text.h"

namespace webnnc::loop {
namespace {

Tally TallyOfText(const std::string& text, const LikelySizes& sizes = {}) {
  auto kernel = Parse(text);
  CHECK(kernel);
  return TallyOf(kernel.value(), sizes);
}

// 6 x 2 workgroups of 32 threads. A thread copies four elements to workgroup memory and waits
// twice; it sums up 8 x (a shared and a global element): two operations each.
TEST(TallyTest, AThreadOfSeveral) {
  Tally tally = TallyOfText(R"(kernel @sum(in %x: f32[4096], in %w: f32[8], out %y: f32[384]) {
  register %acc: f32[32]
  workgroup %tile: f32[128]
  for i in 6 workgroup.y {
    for j in 2 workgroup.x {
      for t in 32 thread {
        %acc[t] = 0.0
        for k in 4 {
          %tile[t] = %x[t]
        }
      }
      barrier
      for t in 32 thread {
        for k in 8 {
          %acc[t] += %tile[t] * %w[k]
        }
      }
      barrier
      for t in 32 thread {
        %y[t] = %acc[t]
      }
    }
  }
}
)");
  EXPECT_EQ(tally.workgroups, 12);
  EXPECT_EQ(tally.threads, 32);
  EXPECT_EQ(tally.barriers, 2);
  EXPECT_EQ(tally.instructions, 16);
  EXPECT_EQ(tally.operations, 16);
  EXPECT_EQ(tally.shared.count, 4 + 8);
  EXPECT_EQ(tally.global.count, 4 + 8 + 1);
  EXPECT_EQ(tally.global.bytes, 4 * (4 + 8 + 1));
  EXPECT_EQ(tally.register_bytes, 4);
  EXPECT_EQ(tally.shared_bytes, 512);
}

// One operation on a vector is four; sizes that are open are what they are likely to be.
TEST(TallyTest, VectorsAndOpenSizes) {
  LikelySizes sizes;
  sizes.Set("n", {1, 10, 100});
  Tally tally = TallyOfText(R"(kernel @twice(in %x: f32[4*n], out %y: f32[4*n]) {
  for i in n {
    %y[i * 4 : 4] = %x[i * 4 : 4] * splat(2.0, 4)
  }
}
)",
                            sizes);
  EXPECT_EQ(tally.threads, 1);
  EXPECT_EQ(tally.global.count, 20);
  EXPECT_EQ(tally.global.bytes, 320);
}

}  // namespace
}  // namespace webnnc::loop
