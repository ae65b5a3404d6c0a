#include "plan/schedule_kernels.h"

#include "loop/passes/flatten.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/verify.h"
#include "schedule/choose.h"

namespace webnnc::plan {

std::string NameOf(const schedule::CpuTarget& target) {
  return target.relaxed ? "wasm-relaxed" : "wasm";
}

Error MisfitError(const std::string& target, const Kernel& kernel, const Error& reason) {
  return Error{"--schedules: the schedule for " + target + " " +
               Quote(schedule::KeyOf(kernel.plain)) +
               " does not fit its kernel: " + reason.message};
}

static Status Apply(Kernel& kernel) {
  TRY_ASSIGN(kernel.flat, schedule::Apply(kernel.plain, kernel.schedule));
  loop::Flatten(kernel.flat);
  loop::Vectorize(kernel.flat);
  loop::Unroll(kernel.flat);
  loop::PromoteHalf(kernel.flat);
  loop::Simplify(kernel.flat);
  return loop::VerifyFlat(kernel.flat);
}

Status ScheduleKernels(Program& program, const schedule::CpuTarget& target,
                       const schedule::Database& measured) {
  for (Kernel& kernel : program.kernels) {
    const schedule::Schedule* found = measured.Find(NameOf(target), kernel.plain);
    kernel.schedule = found ? *found : schedule::ChooseForCpu(kernel.plain, target);
    Status applied = Apply(kernel);
    if (!applied && found) return MisfitError(NameOf(target), kernel, applied.error());
    TRY(std::move(applied));
  }
  return kSuccess;
}

}  // namespace webnnc::plan
