#pragma once

#include <set>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::schedule {

// Gives what flows between merged stages its place inside the loops they share: each temporary
// shrinks to what one iteration of the `shared` loops uses,
//
//   temporary %max: f32[n]   %max[i.0*4 + i.1]   ->   workgroup %max: f32[4]   %max[i.1]
//
// in workgroup memory if several threads' regions use it, or one that runs again and finds what it
// `carried`, unless each thread uses its own elements alone; else in registers. Fails if a
// temporary would need the stages to share more than they do.
Status LocalizeTemporaries(loop::Kernel& kernel, const std::vector<loop::VarId>& shared,
                           const std::set<loop::BufferId>& carried);

}  // namespace webnnc::schedule
