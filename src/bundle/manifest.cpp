#include "bundle/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bundle/shader_files.h"
#include "webnnc/abi.h"

namespace webnnc::bundle {

// Keeps keys in the order in which they are set.
using Json = nlohmann::ordered_json;

namespace {

// A symbol is its name, whatever that is; an expression is printed as in text forms.
Json SizeJson(const Dim& size) {
  if (size.IsConstant()) return size.value();
  return SymbolOf(size).value_or(Print(size));
}

Json ImageJson(const graph::Image& image) {
  Json json;
  json["layout"] = image.channels_last ? "nhwc" : "nchw";
  json["channels"] = image.channels;
  json["height"] = SizeJson(image.height);
  json["width"] = SizeJson(image.width);
  return json;
}

Json NumbersJson(const std::vector<double>& values) {
  if (values.size() == 1) return values[0];
  return values;
}

// As imageTensor takes it.
Json PreparationJson(const Picture& picture) {
  static constexpr const char* kResizes[] = {"cover", "contain", "fill"};
  static constexpr const char* kFilters[] = {"nearest", "bilinear", "bicubic", "lanczos"};
  static constexpr const char* kRanges[] = {"0..1", "0..255", "-1..1"};
  const graph::Preparation& asked = picture.preparation;
  graph::ImageRange as =
      picture.dtype == DType::kU8 ? graph::ImageRange::kBytes : graph::ImageRange::kUnit;
  Json json;
  json["resize"] = kResizes[static_cast<int>(asked.resize)];
  json["crop"] = asked.crop;
  json["align"] = asked.align_start ? "start" : "center";
  json["filter"] = kFilters[static_cast<int>(asked.filter)];
  json["antialias"] = asked.antialias;
  json["fill"] = NumbersJson(asked.fill);
  json["range"] = kRanges[static_cast<int>(asked.range.value_or(as))];
  json["mean"] = NumbersJson(asked.mean);
  json["std"] = NumbersJson(asked.std);
  json["order"] = asked.bgr ? "bgr" : "rgb";
  return json;
}

// Pictures are told as callers see them: four bytes a pixel.
Json PictureJson(const plan::Port& port, const Picture& picture) {
  Json json;
  json["name"] = port.name;
  json["dataType"] = WebName(DType::kU8);
  json["shape"] = {SizeJson(port.type.shape[0]), SizeJson(picture.height), SizeJson(picture.width),
                   4};
  json["image"] = ImageJson(picture.image);
  json["image"]["dataType"] = WebName(picture.dtype);
  json["image"]["preparation"] = PreparationJson(picture);
  return json;
}

// Of a list's tensors.
Json TensorShapeJson(const graph::ListPort& list) {
  if (!list.shape) return Json::array({"..."});
  Json json = Json::array();
  for (const Dim& size : *list.shape) json.push_back(SizeJson(size));
  return json;
}

Json PortJson(const plan::Port& port, const ModelContents& model) {
  auto picture = model.pictures.find(port.name);
  if (picture != model.pictures.end()) return PictureJson(port, picture->second);
  Json json;
  json["name"] = port.name;
  if (port.hidden) json["hidden"] = true;
  json["dataType"] = WebName(port.type.dtype);
  json["shape"] = Json::array();
  for (const Dim& size : port.type.shape) json["shape"].push_back(SizeJson(size));
  if (auto list = model.lists.find(port.name); list != model.lists.end()) {
    json["list"] = KindName(list->second.kind);
    json["tensor"] = TensorShapeJson(list->second);
  }
  if (auto of = ListBeside(port.name, model)) json["of"] = *of;
  if (auto image = graph::ImageOf(port.type)) json["image"] = ImageJson(*image);
  return json;
}

Json InputsJson(const ModelContents& model) {
  Json json = Json::array();
  for (const plan::Port& port : model.variants.any().inputs) {
    json.push_back(PortJson(port, model));
    // model.js makes what is beside a picture.
    for (const auto& [name, picture] : model.pictures) {
      if (port.name == name + ":rows" || port.name == name + ":columns") json.back()["of"] = name;
    }
  }
  return json;
}

// Of what is appended in place: along which of the model's axes.
Json StateJson(const graph::State& state, const ModelContents& model) {
  const plan::Program& any = model.variants.any();
  Json json = {{"input", any.inputs[state.input].name}, {"output", any.outputs[state.output].name}};
  if (state.kept == graph::State::Kept::kAppended) json["axis"] = state.axis;
  if (state.capacity > 0) json["capacity"] = state.capacity;
  if (state.is_limited) json["limited"] = true;
  return json;
}

Json BoxesJson(const Boxes& boxes) {
  Json json = Json::object();
  for (const auto& [key, value] : boxes.choices) json[key] = value;
  for (const auto& [key, value] : boxes.numbers) json[key] = value;
  return json;
}

Json OutputsJson(const ModelContents& model) {
  Json json = Json::array();
  // Pictures are inputs.
  ModelContents lists;
  lists.lists = model.lists;
  for (const plan::Port& port : model.variants.any().outputs) {
    json.push_back(PortJson(port, lists));
    auto labels = model.labels.find(port.name);
    if (labels != model.labels.end())
      json.back()[labels->second.count_last ? "labels" : "classes"] = labels->second.names;
    auto boxes = model.boxes.find(port.name);
    if (boxes != model.boxes.end()) json.back()["boxes"] = BoxesJson(boxes->second);
  }
  return json;
}

Json CpuJson(const plan::Program& program) {
  Json json;
  json["kind"] = "wasm";
  json["steps"] = Json::array();
  for (const plan::Launch* launch : LaunchesOf(program))
    json["steps"].push_back(program.kernels[launch->kernel].plain.name);
  return json;
}

void AddRanges(const std::vector<graph::InputRange>& ranges, Json& inputs) {
  for (const graph::InputRange& range : ranges) {
    for (Json& input : inputs) {
      if (input["name"] == range.input)
        input["range"] = {{"low", range.low}, {"high", range.high}, {"node", range.origin}};
    }
  }
}

Json GpuJson(const plan::Variant& gpu, const std::vector<ShaderTable>& tables) {
  auto table = std::find_if(tables.begin(), tables.end(), [&](const ShaderTable& each) {
    return each.features() == gpu.target().features;
  });
  Json json;
  json["kind"] = "webgpu";
  json["half"] = gpu.target().Has(Feature::kF16);
  json["steps"] = json["kernels"] = Json::array();
  for (const plan::Launch* launch : LaunchesOf(gpu.program, plan::Place::kDevice))
    json["steps"].push_back(launch->kernel.index);
  for (int32_t k = 0; k < gpu.program.kernels.size(); ++k) {
    const plan::Shader& shader = gpu.shaders.at(static_cast<size_t>(k));
    Json kernel;
    kernel["name"] = gpu.program.kernels[plan::KernelId{k}].plain.name;
    kernel["shader"] = table->IndexOf(shader);
    kernel["bindings"] = shader.bindings;
    int64_t uniform_bytes = shader.grid.uniform_bytes();
    if (uniform_bytes > 0) kernel["uniformBytes"] = uniform_bytes;
    json["kernels"].push_back(kernel);
  }
  return json;
}

// What a page knows of a model besides its name.
void AddModel(const ModelContents& model, const std::vector<ShaderTable>& shaders, Json& json) {
  json["inputs"] = InputsJson(model);
  AddRanges(model.indices.ranges, json["inputs"]);
  json["outputs"] = OutputsJson(model);
  for (const graph::State& state : model.states) json["state"].push_back(StateJson(state, model));
  for (const graph::IndexCheck& check : model.indices.checks)
    json["indices"].push_back({{"node", check.origin}, {"inputs", check.inputs}});
  if (!model.assumptions.empty()) json["assumptions"] = model.assumptions;
  Json& programs = json["programs"] = Json::array();
  for (const plan::Variant* gpu : model.variants.gpu()) programs.push_back(GpuJson(*gpu, shaders));
  if (const plan::Program* cpu = model.variants.cpu()) programs.push_back(CpuJson(*cpu));
}

}  // namespace

std::string Manifest(const Contents& contents) {
  std::vector<ShaderTable> shaders = ShaderTables(contents);
  Json json;
  json["abi"] = abi::kAbiVersion;
  json["name"] = contents.name;
  json["build"] = contents.build;
  if (contents.HasSeveral()) {
    for (const ModelContents& model : contents.models) {
      Json& part = json["models"].emplace_back();
      part["name"] = model.key;
      AddModel(model, shaders, part);
    }
  } else {
    AddModel(contents.models[0], shaders, json);
  }
  // Names come from models, where they may be no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace webnnc::bundle
