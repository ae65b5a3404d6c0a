// The model as the pipeline carries it after the graph: one program a target.
#pragma once

#include <optional>
#include <vector>

#include "bundle/contents.h"
#include "graph/passes/check_indices.h"
#include "plan/program.h"
#include "schedule/database.h"
#include "tensor/assumption.h"
#include "tensor/likely_sizes.h"
#include "wasm/model_input.h"

namespace webnnc {

// A program for GPUs and what becomes of its kernels, one each.
struct GpuCode {
  plan::Program program;
  std::vector<std::vector<uint32_t>> spirv;
  std::vector<wasm::Launch> launches;
  std::vector<bundle::Shader> shaders;
};

struct Code {
  // The program for the CPU, and the same with schedules for relaxed SIMD.
  std::optional<plan::Program> cpu, relaxed;
  // One a set of features, best first.
  std::vector<GpuCode> gpu;
  // What sizes must be in a run.
  std::vector<Assumption> assumptions;
  // What sizes are likely to be.
  LikelySizes likely;
  // What elements of inputs must be.
  graph::IndexChecks indices;
  // What the programs read, shared by all.
  IdVector<plan::WeightTag, plan::Weight> weights;

  // In the order of abi::Model::programs.
  std::vector<plan::Program*> programs() {
    std::vector<plan::Program*> all;
    for (GpuCode& code : gpu) all.push_back(&code.program);
    if (cpu) all.push_back(&*cpu);
    return all;
  }
  std::vector<const plan::Program*> programs() const {
    std::vector<const plan::Program*> all;
    for (const GpuCode& code : gpu) all.push_back(&code.program);
    if (cpu) all.push_back(&*cpu);
    return all;
  }
};

// The schedules of all kernels.
schedule::Database SchedulesOf(const Code& code);

// Views of it that other layers take.
wasm::ModelInput WasmInput(const Code& code, const std::optional<plan::Program>& cpu,
                           const bundle::WeightsFile& weights);
bundle::Contents BundleContents(const Code& code, const std::string& name);

}  // namespace webnnc
