#include "bundle/manifest.h"

#include <nlohmann/json.hpp>

#include "webnnc/abi.h"

namespace webnnc::bundle {

// Keeps keys in the order in which they are set.
using Json = nlohmann::ordered_json;

namespace {

// The distinct texts of all programs' shaders, in the order of their first use.
class ShaderTable {
 public:
  explicit ShaderTable(const Contents& contents) {
    for (const GpuPart& part : contents.gpu) {
      for (const Shader& shader : part.shaders) {
        if (index_.emplace(shader.wgsl, texts_.size()).second) texts_.push_back(&shader.wgsl);
      }
    }
  }

  size_t IndexOf(const Shader& shader) const { return index_.at(shader.wgsl); }
  const std::vector<const std::string*>& texts() const { return texts_; }

 private:
  std::map<std::string, size_t> index_;
  std::vector<const std::string*> texts_;
};

// A symbol is its name, whatever that is; an expression is printed as in text forms.
Json SizeJson(const Dim& size) {
  if (size.IsConstant()) return size.value();
  return SymbolOf(size).value_or(Print(size));
}

Json PortJson(const plan::Port& port) {
  Json json;
  json["name"] = port.name;
  json["dataType"] = WebName(port.type.dtype);
  json["shape"] = Json::array();
  for (const Dim& size : port.type.shape) json["shape"].push_back(SizeJson(size));
  if (auto image = ImageOf(port.type)) {
    Json& described = json["image"];
    described["layout"] = image->channels_last ? "nhwc" : "nchw";
    described["channels"] = image->channels;
    described["height"] = SizeJson(image->height);
    described["width"] = SizeJson(image->width);
  }
  return json;
}

Json PortsJson(const std::vector<plan::Port>& ports) {
  Json json = Json::array();
  for (const plan::Port& port : ports) json.push_back(PortJson(port));
  return json;
}

Json CpuJson(const plan::Program& program) {
  Json json;
  json["kind"] = "wasm";
  json["steps"] = Json::array();
  for (const plan::Step& step : program.steps)
    json["steps"].push_back(program.kernels[step.kernel].plain.name);
  return json;
}

Json GpuJson(const GpuPart& part, const ShaderTable& shaders) {
  Json json;
  json["kind"] = "webgpu";
  json["half"] = part.half;
  json["steps"] = json["kernels"] = Json::array();
  for (const plan::Step& step : part.program->steps) json["steps"].push_back(step.kernel.index);
  for (int32_t k = 0; k < part.program->kernels.size(); ++k) {
    const Shader& shader = part.shaders.at(static_cast<size_t>(k));
    Json kernel;
    kernel["name"] = part.program->kernels[plan::KernelId{k}].plain.name;
    kernel["shader"] = shaders.IndexOf(shader);
    kernel["bindings"] = shader.bindings;
    json["kernels"].push_back(kernel);
  }
  return json;
}

}  // namespace

std::string Manifest(const Contents& contents) {
  ShaderTable shaders(contents);
  Json json;
  json["abi"] = abi::kAbiVersion;
  json["name"] = contents.name;
  json["build"] = contents.build;
  json["inputs"] = PortsJson(contents.any().inputs);
  json["outputs"] = PortsJson(contents.any().outputs);
  if (!contents.assumptions.empty()) json["assumptions"] = contents.assumptions;
  Json& programs = json["programs"] = Json::array();
  for (const GpuPart& part : contents.gpu) programs.push_back(GpuJson(part, shaders));
  if (contents.cpu) programs.push_back(CpuJson(*contents.cpu));
  // Names come from models, where they may be no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Shaders(const Contents& contents) {
  ShaderTable shaders(contents);
  std::string out;
  for (const std::string* text : shaders.texts())
    out += (out.empty() ? "" : std::string(1, '\0')) + *text;
  return out;
}

}  // namespace webnnc::bundle
