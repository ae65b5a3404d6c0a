// Which kernels of a program take most of a run, as far as that can be told beforehand.
#pragma once

#include <vector>

#include "compile/code.h"

namespace webnnc {

struct ExpensiveKernel {
  const Model* model;
  const plan::Program* program;
  plan::KernelId id;
  int launches = 0;
  // Of one launch, for likely sizes.
  double operations = 0, bytes = 0;

  const plan::Kernel& get() const { return program->kernels[id]; }
  // Seconds of all launches: arithmetic, memory and the launches, on the target's machine.
  double Cost() const;
};

// All kernels that the device runs, most expensive first.
std::vector<ExpensiveKernel> ExpensiveKernels(const Model& model, const plan::Variant& variant);

}  // namespace webnnc
