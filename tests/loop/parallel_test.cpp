// What a parallel loop promises (loop/kernel.h), and that the interpreter holds loops to it.
#include "loop/parallel.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "loop/interpret.h"
#include "loop/text.h"

namespace webnnc::loop {
namespace {

Kernel KernelOf(const std::string& body) {
  auto kernel = Parse("kernel @k(in %x: f32[4,3], out %y: f32[4,3]) {\n  register %acc: f32[2]\n" +
                      body + "}\n");
  CHECK(kernel);
  return std::move(kernel.value());
}

// The kinds of its loops, outer before inner, after those that break promises were made serial.
std::string KindsOf(const std::string& body) {
  Kernel kernel = KernelOf(body);
  bool kept = bool{CheckPromises(kernel)};
  KeepPromises(kernel);
  EXPECT_TRUE(CheckPromises(kernel));
  std::string kinds = kept ? "" : "broken:";
  std::function<void(const Block&)> visit = [&](const Block& block) {
    for (const Stmt& stmt : block) {
      auto* loop = std::get_if<For>(&stmt);
      if (loop)
        kinds += loop->kind == LoopKind::kParallel ? " parallel" : " other", visit(loop->body);
    }
  };
  visit(kernel.body);
  return kinds;
}

TEST(ParallelTest, LoopsOfOneStatementInsideOfEachOther) {
  EXPECT_EQ(KindsOf(R"(for i in 4 parallel { for j in 3 parallel { %y[i, j] = %x[i, j] } })"),
            " parallel parallel");
}

TEST(ParallelTest, NotBesideAnotherStatementOfALoop) {
  EXPECT_EQ(KindsOf(R"(for i in 4 parallel {
    %acc[0] = %x[i, 0]
    for j in 3 parallel { %y[i, j] = %acc[0] }
  })"),
            "broken: parallel other");
}

TEST(ParallelTest, NotInsideOfALoopThatIsNot) {
  EXPECT_EQ(KindsOf(R"(for i in 4 { for j in 3 parallel { %y[i, j] = %x[i, j] } })"),
            "broken: other other");
}

// The second loop would find what some thread left.
TEST(ParallelTest, NotIfRegistersAreUsedBehindIt) {
  EXPECT_EQ(KindsOf(R"(for i in 2 parallel { %acc[i] = %x[i, 0] }
  for i in 2 parallel { %y[i, 0] = %acc[i] })"),
            "broken: other parallel");
}

TEST(ParallelTest, NotBesideThreads) {
  EXPECT_EQ(KindsOf(R"(for i in 2 parallel { for t in 3 thread { %y[i, t] = %x[i, t] } })"),
            "broken: other other");
}

std::vector<float> ResultOf(const std::string& body) {
  Memory memory(3);
  std::vector<float> x(12);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  memory[0].resize(48);
  std::memcpy(memory[0].data(), x.data(), 48);
  CHECK(Interpret(KernelOf(body), memory));
  std::vector<float> y(12);
  std::memcpy(y.data(), memory[1].data(), 48);
  return y;
}

// A loop that is called parallel, and is not: each iteration takes what the one before has stored.
TEST(ParallelTest, TheInterpreterShowsIterationsThatDepend) {
  const std::string sums =
      "%y[0, 0] = %x[0, 1]\n for i in 3 KIND { %y[i + 1, 0] = %y[i, 0] + %x[0, 1] }";
  auto with = [&](const std::string& kind) {
    std::string text = sums;
    return text.replace(text.find("KIND "), 5, kind);
  };
  EXPECT_EQ(ResultOf(with(""))[9], 4);
  EXPECT_NE(ResultOf(with("parallel "))[9], 4);
}

// As is one whose iterations find registers as the one before left them.
TEST(ParallelTest, TheInterpreterShowsRegistersThatAreNotSet) {
  const std::string last = R"(for i in 4 KIND {
    if i == 0 { %acc[0] = 5.0 }
    if i == 3 { %acc[0] = 5.0 }
    %y[i, 0] = %acc[0]
  })";
  auto with = [&](const std::string& kind) {
    std::string text = last;
    return text.replace(text.find("KIND "), 5, kind);
  };
  EXPECT_EQ(ResultOf(with(""))[3], 5);
  EXPECT_NE(ResultOf(with("parallel "))[3], 5);
}

}  // namespace
}  // namespace webnnc::loop
