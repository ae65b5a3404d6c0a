#include "tests/onnx/bundles.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/onnx/npy.h"
#include "webnnc/compiler.h"

namespace webnnc {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::string SetName(size_t set) { return "set_" + std::to_string(set); }

// {"x": "input_0.npy", ...}
Json Files(const std::vector<graph::Port>& ports, const std::string& prefix) {
  Json files = Json::object();
  for (size_t i = 0; i < ports.size(); ++i)
    files[ports[i].name] = prefix + std::to_string(i) + ".npy";
  return files;
}

// Of inputs and outputs that are lists: what they are, and how long the rows of shapes are.
Json Lists(const graph::Graph& graph) {
  static constexpr const char* kKinds[] = {"sequence", "optional", "optional sequence"};
  Json lists = Json::object();
  for (const auto* ports : {&graph.inputs, &graph.outputs}) {
    for (size_t i = 0; i < ports->size(); ++i) {
      auto list = graph.lists.find((*ports)[i].name);
      if (list == graph.lists.end()) continue;
      lists[list->first] = {{"kind", kKinds[static_cast<size_t>(list->second.kind)]},
                            {"dataType", WebName(list->second.dtype)},
                            {"columns", graph.values[(*ports)[i + 1].value].type.shape[1].value()}};
    }
  }
  return lists;
}

std::string CaseJson(const Trial& trial) {
  Json sets = Json::array();
  for (size_t k = 0; k < trial.sets.size(); ++k) {
    sets.push_back({{"name", SetName(k)},
                    {"inputs", Files(trial.graph.inputs, "input_")},
                    {"outputs", Files(trial.graph.outputs, "output_")}});
  }
  return Json{{"lists", Lists(trial.graph)}, {"sets", sets}}.dump(2);
}

}  // namespace

Status MakeBundle(const Trial& trial, const std::string& work, CompileOptions options) {
  std::error_code ignored;
  fs::create_directories(work, ignored);
  fs::remove_all(work + "/bundle", ignored);
  options.models = {{trial.model}};
  options.output = work + "/bundle";
  if (auto failure = Compile(options)) return Error{failure->text};
  for (size_t k = 0; k < trial.sets.size(); ++k) {
    std::string folder = work + "/" + SetName(k);
    fs::remove_all(folder, ignored);
    fs::create_directories(folder, ignored);
    const std::vector<Tensor>& inputs = trial.sets[k].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      TRY(WriteNpy(folder + "/input_" + std::to_string(i) + ".npy", inputs[i]));
    }
  }
  return WriteFile(work + "/case.json", CaseJson(trial));
}

std::vector<std::string> RunBundles(const std::string& backend,
                                    const std::vector<std::string>& works,
                                    const std::string& scratch) {
  std::vector<std::string> results;
  std::string list = scratch + "/list." + backend, answers = scratch + "/answers." + backend;
  std::error_code ignored;
  // Node's WASI is an experiment, and once in a while it ends the process: so a case that does has
  // another try in a new one.
  bool retries = true;
  while (results.size() < works.size()) {
    std::ofstream names(list);
    for (size_t i = results.size(); i < works.size(); ++i) names << works[i] << "\n";
    names.close();
    fs::remove(answers, ignored);
    size_t before = results.size();
    std::string command = "node --no-warnings '" WEBNNC_TESTS "/onnx/run_bundles.mjs' " + backend +
                          " '" + list + "' '" + answers + "'";
    int status = std::system(command.c_str());
    std::ifstream lines(answers);
    for (std::string line; std::getline(lines, line);) results.push_back(line == "ok" ? "" : line);
    if (results.size() > before) retries = true;
    if (results.size() == works.size()) break;
    // The case behind the last answer is the one that ended the process.
    if (retries) {
      std::cout << works[results.size()] << " ended the process on " << backend << ": once more\n";
      retries = false;
    } else {
      results.push_back("failed: the process died: status " + std::to_string(status));
      retries = true;
    }
  }
  return results;
}

Result<std::vector<Tensor>> ReadOutputs(const Trial& trial, const std::string& backend,
                                        const std::string& work, size_t set) {
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < trial.graph.outputs.size(); ++i) {
    std::string name = "output_" + std::to_string(i) + ".npy";
    TRY_ASSIGN(auto tensor, ReadNpy(work + "/" + SetName(set) + "/" + backend + "/" + name));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

}  // namespace webnnc
