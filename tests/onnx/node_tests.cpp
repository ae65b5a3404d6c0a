// Runs ONNX's node tests on the interpreter and prints passed, failed and unsupported.
//
//   node_tests [--filter TEXT] [--unsupported] FOLDER...
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>

#include "base/diagnostics.h"
#include "graph/evaluate.h"
#include "graph/verify.h"
#include "onnx/import.h"
#include "onnx/model.h"
#include "tests/onnx/cases.h"

namespace webnnc {
namespace {

enum class Verdict { kPassed, kFailed, kUnsupported };

struct Outcome {
  Verdict verdict;
  std::string reason;
};

// Shapes, axes and the like that a test feeds as inputs must be known when a model is compiled, as
// they are in models people have: small integer and scale operands become constants.
std::map<std::string, Tensor> ShapeOperands(const TestCase& test) {
  std::map<std::string, Tensor> constants;
  auto model = onnx::Model::Load(test.model());
  auto sets = ReadDataSets(test);
  if (!model || !sets || sets.value().empty()) return constants;
  const auto& inputs = model.value().proto().graph().input();
  for (int i = 1; i < inputs.size(); ++i) {
    if (i < static_cast<int>(sets.value()[0].inputs.size())) {
      constants[inputs[i].name()] = sets.value()[0].inputs[static_cast<size_t>(i)];
    }
  }
  return constants;
}

Outcome Run(const TestCase& test) {
  auto graph = onnx::Import(test.model());
  if (!graph && graph.error().causes.size() && graph.error().causes[0].message.find("decides shapes") != std::string::npos) {
    graph = onnx::Import(test.model(), {{}, {}, ShapeOperands(test)});
  }
  if (!graph) {
    const Error& error = graph.error();
    std::string reason = error.causes.empty() ? error.message : error.causes[0].where.node + ": " + error.causes[0].message;
    return {Verdict::kUnsupported, reason};
  }
  if (Status status = graph::Verify(graph.value()); !status) return {Verdict::kFailed, status.error().message};
  auto sets = ReadDataSets(test);
  if (!sets) return {Verdict::kUnsupported, sets.error().message};
  for (const DataSet& set : sets.value()) {
    std::vector<Tensor> inputs;
    auto model = onnx::Model::Load(test.model());
    const auto& names = model.value().proto().graph().input();
    for (const graph::Port& port : graph.value().inputs) {
      for (int i = 0; i < names.size(); ++i) {
        if (names[i].name() == port.name) inputs.push_back(set.inputs.at(static_cast<size_t>(i)));
      }
    }
    auto outputs = graph::Evaluate(graph.value(), inputs);
    if (!outputs) return {Verdict::kFailed, outputs.error().message};
    for (size_t i = 0; i < set.outputs.size(); ++i) {
      std::string difference = Difference(set.outputs[i], outputs.value().at(i));
      if (!difference.empty()) return {Verdict::kFailed, "output " + std::to_string(i) + " " + difference};
    }
  }
  return {Verdict::kPassed, ""};
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  using namespace webnnc;
  std::string filter;
  bool list = false;
  std::map<std::string, TestCase> cases;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--filter")) {
      filter = argv[++i];
    } else if (!std::strcmp(argv[i], "--unsupported")) {
      list = true;
    } else {
      for (const TestCase& test : FindCases(argv[i])) cases.emplace(test.name, test);
    }
  }
  int passed = 0, failed = 0, unsupported = 0;
  for (const auto& [name, test] : cases) {
    if (name.find(filter) == std::string::npos) continue;
    auto start = std::chrono::steady_clock::now();
    Outcome outcome = Run(test);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds > 2) std::cout << name << ": slow " << seconds << "\n";
    passed += outcome.verdict == Verdict::kPassed;
    failed += outcome.verdict == Verdict::kFailed;
    unsupported += outcome.verdict == Verdict::kUnsupported;
    if (outcome.verdict == Verdict::kFailed) std::cout << name << ": FAILED: " << outcome.reason << "\n";
    if (outcome.verdict == Verdict::kUnsupported && list) std::cout << name << ": unsupported: " << outcome.reason << "\n";
  }
  std::cout << passed << " passed, " << failed << " failed, " << unsupported << " unsupported\n";
  return failed != 0;
}
