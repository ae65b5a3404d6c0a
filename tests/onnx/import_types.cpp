// Prints what the importer says of models' values, for shape_tests:
//
//   import_types FOLDER...
//
// For each case below a FOLDER that can be imported a line "model PATH", and for each value one
// with its name, element type and sizes between tabs; a symbolic size is "?".
#include <iostream>

#include "graph/verify.h"
#include "onnx/import.h"
#include "tests/onnx/cases.h"

namespace webnnc {
namespace {

void PrintValue(const std::string& name, const TensorType& type) {
  std::cout << name << "\t" << Name(type.dtype) << "\t";
  for (const Dim& size : type.shape)
    std::cout << (size.IsConstant() ? std::to_string(size.value()) : "?") << " ";
  std::cout << "\n";
}

void PrintModel(const TestCase& test) {
  auto graph = onnx::Import(test.model());
  if (!graph) return;
  std::cout << "model " << test.model() << "\n";
  for (const graph::Node& node : graph.value().nodes) {
    for (graph::ValueId id : node.results)
      PrintValue(graph.value().values[id].name, graph.value().values[id].type);
  }
  for (const graph::Port& port : graph.value().outputs)
    PrintValue(port.name, graph.value().values[port.value].type);
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    for (const webnnc::TestCase& test : webnnc::FindCases(argv[i])) webnnc::PrintModel(test);
  }
}
