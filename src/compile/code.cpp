#include "compile/code.h"

#include "schedule/key.h"

namespace webnnc {

schedule::Database SchedulesOf(const Code& code) {
  schedule::Database database;
  for (const plan::Variant& variant : code.variants) {
    for (const plan::Kernel& kernel : variant.program.kernels)
      database.Add(variant.name(), schedule::KeyOf(kernel.plain, code.likely), kernel.schedule,
                   schedule::TitleOf(kernel.plain));
  }
  return database;
}

wasm::ModelInput WasmInput(const Code& code, FeatureSet features,
                           const bundle::WeightsFile& weights) {
  wasm::ModelInput input{code.Module(features), &code.weights, weights.bytes, weights.id};
  input.ranges = code.indices.ranges;
  for (const Assumption& assumption : code.assumptions) {
    for (Dim& size : NotNegativeIf(assumption)) input.not_negative.push_back(std::move(size));
  }
  return input;
}

bundle::Contents BundleContents(const Code& code, const std::string& name) {
  bundle::Contents contents{name, code.Module(), &code.weights, {}};
  for (const Assumption& assumption : code.assumptions)
    contents.assumptions.push_back(Describe(assumption));
  contents.likely = code.likely;
  contents.indices = code.indices;
  return contents;
}

}  // namespace webnnc
