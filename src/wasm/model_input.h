// What a model's .wasm is made of.
#pragma once

#include <vector>

#include "graph/passes/check_indices.h"
#include "plan/program.h"

namespace webnnc::wasm {

// How a GPU kernel is launched.
struct Launch {
  Dim x = 1, y = 1, z = 1;
  // What its uniform buffer holds.
  std::vector<Dim> sizes;

  // The length of that buffer, which holds vectors of four.
  int64_t uniform_bytes() const { return static_cast<int64_t>((sizes.size() + 3) / 4 * 16); }
};

struct GpuProgram {
  const plan::Program* program = nullptr;
  // One a kernel.
  std::vector<Launch> launches;
};

struct ModelInput {
  const plan::Program* cpu = nullptr;  // may be absent
  std::vector<GpuProgram> gpu;         // one a set of features, best first
  const IdVector<plan::WeightTag, plan::Weight>* weights = nullptr;
  // The size of the weights file, and the hash of what is behind its header.
  int64_t weights_bytes = 0;
  uint64_t weights_id = 0;
  // What elements of inputs may be.
  std::vector<graph::InputRange> ranges = {};
  // Sizes that may not be negative: a run with others is refused (abi::kSizeOutOfRange).
  std::vector<Dim> not_negative = {};

  // Any of the programs: their ports are the same.
  const plan::Program& any() const { return cpu ? *cpu : *gpu.at(0).program; }
};

}  // namespace webnnc::wasm
