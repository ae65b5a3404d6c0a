// Graphs with quantised weights compute what they did, as far as their weights' bits go.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/evaluate.h"
#include "graph/passes/quantize_weights.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace webnnc {
namespace {

using graph::Graph;

// Evenly in [-1, 1], as the text's random constants are; integers count on.
Tensor MadeUp(const TensorType& type) {
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
  uint32_t state = 7;
  for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i) {
    state = state * 1664525 + 1013904223;
    double value = IsFloat(type.dtype) ? state * 0x1p-31 - 1 : static_cast<double>(i);
    WriteScalar(bytes.data(), i, Scalar::Of(type.dtype, value));
  }
  return {type, TensorData::Own(std::move(bytes))};
}

// The root of the mean square of what two graphs' results differ by, by that of the first's.
double Difference(const Graph& before, const Graph& after) {
  std::vector<Tensor> inputs;
  for (const graph::Port& port : before.inputs)
    inputs.push_back(MadeUp(before.values[port.value].type));
  auto expected = graph::Evaluate(before, inputs), actual = graph::Evaluate(after, inputs);
  CHECK(expected && actual);
  const Tensor &x = expected.value()[0], &y = actual.value()[0];
  CHECK(x.type == y.type);
  double difference = 0, all = 0;
  for (int64_t i = 0; i < ElementCount(x.type.shape).value(); ++i) {
    const double a = x.data.At(x.type.dtype, i).real, b = y.data.At(y.type.dtype, i).real;
    difference += (a - b) * (a - b);
    all += a * a;
  }
  return std::sqrt(difference / all);
}

class Quantised : public testing::TestWithParam<const char*> {};

// What is rounded to steps of s is off by up to s/2, s/sqrt(12) in the mean, of elements that are
// 1/sqrt(3) in the mean; a sum's errors are as independent as its terms. Steps of f16 are 2^-11
// from a half to 1, half of that from a quarter on, and so on: 2^-10 / sqrt(7) in the mean.
TEST_P(Quantised, DiffersByWhatIsRounded) {
  const std::string text = std::string("graph @g") + GetParam();
  auto before = graph::Parse(text);
  ASSERT_TRUE(before) << before.error().message;
  for (auto [format, step] :
       {std::pair{graph::WeightFormat{DType::kI8}, 0x1p-7},
        std::pair{graph::WeightFormat{DType::kI4, 32}, 0x1p-3},
        std::pair{graph::WeightFormat{DType::kF16}, 0x1p-10 / std::sqrt(7)}}) {
    Graph after = before.value();
    graph::QuantizeWeights(after, format);
    ASSERT_TRUE(graph::Verify(after));
    const bool has_int4 = graph::Print(after).find(": i4[") != std::string::npos;
    if (format.dtype == DType::kI4 && !has_int4) step = 0x1p-7;
    const double expected = step / std::sqrt(12) * std::sqrt(3);
    const double difference = Difference(before.value(), after);
    EXPECT_GT(difference, 0.6 * expected) << Name(format.dtype) << " of " << text;
    EXPECT_LT(difference, 1.2 * expected) << Name(format.dtype) << " of " << text;
  }
}

constexpr const char* kGraphs[] = {
    R"((%x: f32[9,96]) {
  %w: f32[96,32] = constant(random=1)
  %y: f32[9,32] = matmul(%x, %w)
  return %y
})",
    R"((%x: f32[80,9]) {
  %w: f32[32,80] = constant(random=1)
  %y: f32[9,32] = matmul(%x, %w, transpose_a=true, transpose_b=true)
  return %y
})",
    R"((%x: f32[5,3,7,64]) {
  %w: f32[3,64,32] = constant(random=1)
  %y: f32[5,3,7,32] = matmul(%x, %w)
  return %y
})",
    R"((%x: f32[3,7,64]) {
  %w: f32[3,32,64] = constant(random=1)
  %y: f32[3,7,32] = matmul(%x, %w, transpose_b=true)
  return %y
})",
    R"((%i: i64[3,20]) {
  %w: f32[64,48] = constant(random=1)
  %y: f32[3,20,48] = gather(%w, %i)
  return %y
})",
    R"((%i: i64[20]) {
  %w: f32[64,4,24] = constant(random=1)
  %y: f32[20,4,24] = gather(%w, %i)
  return %y
})",
    R"((%x: f32[2,16,6,6]) {
  %w: f32[32,8,3,3] = constant(random=1)
  %y: f32[2,32,4,4] = conv(%x, %w, strides=[1,1], dilations=[1,1], pads_begin=[0,0], pads_end=[0,0], groups=2)
  return %y
})",
    R"((%x: f32[2,6,6,16]) {
  %w: f32[3,3,16,24] = constant(random=1)
  %y: f32[2,6,6,24] = conv(%x, %w, strides=[1,1], dilations=[1,1], pads_begin=[1,1], pads_end=[1,1], layout=channels_last)
  return %y
})",
    R"((%x: f32[2,16,4,4]) {
  %w: f32[16,24,3,3] = constant(random=1)
  %y: f32[2,24,9,9] = conv_transpose(%x, %w, strides=[2,2], dilations=[1,1], pads_begin=[0,0], pads_end=[0,0], extra=[0,0])
  return %y
})",
    R"((%x: f32[2,4,4,16]) {
  %w: f32[3,3,16,24] = constant(random=1)
  %y: f32[2,9,9,24] = conv_transpose(%x, %w, strides=[2,2], dilations=[1,1], pads_begin=[0,0], pads_end=[0,0], extra=[0,0], layout=channels_last)
  return %y
})",
};
INSTANTIATE_TEST_SUITE_P(Graphs, Quantised, testing::ValuesIn(kGraphs));

}  // namespace
}  // namespace webnnc
