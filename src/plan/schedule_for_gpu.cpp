#include "plan/schedule_for_gpu.h"

#include "lower/lower_kernel.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose_gpu.h"
#include "schedule/nest.h"

namespace webnnc::plan {

namespace {

Result<lower::Lowered> Apply(Kernel& kernel, const schedule::Schedule& schedule,
                             const lower::Options& options) {
  TRY_ASSIGN(auto lowered, lower::LowerKernel(kernel.plain, schedule, options));
  kernel.schedule = lowered.schedule;
  kernel.flat = lowered.flat;
  return lowered;
}

// The first of these schedules that fits.
Result<lower::Lowered> ApplyFirst(Kernel& kernel, const std::vector<schedule::Schedule>& schedules,
                                  const lower::Options& options) {
  Error reason{"no rule fits"};
  for (const schedule::Schedule& schedule : schedules) {
    auto applied = Apply(kernel, schedule, options);
    if (applied) return applied;
    reason = applied.error();
  }
  return reason;
}

}  // namespace

Status ScheduleForGpu(Program& program, const schedule::Database& measured,
                      const LikelySizes& sizes, std::set<std::string>& narrowed, const Warn& warn) {
  // Of tensors without elements nothing is to be computed.
  std::erase_if(program.steps, [&](const Step& step) {
    auto* launch = std::get_if<Launch>(&step);
    return launch && launch->place == Place::kDevice &&
           program.kernels[launch->kernel].plain.body.empty();
  });
  const Target& target = program.target;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (!launch || launch->place != Place::kDevice) continue;
    KernelId id = launch->kernel;
    Kernel& kernel = program.kernels[id];
    if (!kernel.flat.body.empty()) continue;
    lower::Options options{target, ParametersOf(program, id)};
    const schedule::Schedule* found = measured.Find(Name(target), kernel.plain, sizes);
    Result<lower::Lowered> applied = Error{"nothing was measured"};
    if (found) {
      applied = Apply(kernel, *found, options);
      if (!applied) warn(MisfitWarning(target, kernel, sizes, applied.error()));
    }
    if (!applied) {
      std::vector<schedule::Schedule> candidates =
          schedule::CandidatesForGpu(kernel.plain, target, sizes);
      applied = ApplyFirst(kernel, candidates, options);
      // What can be cut up is better cut up than slow.
      options.spills = !applied && !HasSeveralParts(kernel.plain);
      if (options.spills) applied = ApplyFirst(kernel, candidates, options);
    }
    if (applied) {
      if (!applied.value().narrows_64_bits) continue;
      for (const std::string& origin : OriginsOf(program, id)) narrowed.insert(origin);
      continue;
    }
    // In one dispatch it cannot be: then a dispatch a stage.
    if (!HasSeveralParts(kernel.plain))
      return Error{"@" + kernel.plain.name + ": " + applied.error().message};
    SplitStages(program, s);
    --s;
  }
  // Drops the kernels that were cut up.
  MergeKernels(program);
  return kSuccess;
}

}  // namespace webnnc::plan
