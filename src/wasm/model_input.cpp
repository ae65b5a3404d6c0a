#include "wasm/model_input.h"

#include <algorithm>

namespace webnnc::wasm {

bool ModelInput::HasCommands() const {
  auto all = variants.all();
  return std::any_of(all.begin(), all.end(),
                     [](const plan::Variant* variant) { return !IsStraight(variant->program); });
}

std::vector<const plan::Kernel*> ModelInput::HostKernels() const {
  std::vector<const plan::Kernel*> kernels;
  for (const plan::Variant* gpu : variants.gpu()) {
    for (const plan::Kernel& kernel : gpu->program.host_kernels) kernels.push_back(&kernel);
  }
  return kernels;
}

}  // namespace webnnc::wasm
