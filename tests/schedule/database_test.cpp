#include "schedule/database.h"

#include <gtest/gtest.h>

#include "loop/text.h"
#include "schedule/key.h"

namespace webnnc::schedule {
namespace {

const loop::Kernel& SomeKernel() {
  static const loop::Kernel kKernel = [] {
    auto kernel = loop::Parse(R"(kernel @twice(in %x: f32[64], out %y: f32[64]) {
  for i in 64 {
    %y[i] = %x[i] * 2.0
  }
}
)");
    CHECK(kernel);
    return kernel.value();
  }();
  return kKernel;
}

// An entry for the kernel whose schedule splits by `factor`; `where` is what stands before it.
std::string Entry(const std::string& where, int factor, const std::string& target = "generic") {
  return "for " + target + " \"" + KeyOf(SomeKernel(), {}) + "\" " + where +
         "schedule {\n  split i " + std::to_string(factor) + "\n}\n";
}

// The factor of the schedule that a file has for the kernel; 0 if there is none.
int64_t Found(const std::string& file) {
  auto database = Database::Parse(file);
  CHECK(database);
  const Schedule* found = database.value().Find("generic", SomeKernel(), {});
  return found ? std::get<Split>(found->front()).factors[0] : 0;
}

TEST(DatabaseTest, TheLastOneWithoutATime) {
  EXPECT_EQ(Found(Entry("", 2) + Entry("", 4)), 4);
  EXPECT_EQ(Found(Entry("", 2, "large")), 0);
}

TEST(DatabaseTest, TheLeastTimeGoesFirst) {
  std::string file = Entry("on \"a\" 500 ns ", 2) + Entry("on \"a\" 300 ns ", 4) +
                     Entry("on \"a\" 400 ns ", 8) + Entry("", 16);
  EXPECT_EQ(Found(file), 4);
  // Measured again, and faster.
  EXPECT_EQ(Found(file + Entry("on \"a\" 200 ns ", 8)), 8);
}

// On a: 1, 1.2, 2. On b: 3, 1.1, 1. The second one is never the best, and the best of all.
TEST(DatabaseTest, OfSeveralDevicesWhatIsGoodOnAll) {
  std::string a =
      Entry("on \"a\" 100 ns ", 2) + Entry("on \"a\" 120 ns ", 4) + Entry("on \"a\" 200 ns ", 8);
  std::string b = Entry("on \"b\" 30000 ns ", 2) + Entry("on \"b\" 11000 ns ", 4) +
                  Entry("on \"b\" 10000 ns ", 8);
  EXPECT_EQ(Found(a), 2);
  EXPECT_EQ(Found(b), 8);
  EXPECT_EQ(Found(a + b), 4);
  EXPECT_EQ(Found(b + a), 4);
}

// What b has not measured counts there as its slowest, 3: on a 1 and 3, 1.2 and 1.
TEST(DatabaseTest, WhatADeviceHasNotMeasured) {
  std::string a = Entry("on \"a\" 100 ns ", 2) + Entry("on \"a\" 120 ns ", 4);
  std::string b = Entry("on \"b\" 30000 ns ", 8) + Entry("on \"b\" 10000 ns ", 4);
  EXPECT_EQ(Found(a + b), 4);
}

TEST(DatabaseTest, IsPrintedAsItIsRead) {
  std::string file = Entry("on \"nvidia hopper\" 300 ns ", 4) + "\n" + Entry("", 16);
  auto database = Database::Parse(file);
  ASSERT_TRUE(database);
  EXPECT_EQ(database.value().Print(), file);
}

TEST(DatabaseTest, WhatIsNoTime) {
  for (const char* where : {"on \"a\" ", "on \"a\" 0 ns ", "on \"a\" 5 ", "on 5 ns "})
    EXPECT_FALSE(Database::Parse(Entry(where, 4))) << where;
}

}  // namespace
}  // namespace webnnc::schedule
