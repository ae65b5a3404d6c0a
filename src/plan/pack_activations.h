#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// Integers of 8 and 16 bits that a GPU's kernels pass on to each other lie side by side in words,
// where all kernels that store them do so by whole words: vectors of neighbours. These kernels are
// lowered again, by their schedules. The program must be scheduled.
void PackActivations(Program& program);

}  // namespace webnnc::plan
