// Counts are of hand: each test's comment says how.
#include "plan/work.h"

#include <gtest/gtest.h>

#include "loop/text.h"

namespace webnnc::plan {
namespace {

loop::Kernel Parsed(const std::string& text) {
  auto kernel = loop::Parse(text);
  CHECK(kernel);
  return kernel.value();
}

using Dims = std::vector<Dim>;

// 2*3*5 multiply-adds, each an operation twice.
TEST(WorkTest, AProductOfMatrices) {
  loop::Kernel kernel =
      Parsed(R"(kernel @matmul(in %a: f32[2,3], in %b: f32[3,5], out %y: f32[2,5]) {
  for i in 2 {
    for j in 5 {
      for k in 3 {
        %y[i, j] += %a[i, k] * %b[k, j] from 0.0
      }
    }
  }
}
)");
  EXPECT_EQ(MultiplyAdds(kernel), Dim(30));
  EXPECT_EQ(Operations(kernel), Dim(60));
  EXPECT_EQ(ElementsTouched(kernel), (Dims{6, 15, 10}));
}

// A 3 x 3 window over 6 x 6 with stride 2 gives 2 x 2, of 4 channels out of 3: 2*2*4*3*3*3 = 432
// multiply-adds. Of the bias 4 elements are read 16 times; it is added to 16. Of 108 elements of x
// the loops reach at most 2*2*3*3*3 = 108.
TEST(WorkTest, AConvolution) {
  loop::Kernel kernel = Parsed(
      R"(kernel @conv(in %x: f32[6,6,3], in %w: f32[3,3,3,4], in %b: f32[4], out %y: f32[2,2,4]) {
  temporary %sum: f32[2,2,4]
  for oh in 2 {
    for ow in 2 {
      for m in 4 {
        for kh in 3 {
          for kw in 3 {
            for c in 3 {
              %sum[oh, ow, m] += %x[oh * 2 + kh, ow * 2 + kw, c] * %w[kh, kw, c, m] from 0.0
            }
          }
        }
      }
    }
  }
  for oh in 2 {
    for ow in 2 {
      for m in 4 {
        %y[oh, ow, m] = max(%sum[oh, ow, m] + %b[m], 0.0)
      }
    }
  }
}
)");
  EXPECT_EQ(MultiplyAdds(kernel), Dim(432));
  EXPECT_EQ(Operations(kernel), Dim(2 * 432 + 2 * 16));
  EXPECT_EQ(ElementsTouched(kernel), (Dims{108, 108, 4, 16}));
}

// Of every second row and column no more than those are read.
TEST(WorkTest, WhatIsLeftOutIsNotRead) {
  loop::Kernel kernel = Parsed(R"(kernel @pick(in %x: f32[8,6], in %ids: i32[5], out %y: f32[5,3]) {
  for i in 5 {
    for j in 3 {
      %y[i, j] = %x[%ids[i], j * 2] * 2.0
    }
  }
}
)");
  EXPECT_EQ(Operations(kernel), Dim(15));
  EXPECT_EQ(ElementsTouched(kernel), (Dims{15, 5, 15}));
}

// What all columns have in common is computed once: 2*n exp, and then 2*n*7 products and sums.
TEST(WorkTest, OpenSizesAndWhatIterationsHaveInCommon) {
  loop::Kernel kernel = Parsed(R"(kernel @exps(in %a: f32[2,n], in %b: f32[n,7], out %y: f32[2,7]) {
  for i in 2 {
    for j in 7 {
      for k in n {
        %y[i, j] += exp(%a[i, k]) * %b[k, j] from 0.0
      }
    }
  }
}
)");
  Dim n = Dim::Symbol("n");
  EXPECT_EQ(Operations(kernel), n * 2 + n * 28);
  EXPECT_EQ(ElementsTouched(kernel), (Dims{n * 2, n * 7, 14}));
}

// Maxima over rows, which read x, and what is left, which reads it again: x counts once.
TEST(WorkTest, AnElementThatIsReadTwiceMovesOnce) {
  loop::Kernel kernel = Parsed(R"(kernel @below(in %x: f32[4,6], out %y: f32[4,6]) {
  temporary %max: f32[4]
  for i in 4 {
    for j in 6 {
      %max[i] max= %x[i, j] from -inf
    }
  }
  for i in 4 {
    for j in 6 {
      %y[i, j] = %x[i, j] - %max[i]
    }
  }
}
)");
  EXPECT_EQ(Operations(kernel), Dim(48));
  EXPECT_EQ(ElementsTouched(kernel), (Dims{24, 24}));
}

}  // namespace
}  // namespace webnnc::plan
