#include "graph/evaluate.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace webnnc {
namespace {

Tensor Floats(int64_t count) {
  return {{DType::kF32, {count}},
          TensorData::Own(std::vector<uint8_t>(static_cast<size_t>(count) * sizeof(float)))};
}

TEST(Evaluate, RefusesANegativeSize) {
  auto graph = graph::Parse(R"(graph @g(%x: f32[n]) {
  %y: f32[n-2] = slice(%x, starts=[1], sizes=[n-2], steps=[1])
  return %y
}
)");
  ASSERT_TRUE(graph) << graph.error().message;
  auto fits = graph::Evaluate(graph.value(), {Floats(2)});
  ASSERT_TRUE(fits) << fits.error().message;
  EXPECT_EQ(Print(fits.value()[0].type), "f32[0]");
  auto refused = graph::Evaluate(graph.value(), {Floats(1)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "for these inputs n-2 is a size of -1");
}

// As exporters ask for as many of the best as there are, and at most so many.
TEST(Evaluate, TheLeastAndTheMostOfSizesAreSizes) {
  const Dim n = Dim::Symbol("n");
  for (DType dtype : {DType::kI64, DType::kI32}) {
    for (auto [kind, expected] : {std::pair{graph::ReduceKind::kMin, Min(n, 300)},
                                  std::pair{graph::ReduceKind::kMax, Max(n, 300)}}) {
      auto found = graph::EvaluateSizes(graph::Reduce{kind, {0}, true}, {{dtype, {2}}},
                                        {graph::SizeElements{n, 300}});
      ASSERT_TRUE(found);
      EXPECT_EQ(*found, graph::SizeElements{expected});
    }
  }
}

}  // namespace
}  // namespace webnnc
