#include "tests/onnx/cases.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "onnx/model.h"

namespace webnnc {

namespace fs = std::filesystem;

std::vector<TestCase> FindCases(const std::string& folder) {
  std::vector<TestCase> cases;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!fs::exists(entry.path() / "model.onnx")) continue;
    cases.push_back({entry.path().filename().string(), entry.path().string()});
  }
  std::sort(cases.begin(), cases.end(),
            [](const TestCase& a, const TestCase& b) { return a.name < b.name; });
  return cases;
}

static Result<std::vector<Tensor>> ReadTensors(const onnx::Model& model, const fs::path& folder,
                                               const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    fs::path path = folder / (prefix + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return tensors;
    TRY_ASSIGN(auto bytes, ReadFile(path.string()));
    onnx::pb::TensorProto proto;
    bool parsed = proto.ParseFromString(bytes);
    if (!parsed || proto.data_type() == 0) return Error{prefix + std::to_string(i) + " is not a tensor"};
    TRY_ASSIGN(auto tensor, model.ReadTensor(proto));
    // The bytes belong to `proto`, which goes.
    auto view = tensor.data.bytes();
    tensor.data = TensorData::Own({view.begin(), view.end()});
    tensors.push_back(std::move(tensor));
  }
}

Result<std::vector<DataSet>> ReadDataSets(const TestCase& test) {
  TRY_ASSIGN(auto model, onnx::Model::Load(test.model()));
  std::vector<DataSet> sets;
  for (int k = 0;; ++k) {
    fs::path folder = fs::path(test.folder) / ("test_data_set_" + std::to_string(k));
    if (!fs::exists(folder)) return sets;
    DataSet set;
    TRY_ASSIGN(set.inputs, ReadTensors(model, folder, "input_"));
    TRY_ASSIGN(set.outputs, ReadTensors(model, folder, "output_"));
    sets.push_back(std::move(set));
  }
}

std::string Difference(const Tensor& expected, const Tensor& actual) {
  if (expected.type != actual.type) return "is " + Print(actual.type) + ", not " + Print(expected.type);
  DType dtype = expected.type.dtype;
  Tolerance tolerance = dtype == DType::kF16 ? kHalfTolerance : Tolerance{};
  int64_t count = ElementCount(expected.type.shape).value();
  for (int64_t i = 0; i < count; ++i) {
    Scalar want = expected.data.At(dtype, i), got = actual.data.At(dtype, i);
    bool fine = IsFloat(dtype) ? std::fabs(want.real - got.real) <= tolerance.atol + tolerance.rtol * std::fabs(want.real)
                               : want == got;
    fine |= IsFloat(dtype) && (want.real == got.real || (std::isnan(want.real) && std::isnan(got.real)));
    if (!fine) {
      return "element " + std::to_string(i) + " is " + PrintReal(got.AsReal()) + ", not " + PrintReal(want.AsReal());
    }
  }
  return "";
}

}  // namespace webnnc
