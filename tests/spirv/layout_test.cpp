#include "spirv/layout.h"

#include <gtest/gtest.h>

#include "loop/text.h"
#include "spirv/prepare.h"

namespace webnnc::spirv {
namespace {

// The layouts of a kernel's buffers, in their order.
std::vector<Layout> LayoutsOf(const std::string& text) {
  auto parsed = loop::Parse(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  auto kernel = Prepare(parsed.value());
  EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().message);
  loop::Simplifier simplify(kernel.value());
  auto layouts = ChooseLayouts(kernel.value(), simplify);
  EXPECT_TRUE(layouts) << (layouts ? "" : layouts.error().message);
  return layouts ? layouts.value() : std::vector<Layout>();
}

TEST(ChooseLayouts, MakesVectorsOfWhatIsStoredInWholeVectors) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[64], out %z: f32[64]) {
      for t in 16 thread {
        %y[(t * 4) : 4] = %x[(t * 4) : 4]
        if t < 15 { %z[(t * 4 + 1) : 4] = %x[(t * 4) : 4] }
      }
    })");
  EXPECT_EQ(layouts[0].width, 4);
  EXPECT_EQ(layouts[1].width, 4);
  EXPECT_EQ(layouts[2].width, 1) << "a store that is not aligned";
}

TEST(ChooseLayouts, SeesThroughLets) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], in %i: i32[64], out %y: f32[64]) {
      for t in 16 thread {
        let row = t * 4
        let loaded = %i[t] * 4
        if 0 <= loaded { %y[row : 4] = %x[loaded : 4] }
      }
    })");
  EXPECT_EQ(layouts[2].width, 4);
  EXPECT_EQ(layouts[0].width, 1) << "what was loaded is not known";
}

TEST(ChooseLayouts, KeepsScalarsWhereTheBufferEndsInsideAVector) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[4*n], in %w: f32[n], out %y: f32[16]) {
      for t in 4 thread {
        %y[(t * 4) : 4] = %x[(t * 4) : 4] + %w[(t * 4) : 4]
      }
    })");
  EXPECT_EQ(layouts[0].width, 4);
  EXPECT_EQ(layouts[1].width, 1);
}

TEST(ChooseLayouts, ThreadsMustNotShareAVector) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[16]) {
      workgroup %w: f32[16]
      for t in 16 thread { %w[t] = %x[t] }
      barrier
      for t in 4 thread { %y[(t * 4) : 4] = %w[(t * 4) : 4] }
    })");
  EXPECT_EQ(layouts[2].width, 1);
  EXPECT_EQ(layouts[2].count, 16);
}

TEST(ChooseLayouts, PutsRegistersIntoVariables) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[64]) {
      register %r: f32[16,12]
      for t in 16 thread {
        %r[t, 1] = %x[t]
        for once in 1 { %r[t, 9] = %x[t] }
        %y[t] = %r[t, 1] + %r[t, 9]
      }
    })");
  const Layout& registers = layouts[2];
  ASSERT_EQ(registers.kind, Layout::Kind::kVariables);
  EXPECT_EQ(registers.variables, (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(registers.slots[9].variable, 1);
  EXPECT_EQ(registers.slots[5].variable, -1) << "never accessed";
}

TEST(ChooseLayouts, GivesVectorsOfRegistersOneVariable) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[64]) {
      register %r: f32[16]
      for t in 16 thread {
        %r[(0) : 4] = splat(%x[t], 4)
        for once in 1 { %r[(4) : 3] = splat(%x[t], 3) }
        for once in 1 { %r[(8) : 2] = splat(%x[t], 2) }
        for once in 1 { %r[(9) : 2] = splat(%x[t], 2) }
        %y[t] = %r[3] + %r[6] + %r[12]
      }
    })");
  // Those that overlap become scalars.
  EXPECT_EQ(layouts[2].variables, (std::vector<int32_t>{4, 3, 1, 1, 1, 1}));
  EXPECT_EQ(layouts[2].slots[6].variable, 1);
  EXPECT_EQ(layouts[2].slots[6].lane, 2);
}

TEST(ChooseLayouts, MakesAnArrayOfRegistersOnlyForOtherIndices) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[64]) {
      register %r: f32[10]
      for t in 16 thread {
        for k in 2 { %r[(k * 4) : 4] = %x[(k * 4) : 4] }
        %y[t] = %r[t % 10]
      }
    })");
  EXPECT_EQ(layouts[2].kind, Layout::Kind::kArray);
  EXPECT_EQ(layouts[2].width, 4);
  EXPECT_EQ(layouts[2].count, 3);
}

TEST(Prepare, TakesAThreadsOwnElementForAScalar) {
  auto layouts = LayoutsOf(R"(
    kernel @k(in %x: f32[64], out %y: f32[64]) {
      register %sum: f32[16]
      for t in 16 thread { %sum[t] = %x[t] }
      for t in 16 thread { %y[t] = %sum[t] }
    })");
  EXPECT_EQ(layouts[2].kind, Layout::Kind::kVariables);
  EXPECT_EQ(layouts[2].variables, (std::vector<int32_t>{1}));
}

}  // namespace
}  // namespace webnnc::spirv
