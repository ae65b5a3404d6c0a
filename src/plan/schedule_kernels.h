#pragma once

#include "base/result.h"
#include "plan/program.h"
#include "schedule/rules/cpu_target.h"

namespace webnnc::plan {

// Gives every kernel of a formed program its schedule, applies it and makes the kernel flat.
Status ScheduleKernels(Program& program, const schedule::CpuTarget& target);

}  // namespace webnnc::plan
