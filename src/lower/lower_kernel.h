// From a plain kernel and its schedule to the flat kernel that a back end takes: the one list of
// what happens in between, for the pipeline, tests and tools alike.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "target/target.h"

namespace webnnc::lower {

// Is shown the kernel after each pass: "schedule", "flatten", "vectorize", ...
using Log = std::function<void(std::string_view pass, const loop::Kernel& kernel)>;

struct Options {
  Target target = {};
  // What the kernel's parameters are, in order. Those not listed are activations.
  std::vector<Storage> parameters = {};
  // Whether a thread may have more than registers hold: some of it is in memory then.
  bool spills = false;
  Log log = {};
};

struct Lowered {
  // As it was applied: with what keeps long sums right (schedule/bound_sums.h).
  schedule::Schedule schedule;
  loop::Kernel flat;
  // GpuLegalization::narrows_64_bits
  bool narrows_64_bits = false;
};

// Fails if the schedule does not fit the kernel, or what comes of it does not fit the target's
// machine.
Result<Lowered> LowerKernel(const loop::Kernel& plain, schedule::Schedule schedule,
                            const Options& options);

// What of it comes after the schedule, for kernels that are written as a schedule leaves them.
Result<Lowered> LowerScheduled(loop::Kernel kernel, const Options& options);

}  // namespace webnnc::lower
