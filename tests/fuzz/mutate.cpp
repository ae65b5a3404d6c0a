// Changes a model here and there, as a file that is well-formed and wrong may be: other attributes,
// sizes, types, operators, operands, constants.
//
//   mutate_model MODEL SEED OUT
//
// One seed gives one mutation, on every machine.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "onnx/onnx.pb.h"

namespace pb = ::onnx;

namespace {

class Mutator {
 public:
  Mutator(pb::ModelProto& model, uint64_t seed)
      : model_(model), graph_(*model.mutable_graph()), random_(seed) {}

  void Run() {
    for (int64_t left = 1 + Below(3); left > 0;) left -= Once();
  }

 private:
  int64_t Below(int64_t count) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(count));
  }
  template <typename T>
  auto& Any(T& list) {
    return list[static_cast<int>(Below(static_cast<int64_t>(list.size())))];
  }

  int64_t Integer(int64_t old) {
    static const std::vector<int64_t> kOdd = {0,       1,         -1,         2,         3,
                                              7,       64,        -2,         INT32_MAX, INT32_MIN,
                                              1 << 16, 1LL << 32, -1LL << 40, INT64_MAX, INT64_MIN};
    switch (Below(4)) {
      case 0: return static_cast<int64_t>(static_cast<uint64_t>(old) + 1);
      case 1: return static_cast<int64_t>(static_cast<uint64_t>(old) - 1);
      case 2: return Below(20) - 4;
      default: return Any(kOdd);
    }
  }
  float Real() {
    static const std::vector<float> kOdd = {0, -0.0f, 1, -1, 1e30f, 1e-30f, NAN, INFINITY};
    return Any(kOdd);
  }

  template <typename Integers>
  void ChangeList(Integers& list) {
    int64_t kind = Below(4);
    if (list.empty() || kind == 0) {
      list.Add(Integer(1));
    } else if (kind == 1) {
      list.RemoveLast();
    } else if (kind == 2 && list.size() > 1) {
      list.SwapElements(0, list.size() - 1);
    } else {
      auto& element = Any(list);
      element = Integer(element);
    }
  }

  // Whether there was something of the kind to change.
  bool Once() {
    switch (Below(12)) {
      case 0:
      case 1:
      case 2: return ChangeAttribute();
      case 3: return MoveAttribute();
      case 4: return ChangeOperator();
      case 5:
      case 6: return ChangeOperand();
      case 7: return ChangeNodes();
      case 8:
      case 9: return ChangeWeight();
      case 10: return ChangePort();
      default: return ChangeOpset();
    }
  }

  pb::NodeProto* AnyNode() {
    return graph_.node().empty() ? nullptr : &Any(*graph_.mutable_node());
  }

  bool ChangeAttribute() {
    pb::NodeProto* node = AnyNode();
    if (!node || node->attribute().empty()) return false;
    pb::AttributeProto& attribute = Any(*node->mutable_attribute());
    switch (attribute.type()) {
      case pb::AttributeProto::INT: attribute.set_i(Integer(attribute.i())); break;
      case pb::AttributeProto::INTS: ChangeList(*attribute.mutable_ints()); break;
      case pb::AttributeProto::FLOAT: attribute.set_f(Real()); break;
      case pb::AttributeProto::FLOATS: attribute.add_floats(Real()); break;
      case pb::AttributeProto::STRING: attribute.set_s(Below(2) ? "" : attribute.s() + "x"); break;
      case pb::AttributeProto::TENSOR: return ChangeTensor(*attribute.mutable_t());
      default: attribute.set_type(pb::AttributeProto::INT);
    }
    return true;
  }

  // To another node, or away.
  bool MoveAttribute() {
    pb::NodeProto *from = AnyNode(), *to = AnyNode();
    if (!from || from->attribute().empty()) return false;
    int which = static_cast<int>(Below(from->attribute_size()));
    if (Below(2)) *to->add_attribute() = pb::AttributeProto(from->attribute(which));
    if (Below(2)) from->mutable_attribute()->DeleteSubrange(which, 1);
    return true;
  }

  bool ChangeOperator() {
    static const std::vector<std::string> kOthers = {
        "Add",     "MatMul",     "Conv",      "Resize",  "Reshape", "Gather",  "Slice",
        "Concat",  "Pad",        "Expand",    "Tile",    "Where",   "Softmax", "TopK",
        "MaxPool", "ReduceMean", "Split",     "Squeeze", "Shape",   "Range",   "OneHot",
        "Einsum",  "Cast",       "Unsqueeze", "GatherND"};
    pb::NodeProto* node = AnyNode();
    if (!node) return false;
    node->set_op_type(Below(2) ? AnyNode()->op_type() : Any(kOthers));
    return true;
  }

  std::string AnyValue() {
    std::vector<std::string> names{""};
    for (const auto& node : graph_.node())
      names.insert(names.end(), node.output().begin(), node.output().end());
    for (const auto& input : graph_.input()) names.push_back(input.name());
    for (const auto& weight : graph_.initializer()) names.push_back(weight.name());
    return Any(names);
  }

  bool ChangeOperand() {
    pb::NodeProto* node = AnyNode();
    if (!node) return false;
    int64_t kind = Below(4);
    if (kind == 0 || node->input().empty()) {
      node->add_input(AnyValue());
    } else if (kind == 1) {
      node->mutable_input()->RemoveLast();
    } else {
      Any(*node->mutable_input()) = AnyValue();
    }
    return true;
  }

  bool ChangeNodes() {
    if (graph_.node().empty()) return false;
    int count = graph_.node_size(), which = static_cast<int>(Below(count));
    switch (Below(3)) {
      case 0: graph_.mutable_node()->DeleteSubrange(which, 1); break;
      case 1: *graph_.add_node() = pb::NodeProto(graph_.node(which)); break;
      default: graph_.mutable_node()->SwapElements(which, static_cast<int>(Below(count)));
    }
    return true;
  }

  bool ChangeWeight() {
    if (graph_.initializer().empty()) return false;
    return ChangeTensor(Any(*graph_.mutable_initializer()));
  }

  bool ChangeTensor(pb::TensorProto& tensor) {
    std::string& raw = *tensor.mutable_raw_data();
    bool integers = tensor.data_type() == pb::TensorProto::INT64;
    // Shapes, axes, indices.
    if (integers && raw.size() >= 8 && Below(4)) {
      auto at = static_cast<size_t>(Below(static_cast<int64_t>(raw.size() / 8))) * 8;
      int64_t value = 0;
      raw.copy(reinterpret_cast<char*>(&value), 8, at);
      value = Integer(value);
      raw.replace(at, 8, reinterpret_cast<const char*>(&value), 8);
      return true;
    }
    switch (Below(3)) {
      case 0: ChangeList(*tensor.mutable_dims()); break;
      case 1: tensor.set_data_type(static_cast<int32_t>(Below(24))); break;
      default: raw.resize(static_cast<size_t>(Below(static_cast<int64_t>(raw.size()) + 9)));
    }
    return true;
  }

  bool ChangePort() {
    auto& ports = Below(2) ? *graph_.mutable_input() : *graph_.mutable_output();
    if (ports.empty()) return false;
    pb::ValueInfoProto& port = Any(ports);
    auto& type = *port.mutable_type()->mutable_tensor_type();
    auto& dims = *type.mutable_shape()->mutable_dim();
    switch (Below(4)) {
      case 0: type.set_elem_type(static_cast<int32_t>(Below(20))); break;
      case 1: port.set_name(AnyValue()); break;
      case 2: dims.Add()->set_dim_param("size"); break;
      default:
        if (dims.empty()) return false;
        auto& dim = Any(dims);
        if (Below(2)) {
          dim.set_dim_param("open");
        } else {
          dim.set_dim_value(Integer(dim.dim_value()));
        }
    }
    return true;
  }

  bool ChangeOpset() {
    if (model_.opset_import().empty()) return false;
    Any(*model_.mutable_opset_import()).set_version(Below(25));
    return true;
  }

  pb::ModelProto& model_;
  pb::GraphProto& graph_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: mutate_model MODEL SEED OUT\n";
    return 2;
  }
  pb::ModelProto model;
  std::ifstream in(argv[1], std::ios::binary);
  if (!model.ParseFromIstream(&in)) {
    std::cerr << argv[1] << " is no model\n";
    return 2;
  }
  Mutator(model, std::strtoull(argv[2], nullptr, 10)).Run();
  std::ofstream out(argv[3], std::ios::binary);
  return model.SerializeToOstream(&out) ? 0 : 2;
}
