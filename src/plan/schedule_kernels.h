#pragma once

#include <string>

#include "base/result.h"
#include "plan/program.h"
#include "schedule/database.h"
#include "schedule/rules/cpu_target.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// What measured schedules call the target: "wasm" or "wasm-relaxed".
std::string NameOf(const schedule::CpuTarget& target);

// What to say about a measured schedule that cannot be applied to the kernel that it was found for.
Error MisfitError(const std::string& target, const Kernel& kernel, const Error& reason);

// Gives every kernel of a formed program its schedule, applies it and makes the kernel flat. A
// schedule of `measured` goes before the compiler's own; an error if it does not fit its kernel.
Status ScheduleKernels(Program& program, const schedule::CpuTarget& target,
                       const schedule::Database& measured, const LikelySizes& sizes);

}  // namespace webnnc::plan
