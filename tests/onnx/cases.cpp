#include "tests/onnx/cases.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "onnx/model.h"
#include "tests/onnx/list_data.pb.h"

namespace webnnc {

namespace fs = std::filesystem;
using webnnc::onnx::OptionalData, webnnc::onnx::SequenceData;

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

namespace {

class Reader {
 public:
  Reader(const onnx::Model& model, const graph::Graph& graph, fs::path folder)
      : model_(model), graph_(graph), folder_(std::move(folder)) {}

  // One file each, in the order of the ports.
  Result<std::vector<Tensor>> Read(const std::string& prefix,
                                   const std::vector<graph::Port>& ports) {
    std::vector<Tensor> tensors;
    auto port = ports.begin();
    for (int i = 0;; ++i) {
      name_ = prefix + std::to_string(i);
      fs::path path = folder_ / (name_ + ".pb");
      if (!fs::exists(path)) return tensors;
      TRY_ASSIGN(auto bytes, ReadFile(path.string()));
      auto list = port == ports.end() ? graph_.lists.end() : graph_.lists.find(port->name);
      if (list == graph_.lists.end()) {
        TRY_ASSIGN(auto tensor, ReadTensor(bytes));
        tensors.push_back(std::move(tensor));
        if (port != ports.end()) ++port;
        continue;
      }
      const Shape& shape = graph_.values[port[1].value].type.shape;
      TRY(ReadList(bytes, list->second, shape[1].value(), tensors));
      port += list->second.kind == graph::ListPort::Kind::kOptionalSequence ? 3 : 2;
    }
  }

 private:
  Result<Tensor> ReadTensor(const std::string& bytes) const {
    onnx::pb::TensorProto proto;
    bool parsed = proto.ParseFromString(bytes);
    if (!parsed || proto.data_type() == 0) return Error{name_ + " is not a tensor"};
    return ReadTensor(proto);
  }

  Result<Tensor> ReadTensor(const onnx::pb::TensorProto& proto) const {
    TRY_ASSIGN(auto tensor, model_.ReadTensor(proto));
    // The bytes belong to `proto`, which goes.
    auto view = tensor.data.bytes();
    tensor.data = TensorData::Own({view.begin(), view.end()});
    return tensor;
  }

  // A list as its tensors, packed. An optional may also be written as what is in it.
  Status ReadList(const std::string& bytes, const graph::ListPort& port, int64_t columns,
                  std::vector<Tensor>& into) const {
    using Kind = graph::ListPort::Kind;
    OptionalData optional;
    SequenceData sequence;
    onnx::pb::TensorProto alone;
    bool is_there = true;
    bool is_optional = port.kind != Kind::kSequence && optional.ParseFromString(bytes) &&
                       (optional.has_tensor_value() || optional.has_sequence_value() ||
                        optional.ByteSizeLong() == bytes.size());
    if (is_optional) {
      is_there = optional.has_tensor_value() || optional.has_sequence_value();
      if (optional.has_tensor_value()) *sequence.add_tensor_values() = optional.tensor_value();
      if (optional.has_sequence_value()) sequence = optional.sequence_value();
    } else if (port.kind == Kind::kOptional && alone.ParseFromString(bytes)) {
      *sequence.add_tensor_values() = alone;
    } else if (!sequence.ParseFromString(bytes)) {
      return Error{name_ + " is no list of tensors"};
    }
    std::vector<uint8_t> elements;
    std::vector<int64_t> shapes;
    for (const auto& proto : sequence.tensor_values()) {
      TRY_ASSIGN(auto tensor, ReadTensor(proto));
      if (tensor.type.dtype != port.dtype || tensor.type.rank() > columns)
        return Error{name_ + " has an element " + Print(tensor.type)};
      auto view = tensor.data.bytes();
      elements.insert(elements.end(), view.begin(), view.end());
      Shape shape = tensor.type.shape;
      shape.resize(static_cast<size_t>(columns), -1);
      for (const Dim& size : shape) shapes.push_back(size.value());
    }
    auto count = static_cast<int64_t>(elements.size()) / ByteSize(port.dtype);
    into.push_back({{port.dtype, {count}}, TensorData::Own(std::move(elements))});
    into.push_back(IntegerTensor(DType::kI64, shapes));
    into.back().type.shape = {static_cast<int64_t>(shapes.size()) / columns, columns};
    if (port.kind == Kind::kOptionalSequence)
      into.push_back({{DType::kBool, {}}, TensorData::Own({static_cast<uint8_t>(is_there)})});
    return kSuccess;
  }

  const onnx::Model& model_;
  const graph::Graph& graph_;
  fs::path folder_;
  // Of the file that is read.
  std::string name_;
};

}  // namespace

Result<std::vector<DataSet>> ReadDataSets(const TestCase& test, const graph::Graph& graph) {
  TRY_ASSIGN(auto model, onnx::Model::Load(test.model()));
  std::vector<DataSet> sets;
  for (int k = 0;; ++k) {
    fs::path folder = fs::path(test.folder) / ("test_data_set_" + std::to_string(k));
    if (!fs::exists(folder)) return sets;
    DataSet set;
    Reader reader(model, graph, folder);
    TRY_ASSIGN(set.inputs, reader.Read("input_", graph.inputs));
    TRY_ASSIGN(set.outputs, reader.Read("output_", graph.outputs));
    TRY_ASSIGN(set.allowed, reader.Read("allowed_", {}));
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
