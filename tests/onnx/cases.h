// Cases in the layout of ONNX's backend tests: a folder with model.onnx and test_data_set_K/
// {input,output}_I.pb. Cases of ours may have allowed_I.pb beside an output: how far each of its
// elements may be off.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "tensor/data.h"

namespace webnnc {

struct TestCase {
  std::string name, folder;
  // The opset of ONNX's own operators; 0 if the model uses none or cannot be read.
  int64_t opset = 0;

  std::string model() const { return folder + "/model.onnx"; }
  // "test_relu@14": the same case exists in several versions of ONNX.
  std::string id() const { return name + "@" + std::to_string(opset); }
};

// The cases below `folder`, sorted by name. Empty if the folder is not there.
std::vector<TestCase> FindCases(const std::string& folder);

struct DataSet {
  std::vector<Tensor> inputs, outputs;
  // In f32, an element for each of the output's. Fewer tensors than outputs where nothing is said.
  std::vector<Tensor> allowed;
};

// As the graph's ports: of a list what it is packed into. Errors: a file that is no tensor or list
// of tensors, an element type that is not supported.
Result<std::vector<DataSet>> ReadDataSets(const TestCase& test, const graph::Graph& graph);

// How far results may be from expected ones: |a - b| <= atol + rtol * |b| + range * max |b|.
//
// rtol is what ONNX's own runner uses. Its atol of 1e-7 is below what one rounding of an
// intermediate value of order 1 moves in float32, and GPUs may compute exp and sin with a few units
// in the last place; 1e-5 allows for that and is still far below any wrong result.
struct Tolerance {
  double rtol = 1e-3, atol = 1e-5, range = 0;
};
// float16 has 11 bits: one rounding alone is 5e-4 of the value.
inline constexpr Tolerance kHalfTolerance{1e-2, 1e-3};
// Whole networks add up millions of products: elements much smaller than the largest are noise.
inline constexpr Tolerance kNetworkTolerance{0, 1e-5, 1e-4};

// What is wrong with `actual`, or "". Elements of f16 are given kHalfTolerance at least.
std::string Difference(const Tensor& expected, const Tensor& actual,
                       const Tolerance& tolerance = {});
// The same where the case says how far each element may be off.
std::string Difference(const Tensor& expected, const Tensor& actual, const Tensor& allowed);

}  // namespace webnnc
