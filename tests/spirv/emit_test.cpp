#include "spirv/emit.h"

#include <gtest/gtest.h>

#include "loop/text.h"

namespace webnnc::spirv {
namespace {

loop::Kernel Parse(const std::string& text) {
  auto kernel = loop::Parse(text);
  EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().message);
  return kernel ? kernel.value() : loop::Kernel();
}

Module EmitText(const std::string& text, const Options& options = {}) {
  auto module = Emit(Parse(text), options);
  EXPECT_TRUE(module) << (module ? "" : module.error().message);
  return module ? module.value() : Module();
}

std::string ErrorOf(const std::string& text) {
  auto module = Emit(Parse(text));
  return module ? "" : module.error().message;
}

TEST(Emit, SaysWhatTheHostMustKnow) {
  Module module = EmitText(R"(
    kernel @k(in %x: f32[m*n], out %y: f32[m*n]) {
      workgroup %a: f32[10]
      workgroup %b: i32[3]
      for i in m workgroup.y {
        for t in 7 thread { %a[t] = %x[i * size(n) + t] }
        for t in 3 thread { %b[t] = size(n) + size(m) }
        barrier
        for j in floordiv(n,2) {
          for t in 5 thread { %y[i * size(n) + t] = %a[t] + f32(%b[t % 3]) }
        }
      }
    })");
  EXPECT_EQ(module.workgroup_size, 7);
  EXPECT_EQ(module.workgroup_bytes, 4 * (10 + 3));
  EXPECT_FALSE(module.uses_f16);
  // In the order in which they are first used.
  ASSERT_EQ(module.sizes.size(), 3u);
  EXPECT_EQ(Print(module.sizes[0]), "m");
  EXPECT_EQ(Print(module.sizes[1]), "n");
  EXPECT_EQ(Print(module.sizes[2]), "floordiv(n,2)");
}

TEST(Emit, SaysHowManyWorkgroupsToLaunch) {
  auto workgroups = [](const std::string& loops, int depth) {
    std::string text = "kernel @k(in %x: f32[8], out %y: f32[8]) { " + loops +
                       " for t in 8 thread { %y[t] = %x[t] }" + std::string(depth, '}') + " }";
    std::string all;
    for (const Dim& count : EmitText(text).workgroups) all += Print(count) + " ";
    return all;
  };
  EXPECT_EQ(workgroups("", 0), "1 1 1 ");
  EXPECT_EQ(workgroups("for i in 65535 workgroup.x { for j in 7 workgroup.z {", 2), "65535 1 7 ");
  EXPECT_EQ(workgroups("for i in min(n,100) workgroup.y {", 1), "1 min(100,n) 1 ");
  // Rows are of the same length if they can be.
  EXPECT_EQ(workgroups("for i in 65536 workgroup.x {", 1), "32768 2 1 ");
  EXPECT_EQ(workgroups("for i in 70000 workgroup.x { for j in 5 workgroup.y {", 2), "58334 6 1 ");
  EXPECT_EQ(workgroups("for i in n workgroup.z {", 1), "min(65535,n) floordiv(n+65534,65535) 1 ");
}

TEST(Emit, CountsVectorsOfWorkgroupMemoryWhole) {
  Module module = EmitText(R"(
    kernel @k(in %x: f32[8], out %y: f32[8]) {
      workgroup %w: f32[6]
      for t in 1 thread { %w[(t * 4) : 4] = %x[(t * 4) : 4] }
      barrier
      for t in 1 thread { %y[t] = %w[3] }
    })");
  EXPECT_EQ(module.workgroup_bytes, 2 * 16);
}

TEST(Emit, HasOneThreadWithoutThreadLoops) {
  Module module = EmitText("kernel @k(out %y: f32[3]) { for i in 3 { %y[i] = f32(i) } }");
  EXPECT_EQ(module.workgroup_size, 1);
  EXPECT_TRUE(module.sizes.empty());
}

TEST(Emit, DeclaresOnlyWhatF16Needs) {
  const char* text =
      "kernel @k(in %x: f16[8], out %y: f16[8]) { for t in 8 thread { %y[t] = %x[t] } }";
  Module module = EmitText(text);
  EXPECT_TRUE(module.uses_f16);
  std::string assembly = Disassemble(module.words);
  EXPECT_NE(assembly.find("OpCapability Float16"), std::string::npos);
  EXPECT_NE(assembly.find("OpCapability StorageBuffer16BitAccess"), std::string::npos);
  module =
      EmitText("kernel @k(in %x: f32[8], out %y: f32[8]) { for t in 8 thread { %y[t] = %x[t] } }");
  EXPECT_EQ(Disassemble(module.words).find("16"), std::string::npos);
}

TEST(Emit, DeclaresInputsReadOnlyIfAsked) {
  const char* text =
      "kernel @k(in %x: f32[8], out %y: f32[8]) { for t in 8 thread { %y[t] = %x[t] } }";
  EXPECT_EQ(Disassemble(EmitText(text).words).find("NonWritable"), std::string::npos);
  EXPECT_NE(Disassemble(EmitText(text, {{true}}).words).find("OpDecorate %x NonWritable"),
            std::string::npos);
}

TEST(Emit, GivesTheSameWordsEachTime) {
  const char* text = R"(
    kernel @k(in %x: f32[n], out %y: f32[n]) {
      for g in n workgroup.x {
        for t in 8 thread { %y[g * 8 + t] = pow(%x[g * 8 + t], erf(%x[t])) % size_of(t) }
      }
    })";
  std::string fixed = text;
  fixed.replace(fixed.find("size_of(t)"), 10, "f32(t + 1)");
  EXPECT_EQ(EmitText(fixed).words, EmitText(fixed).words);
}

TEST(Emit, RefusesByName) {
  EXPECT_NE(ErrorOf("kernel @k(in %x: u8[8], out %y: u8[8]) { for i in 8 { %y[i] = %x[i] } }")
                .find("%x: u8[8]"),
            std::string::npos);
  EXPECT_NE(ErrorOf("kernel @k(out %y: f32[8]) { temporary %q: f32[8] for i in 8 { %y[i] = 1.0 } }")
                .find("%q"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"(kernel @k(in %x: f32[8], out %y: f32[8]) {
                         register %r: f32[4,2]
                         for i in 8 { %r[0, 1] = %x[i] }
                       })")
                .find("%r"),
            std::string::npos);
}

TEST(Validate, ReportsWhatIsWrong) {
  Module module = EmitText("kernel @k(out %y: f32[3]) { for i in 3 { %y[i] = f32(i) } }");
  EXPECT_TRUE(Validate(module.words));
  // Without the entry point's interface and what follows.
  std::vector<uint32_t> half(module.words.begin(), module.words.begin() + 20);
  Status status = Validate(half);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.find("spirv-val: "), 0u);
  EXPECT_EQ(Disassemble({1, 2, 3}), "not a SPIR-V module\n");
}

}  // namespace
}  // namespace webnnc::spirv
