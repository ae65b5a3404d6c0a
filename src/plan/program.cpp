#include "plan/program.h"

namespace webnnc::plan {

std::vector<std::string> OriginsOf(const Program& program, KernelId kernel) {
  std::vector<std::string> origins;
  for (const Step& step : program.steps) {
    if (step.kernel == kernel)
      origins.insert(origins.end(), step.origins.begin(), step.origins.end());
  }
  return origins;
}

Storage StorageOf(const Buffer& buffer) {
  switch (buffer.kind) {
    case BufferKind::kWeight: return Storage::kWeight;
    case BufferKind::kActivation: return Storage::kActivation;
    default: return Storage::kPort;
  }
}

std::vector<Storage> ParametersOf(const Program& program, KernelId kernel) {
  std::vector<Storage> parameters;
  for (const Step& step : program.steps) {
    if (step.kernel != kernel) continue;
    for (BufferId argument : step.arguments)
      parameters.push_back(StorageOf(program.buffers[argument]));
    break;
  }
  return parameters;
}

Dim ByteSize(const Program& program, const Buffer& buffer) {
  return buffer.elements *
         webnnc::ByteSize(StoredType(program.target, buffer.dtype, StorageOf(buffer)));
}

std::string Print(const Program& program) {
  static constexpr std::string_view kKinds[] = {"input", "output", "weight", "activation"};
  auto name = [&](BufferId id) { return "%" + QuoteName(program.buffers[id].name); };
  std::string out = "program @" + QuoteName(program.name) + " on " +
                    std::string(Name(program.target.kind)) + " {\n";
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
