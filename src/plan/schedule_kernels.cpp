#include "plan/schedule_kernels.h"

#include <set>

#include "lower/lower_kernel.h"
#include "plan/equal_version.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/key.h"
#include "schedule/nest.h"
#include "schedule/pack.h"

namespace webnnc::plan {

std::string MisfitWarning(const Target& target, const Kernel& kernel, const LikelySizes& sizes,
                          const Error& reason) {
  return "--schedules: the schedule for " + Name(target) + " " +
         Quote(schedule::KeyOf(kernel.plain, sizes)) + " does not fit its kernel, " +
         schedule::TitleOf(kernel.plain) + ": " + reason.message +
         "; the compiler's own is taken instead";
}

static Status Apply(Kernel& kernel, const schedule::Schedule& schedule,
                    const lower::Options& options) {
  TRY_ASSIGN(auto lowered, lower::LowerKernel(kernel.plain, schedule, options));
  kernel.schedule = std::move(lowered.schedule);
  kernel.flat = std::move(lowered.flat);
  return kSuccess;
}

// A version for runs in which nothing broadcasts; without one the kernel is as right.
static void AddVersion(Kernel& kernel, const lower::Options& options, const LikelySizes& sizes) {
  std::optional<EqualVersion> version = VersionOf(kernel.plain, sizes, *options.target.machine);
  if (!version) return;
  Kernel equal{version->plain, {}, {}};
  // It reads the same weights.
  schedule::Schedule own =
      schedule::PackedLike(schedule::Choose(equal.plain, options.target, sizes), kernel.schedule);
  if (Apply(equal, own, options)) AddVersion(kernel.flat, *version, equal.flat);
}

Status ScheduleKernels(Program& program, Place place, const schedule::Database& measured,
                       const LikelySizes& sizes, const Warn& warn) {
  const Target target = program.TargetAt(place);
  std::set<KernelId> done;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (!launch || launch->place != place || done.count(launch->kernel)) continue;
    Kernel& kernel = program.KernelsAt(place)[launch->kernel];
    lower::Options options{.target = target,
                           .parameters = ParametersOf(program, launch->kernel, place)};
    const schedule::Schedule* found = measured.Find(Name(target), kernel.plain, sizes);
    Status applied = found ? Apply(kernel, *found, options) : kSuccess;
    if (!applied) warn(MisfitWarning(target, kernel, sizes, applied.error()));
    if (!found || !applied)
      applied = Apply(kernel, schedule::Choose(kernel.plain, target, sizes), options);
    // Loops as they are fit every kernel but those of several stages that share too little: then
    // what flows between the stages is in buffers.
    if (!applied) applied = Apply(kernel, {}, options);
    options.spills = !applied && !HasSeveralParts(kernel.plain);
    if (options.spills)
      applied = Apply(kernel, schedule::Choose(kernel.plain, target, sizes), options);
    if (applied) {
      AddVersion(kernel, options, sizes);
      done.insert(launch->kernel);
      continue;
    }
    if (!HasSeveralParts(kernel.plain))
      return Error{"@" + kernel.plain.name + ": " + applied.error().message};
    SplitStages(program, s);
    --s;
  }
  // Drops the kernels that were cut up.
  MergeKernels(program);
  return kSuccess;
}

Status ScheduleUnpacked(Program& program, KernelId id, const LikelySizes& sizes) {
  Kernel& kernel = program.kernels[id];
  const lower::Options options{.target = program.target, .parameters = ParametersOf(program, id)};
  Error reason{"no rule fits"};
  constexpr size_t kAll = SIZE_MAX;
  for (const schedule::Candidate& candidate :
       schedule::Candidates(kernel.plain, program.target, sizes, {kAll, 0})) {
    if (schedule::Packs(candidate.schedule)) continue;
    Status applied = Apply(kernel, candidate.schedule, options);
    if (applied) {
      AddVersion(kernel, options, sizes);
      return applied;
    }
    reason = applied.error();
  }
  return Error{"@" + kernel.plain.name + ": " + reason.message};
}

Result<lower::Lowered> LowerForCpu(const Program& program, KernelId id,
                                   const schedule::Schedule& schedule) {
  return lower::LowerKernel(program.kernels[id].plain, schedule,
                            {.target = program.target, .parameters = ParametersOf(program, id)});
}

}  // namespace webnnc::plan
