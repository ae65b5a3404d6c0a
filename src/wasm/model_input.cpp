#include "wasm/model_input.h"

namespace webnnc::wasm {

std::vector<const plan::Kernel*> ModelInput::HostKernels() const {
  std::vector<const plan::Kernel*> kernels;
  for (const plan::Variant* gpu : variants.gpu()) {
    for (const plan::Kernel& kernel : gpu->program.host_kernels) kernels.push_back(&kernel);
  }
  return kernels;
}

}  // namespace webnnc::wasm
