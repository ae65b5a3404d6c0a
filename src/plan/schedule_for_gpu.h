#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "lower/lower_kernel.h"
#include "plan/program.h"
#include "plan/schedule_kernels.h"
#include "schedule/database.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Gives every kernel of a GPU program its schedule for its machine and brings it into the form that
// spirv::Emit takes. Steps whose stages cannot run in one dispatch become several. `narrowed` is
// given the nodes that compute 64-bit integers in 32 bits although the result may be too large for
// that. A schedule of `measured` for this machine goes before the compiler's own; one that does
// not fit is warned of.
Status ScheduleForGpu(Program& program, const schedule::Database& measured,
                      const LikelySizes& sizes, std::set<std::string>& narrowed, const Warn& warn);

// A kernel of a program that is scheduled, as it would be with another schedule. Fails if that does
// not fit.
Result<lower::Lowered> LowerForGpu(const Program& program, KernelId kernel,
                                   const schedule::Schedule& schedule);

}  // namespace webnnc::plan
