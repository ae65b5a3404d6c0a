#include "plan/name_kernels.h"

#include <gtest/gtest.h>

#include "loop/text.h"

namespace webnnc::plan {
namespace {

// y = x * factor, for so many elements.
Kernel Named(const std::string& name, const std::string& size = "4",
             const std::string& factor = "2.0") {
  auto parsed =
      loop::Parse("kernel @" + name + "(in %x: f32[" + size + "], out %y: f32[" + size +
                  "]) {\n  for i in " + size + " {\n    %y[i] = %x[i] * " + factor + "\n  }\n}\n");
  CHECK(parsed);
  return {parsed.value(), {}, parsed.value()};
}

std::vector<std::string> NamesOf(std::vector<Kernel> kernels) {
  std::vector<Kernel*> pointers;
  for (Kernel& kernel : kernels) pointers.push_back(&kernel);
  NameKernels(pointers);
  std::vector<std::string> names;
  for (const Kernel& kernel : kernels) {
    EXPECT_EQ(kernel.plain.name, kernel.flat.name);
    names.push_back(kernel.flat.name);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(NameKernelsTest, KernelsThatAreTheSameHaveOneName) {
  EXPECT_EQ(NamesOf({Named("mul"), Named("mul"), Named("scale")}), (Names{"mul", "mul", "mul"}));
}

TEST(NameKernelsTest, KernelsThatDifferHaveDifferentNames) {
  EXPECT_EQ(NamesOf({Named("mul"), Named("mul", "5"), Named("mul", "4", "3.0"), Named("mul", "5")}),
            (Names{"mul", "mul_2", "mul_3", "mul_2"}));
}

// The functions take sizes, of which each caller has its own.
TEST(NameKernelsTest, SymbolsHaveNoNames) {
  EXPECT_EQ(NamesOf({Named("mul", "n"), Named("mul", "m"), Named("mul", "2*n")}),
            (Names{"mul", "mul", "mul_2"}));
  EXPECT_EQ(NamesOf({Named("mul", "m+n"), Named("mul", "batch+m"), Named("mul", "m*n")}),
            (Names{"mul", "mul", "mul_2"}));
}

TEST(NameKernelsTest, ANewNameIsNoOtherKernels) {
  EXPECT_EQ(NamesOf({Named("mul"), Named("mul", "5"), Named("mul_2", "6"), Named("mul_2", "7")}),
            (Names{"mul", "mul_3", "mul_2", "mul_2_2"}));
}

}  // namespace
}  // namespace webnnc::plan
