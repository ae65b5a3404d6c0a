// The model as the pipeline carries it after the graph: its variants, and what they share.
#pragma once

#include <vector>

#include "bundle/contents.h"
#include "graph/passes/check_indices.h"
#include "plan/variant.h"
#include "schedule/database.h"
#include "tensor/assumption.h"
#include "tensor/likely_sizes.h"
#include "wasm/model_input.h"

namespace webnnc {

struct Code {
  // In the order of plan::kVariants.
  std::vector<plan::Variant> variants;
  // What sizes must be in a run.
  std::vector<Assumption> assumptions;
  // What sizes are likely to be.
  LikelySizes likely;
  // What elements of inputs must be.
  graph::IndexChecks indices;
  // What the programs read, shared by all.
  IdVector<plan::WeightTag, plan::Weight> weights;

  // Those of a module: the one that every engine runs, or another.
  plan::ModuleVariants Module(FeatureSet features = {}) const { return {variants, features}; }
  // The programs of the module that every engine runs, in the order of abi::Model::programs.
  std::vector<const plan::Program*> programs() const {
    std::vector<const plan::Program*> programs;
    plan::ModuleVariants module = Module();
    for (const plan::Variant* variant : module.all()) programs.push_back(&variant->program);
    return programs;
  }
};

// The schedules of all kernels.
schedule::Database SchedulesOf(const Code& code);

// Views of it that other layers take.
wasm::ModelInput WasmInput(const Code& code, FeatureSet features,
                           const bundle::WeightsFile& weights);
bundle::Contents BundleContents(const Code& code, const std::string& name);

}  // namespace webnnc
