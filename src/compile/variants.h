// Which variants models get, and their programs.
#pragma once

#include "base/result.h"
#include "compile/code.h"
#include "plan/schedule_kernels.h"

namespace webnnc {

// Forms the programs of all variants that were asked for and whose features the model's graphs make
// use of (plan::kVariants). What no GPU can compute is warned of, or an error if there are no
// variants for the CPU. `machine` is the GPU's. Weights that another model has already are that
// one's.
Status FormVariants(Model& model, IdVector<plan::WeightTag, plan::Weight>& weights,
                    const Machine& machine, const plan::Warn& warn);

// Gives every kernel of every variant its schedule. A schedule of `measured` goes before the
// compiler's own.
Status ScheduleVariants(Model& model, const schedule::Database& measured, const plan::Warn& warn);

// Then: what all programs read of weights is laid out alike, unless a measured schedule wants it.
Status AgreeOnPanels(Code& code, const schedule::Database& measured);

// Then: launches on GPUs that know nothing of each other become one.
void JoinLaunches(Code& code);

// Then: names by which kernels are told apart in their module; those that are the same but for
// names of sizes are one.
void ShareKernels(Code& code);

}  // namespace webnnc
