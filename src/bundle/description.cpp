#include "bundle/description.h"

#include <zlib.h>

#include <nlohmann/json.hpp>
#include <set>

#include "plan/memory.h"
#include "plan/work.h"

namespace webnnc::bundle {

// Keeps keys in the order in which they are set.
using Json = nlohmann::ordered_json;

int64_t GzipSize(std::string_view bytes) {
  z_stream stream = {};
  // 31: gzip's frame around the largest window; 8: as much memory as servers and gzip itself use.
  CHECK(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<uint8_t> out(1 << 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    state = deflate(&stream, Z_FINISH);
  }
  CHECK(state == Z_STREAM_END);
  auto size = static_cast<int64_t>(stream.total_out);
  deflateEnd(&stream);
  return size;
}

namespace {

// ---- The model

Json ModelJson(const Source& source) {
  Json json;
  json["file"] = source.file;
  json["bytes"] = source.bytes;
  json["sha256"] = source.sha256;
  json["producer"] = source.outline.producer;
  json["graph"] = source.outline.graph_name;
  Json& opsets = json["opsets"] = Json::object();
  for (const auto& [domain, version] : source.outline.opsets) opsets[domain] = version;
  json["parameters"] = source.outline.parameters;
  return json;
}

// The nodes of the model, each with the nodes that it takes its operands from. Inputs and outputs
// are nodes as well, of the operators "input" and "output".
class NodeList {
 public:
  explicit NodeList(const graph::Outline& outline) {
    for (const std::string& input : outline.inputs) Add(input, "input", {}, {input});
    for (const graph::OutlineNode& node : outline.nodes)
      Add(node.title, node.op_type, node.inputs, node.outputs);
    for (const std::string& output : outline.outputs) Add(output, "output", {output}, {});
  }

  const Json& json() const { return json_; }

 private:
  void Add(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
           const std::vector<std::string>& outputs) {
    std::set<size_t> from;
    for (const std::string& input : inputs) {
      auto found = definition_.find(input);
      if (found != definition_.end()) from.insert(found->second);
    }
    for (const std::string& output : outputs) {
      if (!output.empty()) definition_[output] = json_.size();
    }
    json_.push_back({{"name", name}, {"op", op}, {"from", from}});
  }

  std::map<std::string, size_t> definition_;
  Json json_ = Json::array();
};

Json PortsJson(const std::vector<plan::Port>& ports, const ModelContents& model) {
  const LikelySizes& sizes = model.likely;
  Json json = Json::array();
  for (const plan::Port& port : ports) {
    if (port.hidden || ListBeside(port.name, model)) continue;
    auto list = model.lists.find(port.name);
    json.push_back(
        {{"name", port.name},
         {"type", list == model.lists.end() ? WebText(port.type) : WebText(list->second)},
         {"bytes", ByteSize(port.type).Evaluate(sizes.typical())},
         {"image", graph::ImageOf(port.type).has_value()}});
  }
  return json;
}

// ---- Programs

std::string_view Name(plan::BufferKind kind) {
  switch (kind) {
    case plan::BufferKind::kInput: return "input";
    case plan::BufferKind::kOutput: return "output";
    case plan::BufferKind::kState: return "state";
    case plan::BufferKind::kWeight: return "weight";
    case plan::BufferKind::kActivation: return "activation";
    case plan::BufferKind::kExchange: return "exchange";
    case plan::BufferKind::kTold: return "told";
  }
  return "";
}

Json MemoryJson(const plan::Program& program, const LikelySizes& sizes) {
  plan::MemoryPlan plan = plan::PlanMemory(program, sizes.typical());
  std::vector<plan::Lifetime> lifetimes = plan::Lifetimes(program);
  Json json = {{"bytes", plan.bytes}, {"least", plan.lower_bound}, {"buffers", Json::array()}};
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    auto i = static_cast<size_t>(b);
    if (plan.offsets[i] < 0) continue;
    const plan::Buffer& buffer = program.buffers[plan::BufferId{b}];
    json["buffers"].push_back({{"name", buffer.name},
                               {"kind", Name(buffer.kind)},
                               {"bytes", ByteSize(program, buffer).Evaluate(sizes.typical())},
                               {"offset", plan.offsets[i]},
                               {"first", lifetimes[i].first_step},
                               {"last", lifetimes[i].last_step}});
  }
  return json;
}

// Of kernels that run beside each other that of each.
std::string ScheduleText(const plan::Kernel& kernel) {
  if (kernel.parts.empty()) return schedule::Print(kernel.schedule);
  std::string text;
  for (const plan::Kernel& part : kernel.parts)
    text += "@" + part.plain.name + " " + schedule::Print(part.schedule);
  return text;
}

Json KernelJson(const plan::Kernel& kernel, int64_t code_bytes, const LikelySizes& sizes) {
  Json results = Json::array();
  for (const loop::Buffer& buffer : kernel.plain.buffers) {
    if (buffer.space == loop::Space::kOut) results.push_back(WebText(buffer.type));
  }
  return {{"name", kernel.plain.name},
          {"results", results},
          {"codeBytes", code_bytes},
          {"multiplyAdds", plan::MultiplyAdds(kernel.plain).Evaluate(sizes.typical())},
          {"schedule", ScheduleText(kernel)}};
}

Json StepJson(const plan::Program& program, const plan::Launch& step, const LikelySizes& sizes) {
  int64_t bytes = 0;
  Json weights = Json::array();
  for (plan::BufferId argument : step.arguments) {
    const plan::Buffer& buffer = program.buffers[argument];
    bytes += ByteSize(program, buffer).Evaluate(sizes.typical());
    if (buffer.kind == plan::BufferKind::kWeight) weights.push_back(buffer.weight.index);
  }
  return {{"kernel", step.kernel.index},
          {"nodes", step.origins},
          {"bytes", bytes},
          {"weights", weights}};
}

// What both kinds of programs have in common.
template <typename CodeBytes>
Json ProgramJson(const plan::Program& program, const LikelySizes& sizes, CodeBytes code_bytes) {
  std::set<std::string> nodes;
  Json kernels = Json::array(), steps = Json::array();
  for (int32_t k = 0; k < program.kernels.size(); ++k) {
    plan::KernelId id{k};
    kernels.push_back(KernelJson(program.kernels[id], code_bytes(id), sizes));
  }
  int64_t multiply_adds = 0;
  for (const plan::Launch* launch : LaunchesOf(program, plan::Place::kDevice)) {
    steps.push_back(StepJson(program, *launch, sizes));
    nodes.insert(launch->origins.begin(), launch->origins.end());
    multiply_adds +=
        kernels[static_cast<size_t>(launch->kernel.index)]["multiplyAdds"].get<int64_t>();
  }
  Json json;
  json["dispatches"] = steps.size();
  json["nodes"] = nodes.size();
  json["multiplyAdds"] = multiply_adds;
  json["memory"] = MemoryJson(program, sizes);
  json["kernels"] = std::move(kernels);
  json["steps"] = std::move(steps);
  return json;
}

Json GpuJson(const plan::Variant& gpu, const LikelySizes& sizes) {
  Requirements requirements = RequirementsOf(gpu);
  Json json = {{"kind", "webgpu"},
               {"half", gpu.target().Has(Feature::kF16)},
               {"features", requirements.features},
               {"limits", requirements.limits}};
  json.update(ProgramJson(gpu.program, sizes, [&](plan::KernelId id) {
    return static_cast<int64_t>(gpu.shaders.at(static_cast<size_t>(id.index)).wgsl.size());
  }));
  return json;
}

Json CpuJson(const plan::Program& program, const LikelySizes& sizes,
             const std::map<std::string, int64_t>& function_bytes) {
  Json json = {{"kind", "wasm"}};
  json.update(ProgramJson(program, sizes, [&](plan::KernelId id) {
    auto found = function_bytes.find(program.kernels[id].plain.name);
    return found == function_bytes.end() ? 0 : found->second;
  }));
  return json;
}

Json WeightsJson(const IdVector<plan::WeightTag, plan::Weight>& weights) {
  Json json = Json::array();
  for (int32_t w = 0; w < weights.size(); ++w) {
    const plan::Weight& weight = weights[plan::WeightId{w}];
    if (weight.offset < 0) continue;
    Json entry = {{"id", w},
                  {"name", weight.name},
                  {"type", WebText(weight.type)},
                  {"bytes", ByteSize(weight.type).value()},
                  {"offset", weight.offset}};
    if (weight.packed_from.valid()) entry["packedFrom"] = WebText(weights[weight.packed_from].type);
    json.push_back(std::move(entry));
  }
  return json;
}

Json QuantizationJson(const Quantization& made) {
  Json json = {{"bytesBefore", made.bytes_before},
               {"bytesAfter", made.bytes_after},
               {"inputs", made.inputs},
               {"madeUp", made.made_up},
               {"errors", Json::array()}};
  if (!made.storage.empty()) json["storage"] = made.storage;
  if (made.lowered > 0) {
    json["precision"] = {{"type", "f16"}, {"values", made.lowered}, {"kept", Json::array()}};
    for (const auto& [reason, names] : made.kept)
      json["precision"]["kept"].push_back({{"reason", reason}, {"values", names.size()}});
  }
  for (const auto& [output, error] : made.errors)
    json["errors"].push_back({{"output", output}, {"error", error}});
  return json;
}

// What was compiled, and what callers give and get.
void AddModel(const ModelContents& model, Json& json) {
  const LikelySizes& sizes = model.likely;
  json["model"] = ModelJson(model.source);
  json["sizes"] = Json::object();
  for (const auto& [symbol, value] : sizes.typical()) json["sizes"][symbol] = value;
  json["inputs"] = PortsJson(model.variants.any().inputs, model);
  json["outputs"] = PortsJson(model.variants.any().outputs, model);
  json["assumptions"] = model.assumptions;
  if (model.quantization) json["quantization"] = QuantizationJson(*model.quantization);
}

void AddPrograms(const ModelContents& model, const std::map<std::string, int64_t>& function_bytes,
                 Json& json) {
  Json& programs = json["programs"] = Json::array();
  for (const plan::Variant* gpu : model.variants.gpu())
    programs.push_back(GpuJson(*gpu, model.likely));
  if (const plan::Program* cpu = model.variants.cpu())
    programs.push_back(CpuJson(*cpu, model.likely, function_bytes));
  json["nodes"] = NodeList(model.source.outline).json();
}

Json FilesJson(const std::vector<DescribedFile>& files) {
  Json json = Json::array();
  for (const DescribedFile& file : files) {
    Json entry = {{"name", file.name}, {"bytes", file.bytes}};
    if (file.gzip_bytes) entry["gzipBytes"] = *file.gzip_bytes;
    json.push_back(std::move(entry));
  }
  return json;
}

}  // namespace

std::string Description(const Contents& contents, const std::vector<DescribedFile>& files) {
  const bool several = contents.HasSeveral();
  Json json;
  json["webnnc"] = contents.version;
  json["build"] = contents.build;
  json["name"] = contents.name;
  json["command"] = contents.command;
  if (!several) AddModel(contents.models[0], json);
  json["files"] = FilesJson(files);
  json["weights"] = WeightsJson(*contents.weights);
  if (!several) AddPrograms(contents.models[0], contents.function_bytes, json);
  for (const ModelContents& model : contents.models) {
    if (!several) break;
    Json& part = json["models"].emplace_back();
    part["name"] = model.key;
    AddModel(model, part);
    AddPrograms(model, contents.function_bytes, part);
  }
  // Names come from models, where they may be no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace webnnc::bundle
