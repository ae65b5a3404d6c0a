// What the pipeline carries: models, each from its file to its variants, and what they share.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bundle/contents.h"
#include "graph/evaluate.h"
#include "graph/graph.h"
#include "graph/passes/check_indices.h"
#include "graph/state.h"
#include "onnx/model.h"
#include "plan/variant.h"
#include "schedule/database.h"
#include "tensor/assumption.h"
#include "tensor/likely_sizes.h"
#include "wasm/compile.h"
#include "webnnc/compiler.h"

namespace webnnc {

struct Model {
  // What pages know it by where there are several.
  std::string key;
  // The flags that speak of it, as if it were compiled alone.
  CompileOptions options;
  onnx::Model file;

  graph::Graph graph;
  // What GPUs compute, if it is asked for.
  std::optional<graph::Graph> gpu_graph;
  // What CPUs compute that multiply bytes.
  std::optional<graph::Graph> dots_graph;
  // What may be computed of it while it is compiled.
  graph::EvaluationBudget budget;

  // What callers give and get.
  std::map<std::string, bundle::Picture> pictures;
  std::map<std::string, bundle::Labels> labels;
  std::map<std::string, bundle::Boxes> boxes;
  // What --quantize and --precision made of it.
  std::optional<bundle::Quantization> quantization;
  // What is kept from run to run.
  std::vector<graph::State> states;
  // What sizes must be in a run.
  std::vector<Assumption> assumptions;
  // What sizes are likely to be.
  LikelySizes likely;
  // What elements of inputs must be.
  graph::IndexChecks indices;

  // In the order of plan::kVariants.
  std::vector<plan::Variant> variants;

  const std::string& path() const { return options.models[0].path; }
  // What GPUs compute, or else the CPU.
  const graph::Graph& last_graph() const { return gpu_graph ? *gpu_graph : graph; }
  // Those of a module: the one that every engine runs, or another.
  plan::ModuleVariants Module(FeatureSet features = {}) const { return {variants, features}; }
  // The sizes that must not be negative in a run, by what is assumed.
  std::vector<Dim> NotNegative() const;
  // The programs of the module that every engine runs, in the order of abi::Model::programs.
  std::vector<const plan::Program*> programs() const;
};

struct Code {
  std::vector<Model> models;
  // What the programs read, shared by all.
  IdVector<plan::WeightTag, plan::Weight> weights;

  // Of all models, in order: those of the module that every engine runs, or all.
  std::vector<const plan::Program*> programs() const;
  std::vector<plan::Program*> all_programs();
  bundle::WeightReaders weight_readers() const;

  // Whether there are programs for CPUs that multiply bytes.
  bool HasDots() const { return models.front().dots_graph.has_value(); }
  // The features of the modules that there are programs for.
  std::vector<FeatureSet> Modules() const;

  // Whether the same size may have several names: in several models, or where runs define sizes.
  bool HasManyNames() const;
};

// The schedules of all kernels.
schedule::Database SchedulesOf(const Code& code);

// What `print` gives of each model. Of several, each is below its key in a comment.
std::string PrintEach(const Code& code, const std::string& comment,
                      const std::function<std::string(const Model&)>& print);

// Views of it that other layers take.
wasm::Build WasmBuild(const Code& code, FeatureSet features, const bundle::WeightsFile& weights);
bundle::Contents BundleContents(const Code& code, const std::string& name);
// Puts into it the programs of another of its modules.
void SetVariants(bundle::Contents& contents, const Code& code, FeatureSet features);

}  // namespace webnnc
