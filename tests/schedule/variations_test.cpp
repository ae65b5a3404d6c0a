#include "schedule/variations.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace webnnc::schedule {
namespace {

std::vector<std::string> VariationsOf(const std::string& text) {
  Lexer lexer(text);
  auto schedule = ParseSchedule(lexer);
  CHECK(schedule);
  std::vector<std::string> texts;
  for (const Schedule& variation : Variations(schedule.value())) texts.push_back(Print(variation));
  return texts;
}

// Of i alone threads are made, and of k by its second factor. With five values each, but for 1,
// which has no half, there are 5 * 3 - 1 others.
TEST(VariationsTest, OfWhatThreadsAreMade) {
  auto text = [](const std::string& i, const std::string& k) {
    return "schedule {\n  split i " + i + "\n  split k 8 " + k +
           "\n  bind i.1 k.2 thread\n  unroll k.1\n}\n";
  };
  std::vector<std::string> found = VariationsOf(text("64", "1"));
  EXPECT_EQ(found.size(), 14u);
  auto has = [&](const std::string& wanted) {
    return std::find(found.begin(), found.end(), wanted) != found.end();
  };
  EXPECT_TRUE(has(text("16", "4")));
  EXPECT_TRUE(has(text("256", "1")));
  EXPECT_FALSE(has(text("64", "1")));
  // Near ones first.
  auto place = [&](const std::string& wanted) {
    return std::find(found.begin(), found.end(), wanted) - found.begin();
  };
  EXPECT_LT(place(text("32", "1")), place(text("16", "1")));
  EXPECT_LT(place(text("64", "2")), place(text("128", "4")));
}

TEST(VariationsTest, NoneWithoutThreads) {
  EXPECT_TRUE(VariationsOf("schedule {\n  split i 64\n  vector i.1\n}\n").empty());
}

}  // namespace
}  // namespace webnnc::schedule
