// Compares the types that the importer gives to values, as import_types prints them, with those
// that ONNX's own inference gives, for opsets that the installed ONNX knows:
//
//   import_types FOLDER... | shape_tests
//
// Where ONNX has no size or only a symbol, any is right; and where data decides a size, which a
// model may declare all the same. This is a program of its own because it is linked with libonnx,
// whose messages have the same names as the compiler's.
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int64_t kNewestOpset = 17;

struct Type {
  std::string element;
  std::vector<std::string> sizes;  // "?" if symbolic, "*" if data decides
};
using Types = std::map<std::string, Type>;

struct Counts {
  int models = 0, values = 0, problems = 0;
};

bool IsKnown(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    bool standard = import.domain().empty() || import.domain() == "ai.onnx";
    if (standard && import.version() > kNewestOpset) return false;
  }
  return true;
}

std::string ElementName(int32_t element) {
  using Proto = onnx::TensorProto;
  static const std::map<int32_t, std::string> kNames = {{Proto::BOOL, "bool"},
                                                        {Proto::INT8, "i8"},
                                                        {Proto::UINT8, "u8"},
                                                        {Proto::INT16, "i16"},
                                                        {Proto::UINT16, "u16"},
                                                        {Proto::INT32, "i32"},
                                                        {Proto::UINT32, "u32"},
                                                        {Proto::INT64, "i64"},
                                                        {Proto::UINT64, "u64"},
                                                        {Proto::FLOAT16, "f16"},
                                                        {Proto::FLOAT, "f32"},
                                                        {Proto::DOUBLE, "f64"},
                                                        // What stands for it (onnx/narrow.h).
                                                        {Proto::BFLOAT16, "f32"}};
  auto found = kNames.find(element);
  return found == kNames.end() ? "type " + std::to_string(element) : found->second;
}

Type FromOnnx(const onnx::TypeProto::Tensor& tensor) {
  Type type{ElementName(tensor.elem_type()), {}};
  for (const auto& dim : tensor.shape().dim()) {
    type.sizes.push_back(dim.has_dim_value() ? std::to_string(dim.dim_value()) : "?");
  }
  return type;
}

std::string Print(const Type& type) {
  std::string text;
  for (const std::string& size : type.sizes) text += (text.empty() ? "" : ",") + size;
  return type.element + "[" + text + "]";
}

bool Agrees(const onnx::TypeProto::Tensor& tensor, const Type& ours) {
  Type wanted = FromOnnx(tensor);
  if (wanted.element != ours.element) return false;
  if (!tensor.has_shape()) return true;
  if (wanted.sizes.size() != ours.sizes.size()) return false;
  for (size_t d = 0; d < wanted.sizes.size(); ++d) {
    bool is_free = wanted.sizes[d] == "?" || ours.sizes[d] == "*";
    if (!is_free && wanted.sizes[d] != ours.sizes[d]) return false;
  }
  return true;
}

void Compare(const std::string& path, const Types& ours, Counts& counts) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file) || !IsKnown(model)) return;
  // What the model declares of its values would be believed.
  model.mutable_graph()->clear_value_info();
  try {
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), {true, 0, true});
  } catch (const std::exception&) {
    // ONNX's inference gives up on some models that its own runtime runs.
    return;
  }
  ++counts.models;
  auto compare = [&](const onnx::ValueInfoProto& value) {
    auto found = ours.find(value.name());
    if (found == ours.end() || !value.type().has_tensor_type()) return;
    ++counts.values;
    if (Agrees(value.type().tensor_type(), found->second)) return;
    ++counts.problems;
    std::cout << path << ": " << value.name() << " is " << Print(found->second) << ", and for ONNX "
              << Print(FromOnnx(value.type().tensor_type())) << "\n";
  };
  for (const auto& value : model.graph().value_info()) compare(value);
  for (const auto& value : model.graph().output()) compare(value);
}

}  // namespace

int main() {
  Counts counts;
  std::string path;
  Types types;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with("model ")) {
      if (!path.empty()) Compare(path, types, counts);
      path = line.substr(6);
      types.clear();
      continue;
    }
    size_t name_end = line.find('\t'), element_end = line.find('\t', name_end + 1);
    if (element_end == std::string::npos) continue;
    Type type{line.substr(name_end + 1, element_end - name_end - 1), {}};
    std::istringstream sizes(line.substr(element_end + 1));
    for (std::string size; sizes >> size;) type.sizes.push_back(size);
    types[line.substr(0, name_end)] = type;
  }
  if (!path.empty()) Compare(path, types, counts);
  std::cout << counts.values << " values of " << counts.models << " models, " << counts.problems
            << " disagree\n";
  return counts.problems != 0 || counts.models == 0;
}
