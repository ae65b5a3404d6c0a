// What a model's .wasm is made of.
#pragma once

#include <vector>

#include "plan/program.h"

namespace webnnc::wasm {

// How a GPU kernel is launched.
struct Launch {
  Dim x = 1, y = 1, z = 1;
  // What its uniform buffer holds.
  std::vector<Dim> sizes;
};

struct ModelInput {
  // Either may be absent; what is absent has no steps.
  const plan::Program* cpu = nullptr;
  const plan::Program* gpu = nullptr;
  const IdVector<plan::WeightTag, plan::Weight>* weights = nullptr;
  // One a kernel of `gpu`.
  std::vector<Launch> launches;
};

}  // namespace webnnc::wasm
