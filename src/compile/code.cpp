#include "compile/code.h"

#include "plan/schedule_kernels.h"

namespace webnnc {

static void AddSchedules(const std::string& target, const plan::Program& program,
                         schedule::Database& database) {
  for (const plan::Kernel& kernel : program.kernels)
    database.Add(target, schedule::KeyOf(kernel.plain), kernel.schedule);
}

schedule::Database SchedulesOf(const Code& code, const std::string& device) {
  schedule::Database database;
  if (code.cpu) AddSchedules(plan::NameOf({.relaxed = false}), *code.cpu, database);
  if (code.relaxed) AddSchedules(plan::NameOf({.relaxed = true}), *code.relaxed, database);
  for (const GpuCode& gpu : code.gpu) AddSchedules(device, gpu.program, database);
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
  for (const GpuCode& gpu : code.gpu) contents.gpu.push_back({&gpu.program, gpu.half, gpu.shaders});
  return contents;
}

}  // namespace webnnc
