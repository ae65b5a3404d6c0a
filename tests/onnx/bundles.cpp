#include "tests/onnx/bundles.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "tests/onnx/npy.h"
#include "webnnc/compiler.h"

namespace webnnc {

namespace fs = std::filesystem;

namespace {

std::string JsonString(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// {"x": "set_0/input_0.npy", ...}
std::string JsonFiles(const std::vector<graph::Port>& ports, const std::string& prefix) {
  std::string out;
  for (size_t i = 0; i < ports.size(); ++i) {
    out += out.empty() ? "" : ", ";
    out += JsonString(ports[i].name) + ": " + JsonString(prefix + std::to_string(i) + ".npy");
  }
  return "{" + out + "}";
}

std::string SetName(size_t set) { return "set_" + std::to_string(set); }

std::string CaseJson(const Trial& trial) {
  std::string sets;
  for (size_t k = 0; k < trial.sets.size(); ++k) {
    sets += sets.empty() ? "" : ",\n  ";
    sets += "{\"name\": " + JsonString(SetName(k)) +
            ", \"inputs\": " + JsonFiles(trial.graph.inputs, "input_") +
            ", \"outputs\": " + JsonFiles(trial.graph.outputs, "output_") + "}";
  }
  return "{\"sets\": [\n  " + sets + "\n]}\n";
}

}  // namespace

Status MakeBundle(const Trial& trial, const std::string& work) {
  std::error_code ignored;
  fs::create_directories(work, ignored);
  fs::remove_all(work + "/bundle", ignored);
  CompileOptions options;
  options.model = trial.model;
  options.output = work + "/bundle";
  if (auto error = Compile(options)) return Error{*error};
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

std::vector<std::string> RunBundles(const std::string& backend, const std::vector<std::string>& works,
                                    const std::string& scratch) {
  std::vector<std::string> results;
  std::string list = scratch + "/list." + backend, answers = scratch + "/answers." + backend;
  while (results.size() < works.size()) {
    std::ofstream names(list);
    for (size_t i = results.size(); i < works.size(); ++i) names << works[i] << "\n";
    names.close();
    std::string command = "node --no-warnings '" WEBNNC_TESTS "/onnx/run_bundles.mjs' " + backend +
                          " '" + list + "' > '" + answers + "'";
    int status = std::system(command.c_str());
    std::ifstream lines(answers);
    for (std::string line; std::getline(lines, line);) results.push_back(line == "ok" ? "" : line);
    // The case behind the last answer is the one that ended the process.
    if (results.size() < works.size()) {
      results.push_back("the process died: status " + std::to_string(status));
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
