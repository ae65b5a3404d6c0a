// What is lowered computes what it did, as far as f16 goes; what has no room there stays.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/evaluate.h"
#include "graph/passes/lower_precision.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace webnnc {
namespace {

using graph::Graph;

// Evenly in [-1, 1]; the first of the integers is true.
Tensor MadeUp(const TensorType& type) {
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
  uint32_t state = 7;
  for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i) {
    state = state * 1664525 + 1013904223;
    double value = IsFloat(type.dtype) ? state * 0x1p-31 - 1 : static_cast<double>(i == 0);
    WriteScalar(bytes.data(), i, Scalar::Of(type.dtype, value));
  }
  return {type, TensorData::Own(std::move(bytes))};
}

struct Lowered {
  Graph before, after;
  graph::LoweredValues values;
  double difference = 0;  // the root of its mean square, by that of the first result's
};

Lowered Lower(const std::string& text) {
  auto parsed = graph::Parse("graph @g" + text);
  CHECK(parsed);
  Lowered made{parsed.value(), parsed.value()};
  std::vector<Tensor> inputs;
  for (const graph::Port& port : made.before.inputs)
    inputs.push_back(MadeUp(made.before.values[port.value].type));
  graph::SeenValues seen;
  auto watch = [&](const Graph&, graph::ValueId id, const Tensor& tensor) {
    if (tensor.type.dtype == DType::kF32) seen[id].Add(tensor);
  };
  auto expected = graph::Evaluate(made.before, inputs, {.value = watch});
  made.values = graph::LowerPrecision(made.after, seen);
  CHECK(graph::Verify(made.after));
  auto actual = graph::Evaluate(made.after, inputs);
  CHECK(expected && actual);
  const Tensor &x = expected.value()[0], &y = actual.value()[0];
  double differences = 0, squares = 0;
  for (int64_t i = 0; i < ElementCount(x.type.shape).value(); ++i) {
    const double a = x.data.At(x.type.dtype, i).real, b = y.data.At(y.type.dtype, i).real;
    differences += (a - b) * (a - b);
    squares += a * a;
  }
  made.difference = std::sqrt(differences / squares);
  return made;
}

// Weights, what they are multiplied with and the result of the first product are rounded, each to
// 2^-12 at most and half of that in the mean.
TEST(Precision, RoundsWhatIsStored) {
  Lowered made = Lower(R"((%x: f32[9,64]) {
  %w: f32[64,32] = constant(random=1)
  %v: f32[32,16] = constant(random=2)
  %h: f32[9,32] = matmul(%x, %w)
  %y: f32[9,16] = matmul(%h, %v)
  return %y
})");
  EXPECT_EQ(made.values.lowered, 3);
  EXPECT_GT(made.difference, 0x1p-13);
  EXPECT_LT(made.difference, 0x1p-11);
}

// Squares of thousands are infinite in f16, and so is what is made of them.
TEST(Precision, KeepsWhatHasNoRoom) {
  Lowered made = Lower(R"((%x: f32[9,64]) {
  %w: f32[64,32] = constant(random=1)
  %v: f32[32,16] = constant(random=2)
  %k: f32[] = constant(values=[1000.0])
  %h: f32[9,32] = matmul(%x, %w)
  %l: f32[9,32] = mul(%h, %k)
  %q: f32[9,32] = mul(%l, %l)
  %y: f32[9,16] = matmul(%q, %v)
  return %y
})");
  EXPECT_EQ(made.values.kept["too large for f16"].size(), 3u);
  EXPECT_LT(made.difference, 0x1p-10);
}

// A result that is large only because many are added up.
TEST(Precision, KeepsSumsThatHaveNoRoom) {
  Lowered made = Lower(R"((%x: f32[4,1024]) {
  %one: f32[] = constant(values=[30.0])
  %v: f32[1024,16] = constant(random=2)
  %w: f32[16,16] = constant(random=3)
  %a: f32[4,1024] = abs(%x)
  %b: f32[4,1024] = mul(%a, %one)
  %s: f32[4,1] = reduce(%b, kind=sum, axes=[1])
  %d: f32[4,1024] = div(%b, %s)
  %h: f32[4,16] = matmul(%d, %v)
  %y: f32[4,16] = matmul(%h, %w)
  return %y
})");
  EXPECT_EQ(made.values.kept["too large for f16"].size(), 1u);
  EXPECT_LT(made.difference, 0x1p-9);
}

// Only one of the masked scores is seen.
TEST(Precision, KeepsWhatAConstantMayMakeTooLarge) {
  Lowered made = Lower(R"((%x: f32[1,64], %m: i64[1,32]) {
  %w: f32[64,32] = constant(random=1)
  %v: f32[32,16] = constant(random=2)
  %lowest: f32[] = constant(values=[-3.0e38])
  %h: f32[1,32] = matmul(%x, %w)
  %f: f32[1,32] = cast(%m)
  %l: f32[1,32] = mul(%f, %lowest)
  %s: f32[1,32] = add(%h, %l)
  %p: f32[1,32] = softmax(%s, axes=[1])
  %y: f32[1,16] = matmul(%p, %v)
  return %y
})");
  for (const graph::Node& node : made.after.nodes) {
    if (!std::holds_alternative<graph::Softmax>(node.op)) continue;
    EXPECT_EQ(made.after.values[node.operands[0]].type.dtype, DType::kF32);
  }
  EXPECT_LT(made.difference, 0x1p-9);
}

}  // namespace
}  // namespace webnnc
