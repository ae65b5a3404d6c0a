#include "compile/alternatives.h"

#include <algorithm>

#include "base/parallel.h"
#include "compile/expensive.h"
#include "compile/shaders.h"
#include "plan/schedule_for_gpu.h"
#include "schedule/choose.h"
#include "schedule/pack.h"

namespace webnnc {

namespace {

// A page measures them in a second or two when it is first opened.
constexpr size_t kMostKernels = 10, kMostShaders = 4;

std::vector<schedule::Schedule> OthersOf(const ExpensiveKernel& kernel,
                                         const schedule::Database& measured) {
  const plan::Program& program = *kernel.program;
  const loop::Kernel& plain = program.kernels[kernel.id].plain;
  std::vector<schedule::Schedule> others;
  for (const schedule::Schedule* found :
       measured.FindMeasured(Name(program.target), plain, kernel.model->likely))
    others.push_back(*found);
  if (!others.empty()) return others;
  schedule::Sample sample{2 * kMostShaders, 0};
  for (schedule::Candidate& own :
       schedule::Candidates(plain, program.target, kernel.model->likely, sample))
    others.push_back(std::move(own.schedule));
  return others;
}

// The one in use, and those that differ from it.
plan::Alternatives AlternativesOf(const ExpensiveKernel& kernel, const plan::Shader& own,
                                  const schedule::Database& measured, bool many_names) {
  const plan::Program& program = *kernel.program;
  plan::Alternatives alternatives{kernel.id, {own}};
  std::vector<plan::Shader>& shaders = alternatives.shaders;
  for (const schedule::Schedule& other : OthersOf(kernel, measured)) {
    if (shaders.size() == kMostShaders) break;
    // All of them read the same weights.
    auto lowered =
        plan::LowerForGpu(program, kernel.id, schedule::PackedLike(other, kernel.get().schedule));
    if (!lowered) continue;
    auto shader = EmitShader(lowered.value().flat, plan::ParametersOf(program, kernel.id),
                             program.target, many_names);
    if (!shader) continue;
    bool is_new = std::all_of(shaders.begin(), shaders.end(), [&](const plan::Shader& known) {
      return known.wgsl != shader.value().wgsl;
    });
    if (is_new) shaders.push_back(std::move(shader.value()));
  }
  return alternatives;
}

}  // namespace

void AddAlternatives(Code& code, const schedule::Database& measured) {
  const bool many_names = code.HasManyNames();
  for (Model& model : code.models) {
    for (plan::Variant& variant : model.variants) {
      // Pages walk through programs that do more by themselves.
      if (!variant.target().IsGpu() || !IsStraight(variant.program)) continue;
      std::vector<ExpensiveKernel> kernels = ExpensiveKernels(model, variant);
      std::erase_if(kernels, [](const ExpensiveKernel& k) { return !k.get().parts.empty(); });
      kernels.resize(std::min(kernels.size(), kMostKernels));
      std::vector<plan::Alternatives> all(kernels.size());
      InParallel(kernels.size(), [&](size_t k) {
        const plan::Shader& own = variant.shaders[static_cast<size_t>(kernels[k].id.index)];
        all[k] = AlternativesOf(kernels[k], own, measured, many_names);
      });
      for (plan::Alternatives& each : all) {
        if (each.shaders.size() > 1) variant.alternatives.push_back(std::move(each));
      }
    }
  }
}

}  // namespace webnnc
