#include "plan/program.h"

#include "loop/passes/legalize_for_gpu.h"

namespace webnnc::plan {

std::string_view Name(Target target) { return target == Target::kWebGpu ? "webgpu" : "wasm"; }

// On WebGPU every element but a weight's is one of 32 bits (loop::LegalizeForGpu).
static int64_t StoredBytes(const Program& program, const Buffer& buffer) {
  if (program.target != Target::kWebGpu || buffer.kind == BufferKind::kWeight)
    return ByteSize(buffer.dtype);
  return ByteSize(loop::CarriedType(buffer.dtype, program.half));
}

std::vector<std::string> OriginsOf(const Program& program, KernelId kernel) {
  std::vector<std::string> origins;
  for (const Step& step : program.steps) {
    if (step.kernel == kernel)
      origins.insert(origins.end(), step.origins.begin(), step.origins.end());
  }
  return origins;
}

Dim ByteSize(const Program& program, const Buffer& buffer) {
  return buffer.elements * StoredBytes(program, buffer);
}

std::string Print(const Program& program) {
  static constexpr std::string_view kKinds[] = {"input", "output", "weight", "activation"};
  auto name = [&](BufferId id) { return "%" + QuoteName(program.buffers[id].name); };
  std::string out =
      "program @" + QuoteName(program.name) + " on " + std::string(Name(program.target)) + " {\n";
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const Buffer& buffer = program.buffers[BufferId{b}];
    out += "  " + std::string(kKinds[static_cast<int>(buffer.kind)]) + " " + name(BufferId{b}) +
           ": " + std::string(webnnc::Name(buffer.dtype)) + "[" + webnnc::Print(buffer.elements) +
           "]";

    out += "\n";
  }
  for (const Step& step : program.steps) {
    out += "  run @" + QuoteName(program.kernels[step.kernel].plain.name) + "(";
    for (size_t i = 0; i < step.arguments.size(); ++i)
      out += (i ? ", " : "") + name(step.arguments[i]);
    out += ")\n";
  }
  return out + "}\n";
}

}  // namespace webnnc::plan
