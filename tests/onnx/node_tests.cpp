// Runs ONNX's test cases and prints what passed, failed and is unsupported, by backend.
//
//   node_tests [--backend NAME]... [--filter TEXT] [--sample N] [--networks] [--verbose] [--jobs N]
//              [--work FOLDER] [--page FILE [--update]] FOLDER...
//
// Backends are `interpreter` and those of run_bundles.mjs, for which each case is compiled to a
// bundle once. --sample takes N of the cases, spread over all; --networks compares with the
// tolerance of whole networks. --page compares with docs/onnx-node-tests.md, --update rewrites it.
#include <filesystem>
#include <iostream>
#include <map>

#include "base/diagnostics.h"
#include "base/file.h"
#include "graph/evaluate.h"
#include "graph/verify.h"
#include "plan/form_kernels.h"
#include "plan/group_nodes.h"
#include "tests/onnx/bundles.h"
#include "tests/onnx/processes.h"
#include "tests/onnx/status_page.h"
#include "tests/onnx/trial.h"
#include "tests/run_program.h"

namespace webnnc {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> backends, folders;
  std::string filter, work = "node-tests", page;
  int jobs = 1;
  size_t sample = SIZE_MAX;
  Tolerance tolerance;
  bool verbose = false, update = false;
};

std::string WorkFolder(const Options& options, const TestCase& test) {
  return fs::absolute(options.work).string() + "/" + test.id();
}

// ---- One case

// What a graph with branches, loops or sizes that depend on data becomes on each target computes
// the same.
std::string InterpretPrograms(const Trial& trial, size_t k) {
  bool decides = false;
  graph::ForEachGraph(trial.graph, [&](const graph::Graph& graph) {
    for (const graph::Node& node : graph.nodes) decides |= plan::Decides(node);
  });
  if (!decides) return "";
  graph::Types types;
  for (const Tensor& input : trial.sets[k].inputs) types.push_back(input.type);
  for (const Target& target : {Wasm(), WebGpu()}) {
    IdVector<plan::WeightTag, plan::Weight> weights;
    plan::Program program = plan::FormKernels(trial.graph, target, weights);
    auto symbols = graph::BindSymbols(trial.graph, types);
    if (!symbols) return symbols.error().message;
    auto outputs = RunProgram(program, weights, trial.sets[k].inputs, symbols.value());
    std::string problem = outputs ? Judge(trial, k, outputs.value()) : outputs.error().message;
    if (!problem.empty()) return "as a program for " + Name(target) + ": " + problem;
  }
  return "";
}

std::string Interpret(const Trial& trial) {
  if (Status status = graph::Verify(trial.graph); !status)
    return "failed: " + status.error().message;
  for (size_t k = 0; k < trial.sets.size(); ++k) {
    auto outputs = graph::Evaluate(trial.graph, trial.sets[k].inputs);
    if (!outputs) return "failed: " + outputs.error().message;
    std::string problem = Judge(trial, k, outputs.value());
    if (problem.empty()) problem = InterpretPrograms(trial, k);
    if (!problem.empty()) return "failed: " + problem;
  }
  return "passed";
}

std::string JudgeBundle(const Options& options, const Trial& trial, const std::string& backend,
                        const std::string& work) {
  for (size_t k = 0; k < trial.sets.size(); ++k) {
    auto outputs = ReadOutputs(trial, backend, work, k);
    if (!outputs) return "failed: " + outputs.error().message;
    std::string problem = Judge(trial, k, outputs.value(), options.tolerance);
    if (!problem.empty()) return "failed: " + problem;
  }
  return "passed";
}

// ---- All cases

// "" for each case that can be imported, else its verdict.
std::vector<std::string> Prepare(const Options& options, const std::vector<TestCase>& cases) {
  return InProcesses(cases.size(), options.jobs, [&](size_t i) -> std::string {
    auto trial = PrepareTrial(cases[i]);
    return trial ? "" : "unsupported: " + trial.error().message;
  });
}

std::vector<std::string> RunInterpreter(const Options& options,
                                        const std::vector<TestCase>& cases) {
  return InProcesses(cases.size(), options.jobs,
                     [&](size_t i) { return Interpret(PrepareTrial(cases[i]).value()); });
}

// "" for each case that compiled, else its verdict.
std::vector<std::string> Compile(const Options& options, const std::vector<TestCase>& cases) {
  return InProcesses(cases.size(), options.jobs, [&](size_t i) -> std::string {
    std::string work = WorkFolder(options, cases[i]);
    Status made = MakeBundle(PrepareTrial(cases[i]).value(), work);
    return made ? "" : "failed: " + made.error().message;
  });
}

std::vector<std::string> RunCompiled(const Options& options, const std::string& backend,
                                     const std::vector<TestCase>& cases) {
  std::vector<std::string> works;
  for (const TestCase& test : cases) works.push_back(WorkFolder(options, test));
  std::vector<std::string> verdicts = RunBundles(backend, works, options.work);
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!verdicts[i].empty()) continue;
    Trial trial = PrepareTrial(cases[i]).value();
    verdicts[i] = JudgeBundle(options, trial, backend, works[i]);
  }
  return verdicts;
}

std::map<std::string, Verdicts> RunAll(const Options& options, const std::vector<TestCase>& cases) {
  std::map<std::string, Verdicts> verdicts;
  auto note = [&](const TestCase& test, const std::string& backend, const std::string& verdict) {
    bool known = verdict.starts_with("failed") && HasKnownDifference(test.id());
    verdicts[test.id()][backend] = known ? "differs" + verdict.substr(6) : verdict;
  };
  // Gives back the cases for which there is no verdict yet.
  auto sift = [&](const std::vector<TestCase>& all, const std::vector<std::string>& found,
                  const std::vector<std::string>& backends) {
    std::vector<TestCase> rest;
    for (size_t i = 0; i < all.size(); ++i) {
      if (found[i].empty()) {
        rest.push_back(all[i]);
      } else {
        for (const std::string& backend : backends) note(all[i], backend, found[i]);
      }
    }
    return rest;
  };
  std::vector<TestCase> supported = sift(cases, Prepare(options, cases), options.backends);
  std::vector<std::string> compiled;
  for (const std::string& backend : options.backends) {
    if (backend == "interpreter") {
      sift(supported, RunInterpreter(options, supported), {backend});
    } else {
      compiled.push_back(backend);
    }
  }
  if (compiled.empty()) return verdicts;
  std::vector<TestCase> ready = sift(supported, Compile(options, supported), compiled);
  for (const std::string& backend : compiled)
    sift(ready, RunCompiled(options, backend, ready), {backend});
  return verdicts;
}

// ---- The command

std::vector<TestCase> CollectCases(const Options& options) {
  std::map<std::string, TestCase> cases;
  for (const std::string& folder : options.folders) {
    for (const TestCase& test : FindCases(folder)) {
      if (test.id().find(options.filter) != std::string::npos) cases.emplace(test.id(), test);
    }
  }
  std::vector<TestCase> list;
  size_t taken = std::min(options.sample, cases.size()), at = 0;
  for (auto& [id, test] : cases) {
    // Every so-manieth.
    if (at * taken / cases.size() != (at + 1) * taken / cases.size()) list.push_back(test);
    ++at;
  }
  return list;
}

void PrintSummary(const Options& options, const std::map<std::string, Verdicts>& cases) {
  for (const std::string& backend : options.backends) {
    int passed = 0, failed = 0, differ = 0, unsupported = 0;
    for (const auto& [id, verdicts] : cases) {
      const std::string& verdict = verdicts.at(backend);
      bool refused = verdict.starts_with("unsupported"), differs = verdict.starts_with("differs");
      (verdict == "passed" ? passed : refused ? unsupported : differs ? differ : failed) += 1;
      if (verdict.starts_with("failed") || (options.verbose && verdict != "passed")) {
        std::cout << id << " on " << backend << ": " << verdict << "\n";
      }
    }
    std::cout << backend << ": " << passed << " passed, " << failed << " failed, " << unsupported
              << " unsupported, " << differ << " with wrong data\n";
  }
}

int CheckPage(const Options& options, const std::map<std::string, Verdicts>& cases) {
  if (options.update) {
    Status written = WriteFile(options.page, WriteStatusPage(cases));
    if (!written) std::cout << written.error().message << "\n";
    return !written;
  }
  auto page = ReadFile(options.page);
  std::vector<std::string> problems = CompareWithPage(page ? page.value() : "", cases);
  for (const std::string& problem : problems) std::cout << options.page << ": " << problem << "\n";
  return !problems.empty();
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (flag == "--backend") {
      options.backends.push_back(value());
    } else if (flag == "--filter") {
      options.filter = value();
    } else if (flag == "--work") {
      options.work = value();
    } else if (flag == "--page") {
      options.page = value();
    } else if (flag == "--jobs") {
      options.jobs = std::max(1, std::atoi(value().c_str()));
    } else if (flag == "--sample") {
      options.sample = static_cast<size_t>(std::max(1, std::atoi(value().c_str())));
    } else if (flag == "--networks") {
      options.tolerance = kNetworkTolerance;
    } else if (flag == "--verbose") {
      options.verbose = true;
    } else if (flag == "--update") {
      options.update = true;
    } else {
      options.folders.push_back(flag);
    }
  }
  if (options.backends.empty()) options.backends = {"interpreter"};
  return options;
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  using namespace webnnc;
  Options options = ParseOptions(argc, argv);
  std::error_code ignored;
  fs::create_directories(options.work, ignored);
  std::vector<TestCase> cases = CollectCases(options);
  if (cases.empty()) {
    std::cout << "no cases in the folders given\n";
    return 1;
  }
  std::map<std::string, Verdicts> verdicts = RunAll(options, cases);
  PrintSummary(options, verdicts);
  if (!options.page.empty()) return CheckPage(options, verdicts);
  for (const auto& [id, by_backend] : verdicts) {
    for (const auto& [backend, verdict] : by_backend) {
      if (verdict.starts_with("failed")) return 1;
    }
  }
  return 0;
}
