// What a model's .wasm is made of.
#pragma once

#include <string>
#include <vector>

#include "graph/passes/check_indices.h"
#include "plan/variant.h"

namespace webnnc::wasm {

struct ModelInput {
  plan::ModuleVariants variants;
  const IdVector<plan::WeightTag, plan::Weight>* weights = nullptr;
  // The size of the weights file, and the hash of what is behind its header.
  int64_t weights_bytes = 0;
  uint64_t weights_id = 0;
  // What elements of inputs may be.
  std::vector<graph::InputRange> ranges = {};
  // Sizes that may not be negative: a run with others is refused (abi::kSizeOutOfRange).
  std::vector<Dim> not_negative = {};
  // Of several models in a module: what it is called, and what its symbols end with, ".0".
  std::string key = {}, suffix = {};

  // The kernels that are wasm beside those of the CPU's program: hosts' of programs for GPUs.
  std::vector<const plan::Kernel*> HostKernels() const;
};

}  // namespace webnnc::wasm
