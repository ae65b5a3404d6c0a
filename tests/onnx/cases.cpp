#include "tests/onnx/cases.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "onnx/model.h"

namespace webnnc {

namespace fs = std::filesystem;

static int64_t OpsetOf(const std::string& path) {
  auto model = onnx::Model::Load(path);
  if (!model) return 0;
  for (const auto& import : model.value().proto().opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  }
  return 0;
}

std::vector<TestCase> FindCases(const std::string& folder) {
  std::vector<TestCase> cases;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!fs::exists(entry.path() / "model.onnx")) continue;
    TestCase test{entry.path().filename().string(), entry.path().string()};
    test.opset = OpsetOf(test.model());
    cases.push_back(std::move(test));
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
    if (!parsed || proto.data_type() == 0)
      return Error{prefix + std::to_string(i) + " is not a tensor"};
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
    TRY_ASSIGN(set.allowed, ReadTensors(model, folder, "allowed_"));
    sets.push_back(std::move(set));
  }
}

static bool Close(double want, double got, double allowed) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  return want == got || std::fabs(want - got) <= allowed;
}

static double Largest(const Tensor& tensor, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    double value = std::fabs(tensor.data.At(tensor.type.dtype, i).real);
    if (std::isfinite(value)) largest = std::max(largest, value);
  }
  return largest;
}

// Compares floats with what `allowed` gives for an element and its expected value.
template <typename Allowed>
static std::string FirstDifference(const Tensor& expected, const Tensor& actual, Allowed allowed) {
  if (expected.type != actual.type)
    return "is " + Print(actual.type) + ", not " + Print(expected.type);
  DType dtype = expected.type.dtype;
  int64_t count = ElementCount(expected.type.shape).value();
  for (int64_t i = 0; i < count; ++i) {
    Scalar want = expected.data.At(dtype, i), got = actual.data.At(dtype, i);
    bool fine = IsFloat(dtype) ? Close(want.real, got.real, allowed(i, want.real)) : want == got;
    if (!fine) {
      return "element " + std::to_string(i) + " is " + PrintReal(got.AsReal()) + ", not " +
             PrintReal(want.AsReal());
    }
  }
  return "";
}

std::string Difference(const Tensor& expected, const Tensor& actual, const Tolerance& asked) {
  Tolerance tolerance = expected.type.dtype == DType::kF16 ? kHalfTolerance : asked;
  int64_t count = ElementCount(expected.type.shape).value();
  double everywhere = tolerance.atol + tolerance.range * Largest(expected, count);
  return FirstDifference(expected, actual, [&](int64_t, double want) {
    return everywhere + tolerance.rtol * std::fabs(want);
  });
}

std::string Difference(const Tensor& expected, const Tensor& actual, const Tensor& allowed) {
  return FirstDifference(expected, actual, [&](int64_t i, double) {
    return allowed.data.At(allowed.type.dtype, i).real;
  });
}

}  // namespace webnnc
