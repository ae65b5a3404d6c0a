#include "bundle/contents.h"

#include <algorithm>
#include <set>

namespace webnnc::bundle {

namespace {

// What WebGPU guarantees: limits that need not be asked for.
const std::map<std::string, int64_t>& Guaranteed() {
  static const std::map<std::string, int64_t> limits = {
      {"maxBufferSize", 256 << 20},
      {"maxComputeInvocationsPerWorkgroup", 256},
      {"maxComputeWorkgroupSizeX", 256},
      {"maxComputeWorkgroupStorageSize", 16384},
      {"maxStorageBufferBindingSize", 128 << 20},
      {"maxStorageBuffersPerShaderStage", 8},
  };
  return limits;
}

}  // namespace

Requirements RequirementsOf(const plan::Variant& gpu) {
  std::set<std::string> features;
  std::map<std::string, int64_t> needs;
  auto need = [&](const std::string& limit, int64_t value) {
    needs[limit] = std::max(needs[limit], value);
  };
  for (const plan::Shader& shader : gpu.shaders) {
    features.insert(shader.features.begin(), shader.features.end());
    auto buffers = static_cast<int64_t>(shader.bindings.size()) -
                   std::count(shader.bindings.begin(), shader.bindings.end(), 'u');
    need("maxStorageBuffersPerShaderStage", buffers);
    need("maxComputeInvocationsPerWorkgroup", shader.workgroup_size);
    need("maxComputeWorkgroupSizeX", shader.workgroup_size);
    need("maxComputeWorkgroupStorageSize", shader.workgroup_bytes);
  }
  for (const plan::Buffer& buffer : gpu.program.buffers) {
    // What depends on symbols is known when the model runs.
    Dim bytes = ByteSize(gpu.program, buffer);
    if (!bytes.IsConstant()) continue;
    need("maxStorageBufferBindingSize", bytes.value());
    need("maxBufferSize", bytes.value());
  }
  Requirements result{{features.begin(), features.end()}, {}};
  for (const auto& [limit, value] : needs) {
    if (value > Guaranteed().at(limit)) result.limits[limit] = value;
  }
  return result;
}

std::string WebText(const TensorType& type) {
  std::string sizes;
  for (const Dim& size : type.shape) sizes += (sizes.empty() ? "" : ",") + Print(size);
  return std::string(WebName(type.dtype)) + "[" + sizes + "]";
}

std::string WebText(const graph::ListPort& list) {
  const char* kind = list.kind == graph::ListPort::Kind::kSequence   ? "a sequence of "
                     : list.kind == graph::ListPort::Kind::kOptional ? "an optional "
                                                                     : "an optional sequence of ";
  if (!list.shape) return kind + std::string(WebName(list.dtype)) + "[...]";
  return kind + WebText(TensorType{list.dtype, *list.shape});
}

std::optional<std::string> ListBeside(const std::string& port, const ModelContents& model) {
  for (const auto& [name, list] : model.lists) {
    for (std::string_view part : {graph::kListShapes, graph::kListThere}) {
      if (port == name + std::string(part)) return name;
    }
  }
  return std::nullopt;
}

std::string_view KindName(graph::ListPort::Kind kind) {
  static constexpr std::string_view kNames[] = {"sequence", "optional", "optional sequence"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace webnnc::bundle
