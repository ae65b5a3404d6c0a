#include "compile/expensive.h"

#include <algorithm>
#include <map>

#include "plan/work.h"

namespace webnnc {

double ExpensiveKernel::Cost() const {
  const Machine& machine = *program->target.machine;
  return launches * (machine.launch + plan::LeastSeconds(operations, bytes, machine));
}

std::vector<ExpensiveKernel> ExpensiveKernels(const Model& model, const plan::Variant& variant) {
  const plan::Program& program = variant.program;
  std::vector<ExpensiveKernel> kernels;
  std::map<int32_t, size_t> known;
  for (const plan::Launch* launch : LaunchesOf(program, plan::Place::kDevice)) {
    auto [found, is_new] = known.emplace(launch->kernel.index, kernels.size());
    if (is_new) {
      const loop::Kernel& plain = program.kernels[launch->kernel].plain;
      Dim bytes = plan::BytesMoved(program, *launch, plan::ElementsTouched(plain));
      kernels.push_back({&model, &program, launch->kernel, 0,
                         model.likely.Typical(plan::Operations(plain)),
                         model.likely.Typical(bytes)});
    }
    kernels[found->second].launches++;
  }
  std::stable_sort(
      kernels.begin(), kernels.end(),
      [](const ExpensiveKernel& a, const ExpensiveKernel& b) { return a.Cost() > b.Cost(); });
  return kernels;
}

}  // namespace webnnc
