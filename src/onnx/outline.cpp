#include "onnx/outline.h"

#include <set>

#include "onnx/flatten_model.h"

namespace webnnc::onnx {

namespace {

// The elements of all weights, as papers count them: of floats only, so that shapes and axes do not
// count.
int64_t ParametersOf(const pb::GraphProto& graph) {
  int64_t count = 0;
  for (const pb::TensorProto& tensor : graph.initializer()) {
    auto dtype = ElementType(tensor.data_type());
    if (!dtype || !IsFloat(dtype.value())) continue;
    Dim elements = ElementCount({tensor.dims().begin(), tensor.dims().end()});
    // Weights that nothing uses were not looked at before.
    if (!IsAbsurd(elements)) count += elements.value();
  }
  return count;
}

}  // namespace

Result<graph::Outline> OutlineOf(const Model& model) {
  const pb::ModelProto& proto = model.proto();
  graph::Outline outline;
  outline.producer = proto.producer_name();
  if (!proto.producer_version().empty()) outline.producer += " " + proto.producer_version();
  outline.graph_name = proto.graph().name();
  for (const auto& import : proto.opset_import()) {
    outline.opsets.emplace_back(import.domain().empty() ? "ai.onnx" : import.domain(),
                                import.version());
  }
  outline.parameters = ParametersOf(proto.graph());
  TRY_ASSIGN(auto nodes, FlattenModel(model));
  for (const FlatNode& node : nodes) {
    outline.nodes.push_back({node.Title(),
                             node.node().op_type(),
                             {node.node().input().begin(), node.node().input().end()},
                             {node.node().output().begin(), node.node().output().end()}});
  }
  std::set<std::string> weights;
  for (const auto& tensor : proto.graph().initializer()) weights.insert(tensor.name());
  for (const auto& input : proto.graph().input()) {
    if (!weights.count(input.name())) outline.inputs.push_back(input.name());
  }
  for (const auto& output : proto.graph().output()) outline.outputs.push_back(output.name());
  return outline;
}

}  // namespace webnnc::onnx
