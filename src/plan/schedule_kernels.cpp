#include "plan/schedule_kernels.h"

#include "loop/passes/flatten.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/verify.h"
#include "schedule/choose.h"

namespace webnnc::plan {

Status ScheduleKernels(Program& program, const schedule::CpuTarget& target) {
  for (Kernel& kernel : program.kernels) {
    kernel.schedule = schedule::ChooseForCpu(kernel.plain, target);
    TRY_ASSIGN(kernel.flat, schedule::Apply(kernel.plain, kernel.schedule));
    loop::Flatten(kernel.flat);
    loop::Vectorize(kernel.flat);
    loop::Unroll(kernel.flat);
    loop::PromoteHalf(kernel.flat);
    loop::Simplify(kernel.flat);
    TRY(loop::VerifyFlat(kernel.flat));
  }
  return kSuccess;
}

}  // namespace webnnc::plan
