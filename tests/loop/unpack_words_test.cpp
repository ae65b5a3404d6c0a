#include "loop/passes/unpack_words.h"

#include <gtest/gtest.h>

#include "loop/text.h"

namespace webnnc::loop {
namespace {

std::string Unpacked(const std::string& text, const std::vector<Storage>& parameters) {
  auto kernel = Parse(text);
  EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().message);
  if (!kernel) return "";
  UnpackWords(kernel.value(), parameters, Wasm());
  return Print(kernel.value());
}

TEST(UnpackWords, ReadsWeightsOutOfWords) {
  EXPECT_EQ(Unpacked("kernel @k(in %w: u4[10], out %y: f32[10]) {\n"
                     "  for i in 10 {\n    %y[i] = f32(%w[i])\n  }\n}",
                     {Storage::kWeight}),
            "kernel @k(in %w: u32[2], out %y: f32[10]) {\n  for i in 10 {\n"
            "    %y[i] = f32(u8(and(shr(%w[i / 8], u32(i % 8 * 4)), 15:u32)))\n  }\n}\n");
  // The sign comes from the top.
  EXPECT_EQ(Unpacked("kernel @k(in %w: i2[20], out %y: i32[20]) {\n"
                     "  for i in 20 {\n    %y[i] = i32(%w[i])\n  }\n}",
                     {Storage::kWeight}),
            "kernel @k(in %w: i32[2], out %y: i32[20]) {\n  for i in 20 {\n"
            "    %y[i] = i32(i8(shr(shl(%w[i / 16], 30 - i % 16 * 2), 30)))\n  }\n}\n");
}

TEST(UnpackWords, KeepsInBytesWhatScheduleSetsAside) {
  EXPECT_EQ(Unpacked("kernel @k(in %w: u4[8], out %y: f32[8]) {\n"
                     "  register %r: u4[8]\n"
                     "  for i in 8 {\n    %r[i] = %w[i]\n  }\n"
                     "  for j in 8 {\n    %y[j] = f32(%r[j])\n  }\n}",
                     {Storage::kWeight}),
            "kernel @k(in %w: u32[1], out %y: f32[8]) {\n"
            "  register %r: u8[8]\n"
            "  for i in 8 {\n    %r[i] = u8(and(shr(%w[0], u32(i * 4)), 15:u32))\n  }\n"
            "  for j in 8 {\n    %y[j] = f32(%r[j])\n  }\n}\n");
}

TEST(UnpackWords, LeavesOthers) {
  const std::string text =
      "kernel @k(in %w: u8[8], out %y: f32[8]) {\n  for i in 8 {\n    %y[i] = f32(%w[i])\n  }\n}\n";
  EXPECT_EQ(Unpacked(text, {Storage::kWeight}), text);
}

}  // namespace
}  // namespace webnnc::loop
