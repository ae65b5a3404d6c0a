#include "loop/passes/legalize_for_gpu.h"

#include <gtest/gtest.h>

#include "loop/integer_ranges.h"
#include "loop/text.h"

namespace webnnc::loop {
namespace {

Kernel ParseKernel(const std::string& text) {
  auto kernel = Parse(text);
  EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().message);
  return kernel ? kernel.value() : Kernel();
}

constexpr Storage kWeight = Storage::kWeight, kPacked = Storage::kPacked;
const Target kWithF16 = WebGpu({Feature::kF16}), kWithoutF16 = WebGpu();

std::string Legalized(const std::string& text, const std::vector<Storage>& kinds = {},
                      bool half = true) {
  Kernel kernel = ParseKernel(text);
  auto legalization = LegalizeForGpu(kernel, kinds, half ? kWithF16 : kWithoutF16);
  return legalization ? Print(kernel) : legalization.error().message;
}

// Whether storing `value` to an i64 may lose something; %i is i64 and %f f32.
bool Narrows(const std::string& value, const std::string& type = "i64") {
  Kernel kernel =
      ParseKernel("kernel @k(in %i: i64[8], in %f: f32[8], out %y: " + type +
                  "[n]) { for t in 8 { let x = %i[t] for once in 1 { %y[t] = " + value + " } } }");
  auto legalization = LegalizeForGpu(kernel, {}, kWithF16);
  EXPECT_TRUE(legalization);
  return legalization && legalization.value().narrows_64_bits;
}

TEST(LegalizeForGpu, CarriesActivationsInWords) {
  EXPECT_EQ(Legalized("kernel @k(in %x: i64[n], in %b: bool[n], out %y: bool[n]) {\n"
                      "  for i in n {\n    %y[i] = and(%b[i], %x[i] < 3:i64)\n  }\n}"),
            "kernel @k(in %x: i32[n], in %b: i32[n], out %y: i32[n]) {\n"
            "  for i in n {\n    %y[i] = i32(and(bool(%b[i]), %x[i] < 3))\n  }\n}\n");
}

TEST(LegalizeForGpu, ReadsWeightsOutOfWords) {
  EXPECT_EQ(Legalized("kernel @k(in %w: u8[10], out %y: i32[10]) {\n"
                      "  for i in 10 {\n    %y[i] = i32(%w[i])\n  }\n}",
                      {kWeight}),
            "kernel @k(in %w: u32[3], out %y: i32[10]) {\n  for i in 10 {\n"
            "    %y[i] = i32(and(shr(%w[i / 4], u32(i % 4 * 8)), 255:u32))\n  }\n}\n");
  EXPECT_EQ(Legalized("kernel @k(in %w: i4[10], out %y: f32[10]) {\n"
                      "  for i in 10 {\n    %y[i] = f32(%w[i])\n  }\n}",
                      {kWeight}),
            "kernel @k(in %w: i32[2], out %y: f32[10]) {\n  for i in 10 {\n"
            "    %y[i] = f32(shr(shl(%w[i / 8], 28 - i % 8 * 4), 28))\n  }\n}\n");
  EXPECT_EQ(Legalized("kernel @k(in %w: i64[10], out %y: i32[10]) {\n"
                      "  for i in 10 {\n    %y[i] = i32(%w[i])\n  }\n}",
                      {kWeight}),
            "kernel @k(in %w: i32[20], out %y: i32[10]) {\n"
            "  for i in 10 {\n    %y[i] = %w[i * 2]\n  }\n}\n");
}

TEST(LegalizeForGpu, ReadsPackedActivationsOutOfWords) {
  EXPECT_EQ(Legalized("kernel @k(in %x: i16[16], out %y: i32[16]) {\n"
                      "  for i in 4 {\n    %y[i * 4 : 4] = i32(%x[i * 4 : 4])\n  }\n}",
                      {kPacked}),
            "kernel @k(in %x: i32[8], out %y: i32[16]) {\n  for i in 4 {\n"
            "    %y[i * 4 : 4] = shr(shl(pack(%x[i * 2], %x[i * 2], %x[i * 2 + 1], "
            "%x[i * 2 + 1]), pack(16, 0, 16, 0)), splat(16, 4))\n  }\n}\n");
}

TEST(LegalizeForGpu, StoresPackedActivationsByWords) {
  EXPECT_EQ(Legalized("kernel @k(in %x: i32[16], out %y: i8[16]) {\n"
                      "  for i in 4 {\n    %y[i * 4 : 4] = i8(%x[i * 4 : 4])\n  }\n}",
                      {Storage::kActivation, kPacked}),
            "kernel @k(in %x: i32[16], out %y: i32[4]) {\n  register %parts: i32[4]\n"
            "  for i in 4 {\n"
            "    %parts[0 : 4] = shr(shl(%x[i * 4 : 4], splat(24, 4)), splat(24, 4))\n"
            "    %y[i] = or(or(or(and(%parts[0], 255), shl(and(%parts[1], 255), 8)), "
            "shl(and(%parts[2], 255), 16)), shl(%parts[3], 24))\n  }\n}\n");
  EXPECT_EQ(Legalized("kernel @k(in %x: i32[4], out %y: u16[4]) {\n"
                      "  %y[0 : 4] = u16(max(%x[0 : 4], splat(0, 4)))\n}",
                      {Storage::kActivation, kPacked}),
            "kernel @k(in %x: i32[4], out %y: u32[2]) {\n  register %parts: u32[4]\n"
            "  %parts[0 : 4] = and(u32(max(%x[0 : 4], splat(0, 4))), splat(65535:u32, 4))\n"
            "  %y[0 : 2] = pack(or(and(%parts[0], 65535:u32), shl(%parts[1], 16:u32)), "
            "or(and(%parts[2], 65535:u32), shl(%parts[3], 16:u32)))\n}\n");
}

TEST(LegalizeForGpu, RefusesToStorePartsOfWords) {
  const std::vector<Storage> kinds{Storage::kActivation, kPacked};
  EXPECT_EQ(Legalized("kernel @k(in %x: i8[8], out %y: i8[8]) {\n"
                      "  for i in 8 {\n    %y[i] = %x[i]\n  }\n}",
                      kinds),
            "@k: %y is not stored by whole words");
  EXPECT_EQ(Legalized("kernel @k(in %x: i8[8], out %y: i8[8]) {\n"
                      "  for i in 2 {\n    %y[i * 2 : 4] = %x[i * 2 : 4]\n  }\n}",
                      kinds),
            "@k: %y is not stored by whole words");
}

TEST(LegalizeForGpu, TakesWordsThatAreThere) {
  // A word of the bytes from `first` on, each with `step` to the next one.
  auto word = [](const std::string& first, int step, const std::string& condition = "") {
    std::string text;
    for (int n = 0; n < 4; ++n) {
      std::string part = "i32(%x[" + first + " + " + std::to_string(n * step) + "])";
      if (!condition.empty()) part = "select(" + condition + ", " + part + ", 0)";
      if (n < 3) part = "and(" + part + ", 255)";
      if (n > 0) part = "shl(" + part + ", " + std::to_string(8 * n) + ")";
      text = n > 0 ? "or(" + text + ", " + part + ")" : part;
    }
    std::string legal = Legalized(
        "kernel @k(in %x: i8[64], out %y: i32[16]) {\n  for i in 8 {\n"
        "    %y[i] = " +
            text + "\n  }\n}",
        {kPacked});
    size_t at = legal.find("%y[i] = ") + 8;
    return legal.substr(at, legal.find('\n', at) - at);
  };
  EXPECT_EQ(word("i * 4", 1), "%x[i]");
  EXPECT_EQ(word("i * 8 + 4", 1), "%x[i * 2 + 1]");
  EXPECT_EQ(word("i * 4", 1, "i < 5"), "select(i < 5, %x[i], 0)");
  // They begin within a word, and are apart.
  EXPECT_NE(word("i * 4 + 1", 1).find("shl"), std::string::npos);
  EXPECT_NE(word("i * 4", 2).find("shl"), std::string::npos);
}

TEST(LegalizeForGpu, WrapsOnlyWhatMayLeaveItsType) {
  auto stored = [](const std::string& value) {
    std::string text = Legalized(
        "kernel @k(in %x: i8[4], out %y: i8[4]) { for i in 4 { %y[i] = " + value + " } }");
    size_t at = text.find("%y[i] = ") + 8;
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(stored("max(%x[i], 0:i8)"), "max(%x[i], 0)");
  EXPECT_EQ(stored("%x[i] / 2:i8 + 60:i8"), "shr(shl(%x[i] / 2 + 60, 24), 24)");
  EXPECT_EQ(stored("max(%x[i], 0:i8) - 100:i8"), "max(%x[i], 0) - 100");
  EXPECT_EQ(stored("select(%x[i] < 0:i8, %x[i] + 100:i8, %x[i])"),
            "select(%x[i] < 0, shr(shl(%x[i] + 100, 24), 24), %x[i])");
}

TEST(LegalizeForGpu, SaysWhere32BitsMayNotDo) {
  EXPECT_FALSE(Narrows("x"));
  EXPECT_TRUE(Narrows("x + 1:i64"));
  EXPECT_TRUE(Narrows("x * x"));
  EXPECT_TRUE(Narrows("neg(x)"));
  EXPECT_TRUE(Narrows("i64(%f[t])"));
  EXPECT_TRUE(Narrows("5000000000:i64"));
  // Indices that count from the end, clamped ones, and comparisons are all right.
  EXPECT_FALSE(Narrows("select(x < 0:i64, x + 1000:i64, x)"));
  EXPECT_TRUE(Narrows("select(x < 0:i64, x, x + 1000:i64)"));
  EXPECT_FALSE(Narrows("max(min(x, 100:i64), -100:i64) * 1000:i64"));
  EXPECT_FALSE(Narrows("min(x, 9223372036854775807:i64)"));
  EXPECT_FALSE(Narrows("x < 5000000000:i64", "bool"));
  EXPECT_FALSE(Narrows("i64(t) * 3:i64 + 1:i64"));
  EXPECT_FALSE(Narrows("i32(x)", "i32"));
}

TEST(LegalizeForGpu, RefusesF64ByName) {
  EXPECT_EQ(Legalized("kernel @k(in %x: f64[2], out %y: f32[2]) { %y[0] = f32(%x[0]) }"),
            "@k: %x: f64[2], which GPU kernels cannot have");
  EXPECT_EQ(
      Legalized("kernel @k(in %x: f32[2], out %y: f32[2]) { %y[0] = f32(f64(%x[0]) * 2.0:f64) }"),
      "@k: computes f64, which GPU kernels cannot have");
}

TEST(LegalizeForGpu, CarriesHalfAsFloatWithoutIt) {
  EXPECT_EQ(Legalized("kernel @k(in %x: f16[4], in %w: f16[4], out %y: f16[4]) {\n"
                      "  for i in 4 {\n    %y[i] = %x[i] * %w[i] + 0.5:f16\n  }\n}",
                      {Storage::kActivation, kWeight}, false),
            "kernel @k(in %x: f32[4], in %w: f16[4], out %y: f32[4]) {\n"
            "  for i in 4 {\n    %y[i] = %x[i] * f32(%w[i]) + 0.5\n  }\n}\n");
}

}  // namespace
}  // namespace webnnc::loop
