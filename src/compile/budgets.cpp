#include "compile/budgets.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/lexer.h"
#include "base/size_text.h"

namespace webnnc {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostNamed = 3;

// "conv (3.1 kB), conv_2 (2.2 kB), pool (1.0 kB)": the largest of a list.
std::string Largest(const Json& list, const std::string& key) {
  std::vector<const Json*> items;
  for (const Json& item : list) items.push_back(&item);
  std::stable_sort(items.begin(), items.end(), [&](const Json* a, const Json* b) {
    return (*a)[key].get<int64_t>() > (*b)[key].get<int64_t>();
  });
  std::string out;
  for (size_t i = 0; i < std::min(kMostNamed, items.size()); ++i) {
    out += (i ? ", " : "") + (*items[i])["name"].get<std::string>() + " (" +
           SizeText((*items[i])[key].get<int64_t>()) + ")";
  }
  return out;
}

// What is sent of a file, or of the largest of several whose names begin and end so.
int64_t SentBytes(const Json& build, const std::string& begin, const std::string& end) {
  int64_t most = 0;
  for (const Json& file : build["files"]) {
    const std::string name = file["name"];
    if (name.starts_with(begin) && name.ends_with(end))
      most = std::max(most, file.value("gzipBytes", file["bytes"].get<int64_t>()));
  }
  return most;
}

// A program, and of several models the name of its own.
struct Part {
  const Json* program;
  std::string model;
};

std::vector<Part> PartsOf(const Json& build) {
  std::vector<Part> parts;
  auto add = [&](const Json& programs, const std::string& model) {
    for (const Json& program : programs) parts.push_back({&program, model});
  };
  if (!build.contains("models")) add(build["programs"], "");
  if (build.contains("models")) {
    for (const Json& model : build["models"]) add(model["programs"], model["name"]);
  }
  return parts;
}

std::string TitleOf(const Part& part) {
  std::string model = part.model.empty() ? "" : "in " + part.model + " ";
  return model + ((*part.program)["kind"] == "wasm" ? "on wasm" : "on WebGPU");
}

// The program of which `value` gives most.
template <typename Value>
Part Most(const Json& build, Value value) {
  std::vector<Part> parts = PartsOf(build);
  return *std::max_element(parts.begin(), parts.end(), [&](const Part& a, const Part& b) {
    return value(*a.program) < value(*b.program);
  });
}

Error TooMuch(const std::string& what, const std::string& is, const std::string& flag,
              const std::string& allowed, const std::string& culprit) {
  return Error{what + " " + is + ", and " + flag + " allows " + allowed, {}, {culprit}};
}

Status CheckCode(int64_t most, const Json& build) {
  // A page downloads one of the modules, and where WebGPU runs it one of the files of shaders.
  int64_t module = SentBytes(build, "model", ".wasm");
  int64_t shaders = SentBytes(build, "model.shaders", ".json");
  int64_t script = SentBytes(build, "model.js", "");
  int64_t code = module + script + shaders;
  if (code <= most) return kSuccess;
  std::string kernels;
  for (const Part& part : PartsOf(build))
    kernels += (kernels.empty() ? "" : "; ") + TitleOf(part) + ": " +
               Largest((*part.program)["kernels"], "codeBytes");
  return TooMuch(
      "the code",
      "has " + SizeText(code) + " gzipped (" + SizeText(script) + " model.js, " + SizeText(module) +
          " the module" + (shaders > 0 ? ", " + SizeText(shaders) + " shaders" : "") + ")",
      "--max-code-size", SizeText(most), "the largest kernels, before compression, are " + kernels);
}

Status CheckWeights(int64_t most, const Json& build) {
  int64_t bytes = 0;
  for (const Json& file : build["files"]) {
    if (file["name"] == "model.weights.bin") bytes = file["bytes"];
  }
  if (bytes <= most) return kSuccess;
  return TooMuch("the weights", "have " + SizeText(bytes), "--max-weights", SizeText(most),
                 "the largest are " + Largest(build["weights"], "bytes"));
}

Status CheckMemory(int64_t most, const Json& build) {
  auto memory = [](const Json& program) { return program["memory"]["bytes"].get<int64_t>(); };
  Part part = Most(build, memory);
  const Json& program = *part.program;
  if (memory(program) <= most) return kSuccess;
  return TooMuch("a run", "needs " + SizeText(memory(program)) + " " + TitleOf(part),
                 "--max-memory", SizeText(most),
                 "the largest tensors are " + Largest(program["memory"]["buffers"], "bytes"));
}

Status CheckDispatches(int64_t most, const Json& build) {
  auto count = [](const Json& program) { return program["dispatches"].get<int64_t>(); };
  Part part = Most(build, count);
  const Json& program = *part.program;
  if (count(program) <= most) return kSuccess;
  // Which kernel is run most often.
  std::map<std::string, int> runs;
  for (const Json& step : program["steps"])
    ++runs[program["kernels"][step["kernel"].get<size_t>()]["name"].get<std::string>()];
  auto often = std::max_element(runs.begin(), runs.end(),
                                [](auto& a, auto& b) { return a.second < b.second; });
  return TooMuch("a run",
                 "takes " + std::to_string(count(program)) + " dispatches " + TitleOf(part),
                 "--max-dispatches", std::to_string(most),
                 "kernel " + often->first + " is run most often, " + std::to_string(often->second) +
                     " times; report.html lists all");
}

// What could not be told is not within a budget.
Status CheckErrors(double most, const Json& build) {
  const Json models = build.contains("models") ? build["models"] : Json::array({build});
  for (const Json& model : models) {
    if (!model.contains("quantization")) continue;
    const Json& made = model["quantization"];
    if (made["errors"].empty()) return Error{"--max-error: what fewer bits cost is not known"};
    for (const Json& each : made["errors"]) {
      const Json& error = each["error"];
      if (error.is_number() && error.get<double>() <= most) continue;
      return TooMuch(
          "output " + Quote(each["output"].get<std::string>()),
          error.is_number()
              ? "differs by " + PrintReal(error.get<double>()) + " of its size from float32's"
              : "is not finite where float32's is",
          "--max-error", PrintReal(most),
          made["madeUp"].get<bool>() ? "the inputs were made up: --calibrate tells on yours"
          : made.contains("storage") ? "types of more bits are more exact: int4:16, int8, f16"
                                     : "without --precision f16 it is as exact as float32");
    }
  }
  return kSuccess;
}

Status CheckBaselineOf(const Part& part, const Json& build) {
  const Json& program = *part.program;
  std::string needs;
  for (const Json& feature : program["features"])
    needs += (needs.empty() ? "" : ", ") + feature.get<std::string>();
  for (const auto& [limit, value] : program["limits"].items())
    needs += (needs.empty() ? "" : ", ") + limit + " of " + std::to_string(value.get<int64_t>());
  if (needs.empty()) return kSuccess;
  return Error{"--require baseline: not every WebGPU device can run " +
                   (part.model.empty() ? "the model" : part.model) + ": it needs " + needs,
               {},
               {"the largest tensors are " + Largest(program["memory"]["buffers"], "bytes") +
                    " and the largest weights " + Largest(build["weights"], "bytes"),
                "smaller inputs (--dim, --input) or --device generic may help"}};
}

// The last program of a model for GPUs is the one for those that offer least.
Status CheckBaseline(const Json& build) {
  std::map<std::string, Part> last;
  for (const Part& part : PartsOf(build)) {
    Part& known = last.emplace(part.model, Part{nullptr, part.model}).first->second;
    if ((*part.program)["kind"] == "webgpu") known = part;
  }
  for (const auto& [model, part] : last) {
    if (part.program) {
      TRY(CheckBaselineOf(part, build));
      continue;
    }
    return Error{"--require baseline: there is no program for WebGPU" +
                 (model.empty() ? "" : " of " + model)};
  }
  return kSuccess;
}

}  // namespace

Status CheckBudgets(const Budgets& budgets, const std::string& description) {
  Json build = Json::parse(description);
  if (budgets.code_bytes) TRY(CheckCode(*budgets.code_bytes, build));
  if (budgets.weight_bytes) TRY(CheckWeights(*budgets.weight_bytes, build));
  if (budgets.memory_bytes) TRY(CheckMemory(*budgets.memory_bytes, build));
  if (budgets.dispatches) TRY(CheckDispatches(*budgets.dispatches, build));
  if (budgets.error) TRY(CheckErrors(*budgets.error, build));
  if (budgets.baseline) TRY(CheckBaseline(build));
  return kSuccess;
}

}  // namespace webnnc
