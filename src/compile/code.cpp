#include "compile/code.h"

#include "compile/models.h"
#include "schedule/key.h"

namespace webnnc {

std::vector<Dim> Model::NotNegative() const {
  std::vector<Dim> sizes;
  for (const Assumption& assumption : assumptions) {
    for (Dim& size : NotNegativeIf(assumption)) sizes.push_back(std::move(size));
  }
  return sizes;
}

std::vector<const plan::Program*> Model::programs() const {
  std::vector<const plan::Program*> programs;
  plan::ModuleVariants module = Module();
  for (const plan::Variant* variant : module.all()) programs.push_back(&variant->program);
  return programs;
}

std::vector<const plan::Program*> Code::programs() const {
  std::vector<const plan::Program*> programs;
  for (const Model& model : models) {
    for (const plan::Program* program : model.programs()) programs.push_back(program);
  }
  return programs;
}

bool Code::HasManyNames() const {
  return models.size() > 1 || models.front().Module().HaveCommands();
}

std::vector<plan::Program*> Code::all_programs() {
  std::vector<plan::Program*> programs;
  for (Model& model : models) {
    for (plan::Variant& variant : model.variants) programs.push_back(&variant.program);
  }
  return programs;
}

bundle::WeightReaders Code::weight_readers() const {
  bundle::WeightReaders readers;
  for (const Model& model : models) {
    std::vector<const plan::Program*> cpu;
    for (const plan::Variant& variant : model.variants) {
      if (variant.target().IsGpu()) {
        readers.push_back({&variant.program});
      } else {
        cpu.push_back(&variant.program);
      }
    }
    if (!cpu.empty()) readers.push_back(std::move(cpu));
  }
  return readers;
}

std::vector<FeatureSet> Code::Modules() const {
  std::vector<FeatureSet> modules = plan::Modules();
  if (!HasDots()) std::erase_if(modules, [](FeatureSet f) { return f.Has(Feature::kDots); });
  return modules;
}

schedule::Database SchedulesOf(const Code& code) {
  schedule::Database database;
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      auto add = [&](const plan::Kernel& kernel) {
        database.Add(variant.name(), schedule::KeyOf(kernel.plain, model.likely), kernel.schedule,
                     schedule::TitleOf(kernel.plain));
      };
      for (const plan::Kernel& kernel : variant.program.kernels) {
        if (kernel.parts.empty()) add(kernel);
        for (const plan::Kernel& part : kernel.parts) add(part);
      }
    }
  }
  return database;
}

std::string PrintEach(const Code& code, const std::string& comment,
                      const std::function<std::string(const Model&)>& print) {
  if (code.models.size() == 1) return print(code.models[0]);
  std::string out;
  for (const Model& model : code.models)
    out += (out.empty() ? "" : "\n") + comment + "==== " + model.key + "\n\n" + print(model);
  return out;
}

static wasm::ModelInput WasmInput(const Code& code, const Model& model, FeatureSet features,
                                  const bundle::WeightsFile& weights) {
  wasm::ModelInput input{model.Module(features), &code.weights, weights.bytes, weights.id};
  input.ranges = model.indices.ranges;
  input.not_negative = model.NotNegative();
  return input;
}

wasm::Build WasmBuild(const Code& code, FeatureSet features, const bundle::WeightsFile& weights) {
  wasm::Build build{{}, features};
  for (const Model& model : code.models) {
    wasm::ModelInput& input = build.models.emplace_back(WasmInput(code, model, features, weights));
    if (code.models.size() == 1) break;
    input.key = model.key;
    input.suffix = "." + std::to_string(build.models.size() - 1);
  }
  return build;
}

bundle::Contents BundleContents(const Code& code, const std::string& name) {
  bundle::Contents contents;
  contents.name = name;
  contents.weights = &code.weights;
  for (const Model& model : code.models) {
    bundle::ModelContents part;
    part.key = model.key;
    part.name = NameOf(model);
    part.variants = model.Module();
    for (const Assumption& assumption : model.assumptions)
      part.assumptions.push_back(Describe(assumption));
    part.likely = model.likely;
    part.indices = model.indices;
    part.states = model.states;
    part.lists = model.graph.lists;
    part.pictures = model.pictures;
    part.labels = model.labels;
    part.boxes = model.boxes;
    part.quantization = model.quantization;
    contents.models.push_back(std::move(part));
  }
  return contents;
}

void SetVariants(bundle::Contents& contents, const Code& code, FeatureSet features) {
  for (size_t m = 0; m < code.models.size(); ++m)
    contents.models[m].variants = code.models[m].Module(features);
}

}  // namespace webnnc
