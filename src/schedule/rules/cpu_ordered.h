#pragma once

#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "target/machine.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// Stages in ordered loops: recurrences, scatters. Lanes are rows where neighbours stand side by
// side in all stages,
//
//   for r0.0 { state[v] = 0;  for t { state[v] += x[t, 4*r0.0 + v];  y[t, 4*r0.0 + v] = state[v] }
//   }
//
// else each row runs by itself, and each stage in it has lanes of its own. `rows` are the loops
// that all stages share, as loop::AlignOrdered names them.
Schedule ScheduleCpuOrdered(const loop::Kernel& plain, const std::vector<std::string>& rows,
                            const Machine& machine, const LikelySizes& sizes);

}  // namespace webnnc::schedule
