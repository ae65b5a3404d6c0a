#include "plan/schedule_kernels.h"

#include <set>

#include "loop/passes/flatten.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/verify.h"
#include "plan/equal_sizes.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/bound_sums.h"
#include "schedule/choose.h"
#include "schedule/key.h"
#include "schedule/nest.h"

namespace webnnc::plan {

std::string NameOf(const schedule::CpuTarget& target) {
  return target.relaxed ? "wasm-relaxed" : "wasm";
}

std::string MisfitWarning(const std::string& target, const Kernel& kernel, const LikelySizes& sizes,
                          const Error& reason) {
  return "--schedules: the schedule for " + target + " " +
         Quote(schedule::KeyOf(kernel.plain, sizes)) + " does not fit its kernel, " +
         schedule::TitleOf(kernel.plain) + ": " + reason.message +
         "; the compiler's own is taken instead";
}

static Status Apply(Kernel& kernel, schedule::Schedule schedule) {
  schedule::BoundSums(kernel.plain, schedule);
  TRY_ASSIGN(kernel.flat, schedule::Apply(kernel.plain, schedule));
  kernel.schedule = std::move(schedule);
  loop::Flatten(kernel.flat);
  loop::Vectorize(kernel.flat);
  loop::Unroll(kernel.flat);
  loop::PromoteHalf(kernel.flat);
  loop::Simplify(kernel.flat);
  return loop::VerifyFlat(kernel.flat);
}

// A version for runs in which nothing broadcasts; without one the kernel is as right.
static void AddVersion(Kernel& kernel, const schedule::CpuTarget& target,
                       const LikelySizes& sizes) {
  std::optional<EqualSizes> version = WithEqualSizes(kernel.plain, sizes);
  if (!version) return;
  Kernel equal{version->plain, {}, {}};
  if (Apply(equal, schedule::ChooseForCpu(equal.plain, target, sizes)))
    AddVersion(kernel.flat, *version, equal.flat);
}

Status ScheduleKernels(Program& program, const schedule::CpuTarget& target,
                       const schedule::Database& measured, const LikelySizes& sizes,
                       const Warn& warn) {
  std::set<KernelId> done;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    if (done.count(program.steps[s].kernel)) continue;
    Kernel& kernel = program.kernels[program.steps[s].kernel];
    const schedule::Schedule* found = measured.Find(NameOf(target), kernel.plain, sizes);
    Status applied = found ? Apply(kernel, *found) : kSuccess;
    if (!applied) warn(MisfitWarning(NameOf(target), kernel, sizes, applied.error()));
    if (!found || !applied)
      applied = Apply(kernel, schedule::ChooseForCpu(kernel.plain, target, sizes));
    // Loops as they are fit every kernel but those of several stages that share too little: then
    // what flows between the stages is in buffers.
    if (!applied) applied = Apply(kernel, {});
    if (applied) {
      AddVersion(kernel, target, sizes);
      done.insert(program.steps[s].kernel);
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

}  // namespace webnnc::plan
