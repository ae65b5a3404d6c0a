#include "compile/threads.h"

#include "compile/expensive.h"

namespace webnnc {

// About a millisecond of one thread's: workers take 50 times that to start.
static constexpr double kLeastOperations = 32e6;

bool IsWorthThreads(const Code& code) {
  double operations = 0;
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      if (variant.target().IsGpu() || !variant.target().features.empty()) continue;
      for (const ExpensiveKernel& kernel : ExpensiveKernels(model, variant))
        operations += static_cast<double>(kernel.launches) * kernel.operations;
    }
  }
  return operations >= kLeastOperations;
}

}  // namespace webnnc
