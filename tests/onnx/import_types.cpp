// Prints what the importer says of models' values, for shape_tests:
//
//   import_types FOLDER...
//
// For each case below a FOLDER that can be imported a line "model PATH", and for each value one
// with its name, element type and sizes between tabs; a symbolic size is "?", and one that data
// decides "*", which nobody can know from the model alone.
#include <algorithm>
#include <iostream>
#include <set>

#include "graph/ops/regions.h"
#include "graph/verify.h"
#include "onnx/import.h"
#include "tests/onnx/cases.h"

namespace webnnc {
namespace {

using Symbols = std::set<std::string>;

std::string PrintSize(const Dim& size, const Symbols& defined) {
  if (size.IsConstant()) return std::to_string(size.value());
  Symbols mentioned;
  size.CollectSymbols(mentioned);
  bool is_data = std::any_of(mentioned.begin(), mentioned.end(),
                             [&](const std::string& symbol) { return defined.count(symbol) > 0; });
  return is_data ? "*" : "?";
}

void PrintValue(const std::string& name, const TensorType& type, const Symbols& defined) {
  std::cout << name << "\t" << Name(type.dtype) << "\t";
  for (const Dim& size : type.shape) std::cout << PrintSize(size, defined) << " ";
  std::cout << "\n";
}

void PrintModel(const TestCase& test) {
  auto graph = onnx::Import(test.model());
  if (!graph) return;
  std::cout << "model " << test.model() << "\n";
  Symbols defined;
  graph::CollectDefined(graph.value(), defined);
  for (const graph::Node& node : graph.value().nodes) {
    for (graph::ValueId id : node.results)
      PrintValue(graph.value().values[id].name, graph.value().values[id].type, defined);
  }
  for (const graph::Port& port : graph.value().outputs)
    PrintValue(port.name, graph.value().values[port.value].type, defined);
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    for (const webnnc::TestCase& test : webnnc::FindCases(argv[i])) webnnc::PrintModel(test);
  }
}
