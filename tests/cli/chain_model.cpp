// Writes a model that is a chain of nodes of one operator, each fed by the one before it; operators
// of two operands have the model's input as the other.
//
//   chain_model COUNT OPERATOR OPERANDS FILE.onnx
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "onnx/onnx.pb.h"

static void Declare(onnx::ValueInfoProto* value, const std::string& name) {
  value->set_name(name);
  auto* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (int d = 0; d < 2; ++d) type->mutable_shape()->add_dim()->set_dim_value(8);
}

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: chain_model COUNT OPERATOR OPERANDS FILE.onnx\n";
    return 2;
  }
  int count = std::atoi(argv[1]), operands = std::atoi(argv[3]);
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("chain");
  Declare(graph.add_input(), "x0");
  for (int i = 0; i < count; ++i) {
    onnx::NodeProto& node = *graph.add_node();
    node.set_op_type(argv[2]);
    node.add_input("x" + std::to_string(i));
    if (operands == 2) node.add_input("x0");
    node.add_output("x" + std::to_string(i + 1));
  }
  Declare(graph.add_output(), "x" + std::to_string(count));
  std::ofstream file(argv[4], std::ios::binary);
  return model.SerializeToOstream(&file) ? 0 : 1;
}
