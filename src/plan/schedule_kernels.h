#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "lower/lower_kernel.h"
#include "plan/program.h"
#include "schedule/database.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

using Warn = std::function<void(const std::string&)>;

// What to say about a measured schedule that cannot be applied to the kernel that it was found for.
std::string MisfitWarning(const Target& target, const Kernel& kernel, const LikelySizes& sizes,
                          const Error& reason);

// Gives every kernel that a formed program has for the CPU, at this place, its schedule, applies it
// and makes the kernel flat. A
// schedule of `measured` goes before the compiler's own; one that does not fit is warned of.
Status ScheduleKernels(Program& program, Place place, const schedule::Database& measured,
                       const LikelySizes& sizes, const Warn& warn);

// Gives a kernel of the device that is scheduled the best schedule that leaves weights in the
// panels that they are in.
Status ScheduleUnpacked(Program& program, KernelId kernel, const LikelySizes& sizes);

// A kernel of a program for the CPU that is scheduled, as it would be with another schedule. Fails
// if that does not fit.
Result<lower::Lowered> LowerForCpu(const Program& program, KernelId kernel,
                                   const schedule::Schedule& schedule);

}  // namespace webnnc::plan
