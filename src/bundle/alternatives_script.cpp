#include "bundle/alternatives_script.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "bundle/shader_files.h"
#include "bundle/size_script.h"
#include "loop/parameters.h"

namespace webnnc::bundle {

namespace {

using Json = nlohmann::ordered_json;

// What a size is when kernels are measured.
int64_t Likely(const Dim& size, const LikelySizes& sizes) {
  return std::max<int64_t>(0, std::llround(sizes.Typical(size)));
}

Json BuffersJson(const plan::Program& program, plan::KernelId id, const LikelySizes& sizes) {
  const loop::Kernel& flat = program.kernels[id].flat;
  std::vector<Storage> storage = plan::ParametersOf(program, id);
  Json buffers = Json::array();
  for (loop::BufferId buffer : loop::ParametersOf(flat)) {
    const TensorType& type = flat.buffers[buffer].type;
    bool is_weight = storage[buffers.size()] == Storage::kWeight;
    buffers.push_back({{"type", std::string(Name(type.dtype))},
                       {"bytes", Likely(ElementCount(type.shape), sizes) * ByteSize(type.dtype)},
                       {"isWeight", is_weight}});
  }
  return buffers;
}

// Sizes for values of the symbols, as a function.
std::string FunctionOf(const std::vector<Dim>& all, const SizePrinter& sizes) {
  std::string list;
  for (const Dim& size : all) list += (list.empty() ? "" : ",") + sizes.Print(size);
  return "s=>[" + list + "]";
}

// What it is told and the workgroups stand there twice: for likely sizes, and for any.
std::string ShaderScript(const plan::Shader& shader, const LikelySizes& likely,
                         const SizePrinter& sizes) {
  const plan::Grid& grid = shader.grid;
  std::vector<Dim> workgroups{grid.x, grid.y, grid.z};
  Json json = {{"wgsl", Compact(shader.wgsl)},
               {"bindings", shader.bindings},
               {"workgroups", Json::array()},
               {"sizes", Json::array()}};
  for (const Dim& count : workgroups) json["workgroups"].push_back(Likely(count, likely));
  for (const Dim& size : grid.sizes) json["sizes"].push_back(Likely(size, likely));
  std::string text = json.dump();
  text.pop_back();
  return text + ",\"grid\":" + FunctionOf(workgroups, sizes) +
         ",\"tell\":" + FunctionOf(grid.sizes, sizes) + "}";
}

std::string ProgramScript(const plan::Variant& variant, const ModelContents& model,
                          const SizePrinter& sizes) {
  std::vector<std::string> kernels;
  for (const plan::Alternatives& own : variant.alternatives) {
    std::vector<std::string> shaders;
    for (const plan::Shader& shader : own.shaders)
      shaders.push_back(ShaderScript(shader, model.likely, sizes));
    Json json = {{"kernel", own.kernel.index},
                 {"buffers", BuffersJson(variant.program, own.kernel, model.likely)}};
    std::string text = json.dump();
    text.pop_back();
    kernels.push_back(text + ",\"candidates\":" + ListOf(shaders) + "}");
  }
  return ListOf(kernels);
}

}  // namespace

std::string AlternativesScript(const Contents& contents) {
  return ScriptOfPrograms(contents, ProgramScript);
}

}  // namespace webnnc::bundle
