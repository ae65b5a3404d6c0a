// Cases in the layout of ONNX's backend tests: a folder with model.onnx and test_data_set_K/
// {input,output}_I.pb.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/data.h"

namespace webnnc {

struct TestCase {
  std::string name, folder;
  std::string model() const { return folder + "/model.onnx"; }
};

// The cases below `folder`, sorted by name. Empty if the folder is not there.
std::vector<TestCase> FindCases(const std::string& folder);

struct DataSet {
  std::vector<Tensor> inputs, outputs;
};

// Errors: a file that is no tensor (ONNX has sequences and more), an element type that is not
// supported.
Result<std::vector<DataSet>> ReadDataSets(const TestCase& test);

// How far results may be from ONNX's expected ones.
//
// rtol is what ONNX's own runner uses. Its atol of 1e-7 is below what one rounding of an
// intermediate value of order 1 moves in float32, and GPUs may compute exp and sin with a few units
// in the last place; 1e-5 allows for that and is still far below any wrong result.
struct Tolerance {
  double rtol = 1e-3, atol = 1e-5;
};
// float16 has 11 bits: one rounding alone is 5e-4 of the value.
inline constexpr Tolerance kHalfTolerance{1e-2, 1e-3};

// What is wrong with `actual`, or "".
std::string Difference(const Tensor& expected, const Tensor& actual);

}  // namespace webnnc
