#include "compile/code.h"

#include "schedule/key.h"

namespace webnnc {

schedule::Database SchedulesOf(const Code& code) {
  schedule::Database database;
  auto add = [&](const plan::Program& program) {
    for (const plan::Kernel& kernel : program.kernels)
      database.Add(Name(program.target), schedule::KeyOf(kernel.plain, code.likely),
                   kernel.schedule, schedule::TitleOf(kernel.plain));
  };
  if (code.cpu) add(*code.cpu);
  if (code.relaxed) add(*code.relaxed);
  for (const GpuCode& gpu : code.gpu) add(gpu.program);
  return database;
}

wasm::ModelInput WasmInput(const Code& code, const std::optional<plan::Program>& cpu,
                           const bundle::WeightsFile& weights) {
  wasm::ModelInput input{cpu ? &*cpu : nullptr, {}, &code.weights, weights.bytes, weights.id};
  input.ranges = code.indices.ranges;
  for (const GpuCode& gpu : code.gpu) input.gpu.push_back({&gpu.program, gpu.launches});
  for (const Assumption& assumption : code.assumptions) {
    for (Dim& size : NotNegativeIf(assumption)) input.not_negative.push_back(std::move(size));
  }
  return input;
}

bundle::Contents BundleContents(const Code& code, const std::string& name) {
  bundle::Contents contents{name, code.cpu ? &*code.cpu : nullptr, {}, &code.weights, {}};
  for (const Assumption& assumption : code.assumptions)
    contents.assumptions.push_back(Describe(assumption));
  contents.likely = code.likely;
  contents.indices = code.indices;
  for (const GpuCode& gpu : code.gpu) contents.gpu.push_back({&gpu.program, gpu.shaders});
  return contents;
}

}  // namespace webnnc
