#include "compile/dispatches.h"

#include <algorithm>
#include <array>

#include "plan/memory.h"

namespace webnnc {

namespace {

using Weights = IdVector<plan::WeightTag, plan::Weight>;

bool HasKnownSizes(const plan::Variant& variant) {
  const plan::Program& program = variant.program;
  for (const plan::Buffer& buffer : program.buffers) {
    if (!buffer.elements.IsConstant() || buffer.kind == plan::BufferKind::kState) return false;
  }
  return std::all_of(variant.shaders.begin(), variant.shaders.end(),
                     [](const plan::Shader& shader) { return shader.grid.sizes.empty(); });
}

std::string PrintBuffers(const plan::Program& program, const Weights& weights) {
  plan::MemoryPlan memory = plan::PlanMemory(program, {});
  std::string out = "arena " + std::to_string(memory.bytes) + "\n";
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const plan::Buffer& buffer = program.buffers[plan::BufferId{b}];
    bool is_weight = buffer.kind == plan::BufferKind::kWeight;
    int64_t offset =
        is_weight ? weights[buffer.weight].offset : memory.offsets[static_cast<size_t>(b)];
    out += std::string("buffer ") + (is_weight ? "weights " : "arena ") + std::to_string(offset) +
           " " + std::to_string(ByteSize(program, buffer).value()) + " " + buffer.name + "\n";
  }
  return out;
}

std::string PrintPorts(const std::string& kind, const std::vector<plan::Port>& ports,
                       const plan::Program& program) {
  std::string out;
  for (const plan::Port& port : ports) {
    const plan::Buffer& buffer = program.buffers[port.buffer];
    out += kind + " " + std::to_string(port.buffer.index) + " " + std::string(Name(buffer.dtype)) +
           " " + std::to_string(buffer.elements.value()) + " " + port.name + "\n";
  }
  return out;
}

std::string PrintShader(const plan::Shader& shader, const std::string& name) {
  std::string out = "shader " + std::to_string(shader.workgroup_size) + " " + shader.bindings + " ";
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (uint32_t word : shader.spirv) {
    for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[word >> shift & 15];
  }
  return out + " " + name + "\n";
}

std::string PrintDispatch(const plan::Launch& launch, const plan::Shader& shader) {
  std::string out = "dispatch " + std::to_string(launch.kernel.index);
  for (const Dim& size : {shader.grid.x, shader.grid.y, shader.grid.z})
    out += " " + std::to_string(size.value());
  for (plan::BufferId buffer : launch.arguments) out += " " + std::to_string(buffer.index);
  return out + "\n";
}

std::string PrintProgram(const plan::Variant& variant, const Weights& weights) {
  const plan::Program& program = variant.program;
  std::string out = "program " + variant.name() + " " + program.name + "\n";
  out += PrintBuffers(program, weights);
  out += PrintPorts("input", program.inputs, program);
  out += PrintPorts("output", program.outputs, program);
  for (int32_t k = 0; k < program.kernels.size(); ++k) {
    out += PrintShader(variant.shaders[static_cast<size_t>(k)],
                       program.kernels[plan::KernelId{k}].plain.name);
  }
  for (const plan::Launch* launch : LaunchesOf(program))
    out += PrintDispatch(*launch, variant.shaders[static_cast<size_t>(launch->kernel.index)]);
  return out + "end\n";
}

}  // namespace

std::string PrintDispatches(const Model& model, const Weights& weights) {
  std::string out;
  for (const plan::Variant& variant : model.variants) {
    if (!variant.target().IsGpu()) continue;
    if (IsStraight(variant.program) && HasKnownSizes(variant))
      out += PrintProgram(variant, weights);
    else
      out += "; " + variant.name() + ": sizes are open, or steps do not run once each\n";
  }
  return out;
}

}  // namespace webnnc
