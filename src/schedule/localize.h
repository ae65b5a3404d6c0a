#pragma once

#include <map>
#include <set>
#include <vector>

#include "loop/kernel.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

// Of a temporary that is computed inside a nest's loops: their variables, and where the part begins
// that one iteration has.
struct HostedPlace {
  std::set<loop::VarId> around;
  Lows lows;
};

// Elements that a row of so many, each of so many bytes, takes in workgroup memory: rows that
// threads read side by side begin in different banks.
int64_t PaddedRow(int64_t elements, int64_t bytes);

// Gives what flows between merged stages its place inside the loops they share: each temporary
// shrinks to what one iteration of the `shared` loops uses,
//
//   temporary %max: f32[n]   %max[i.0*4 + i.1]   ->   workgroup %max: f32[4]   %max[i.1]
//
// and each of the `hosted` to what one iteration of the loops around it uses. That is in workgroup
// memory if several threads' regions use it, or one that runs again and finds what it `carried`,
// unless each thread uses its own elements alone; else in registers. Fails if a temporary would
// need the stages to share more than they do, or is `replicated` and would be in memory.
Status LocalizeTemporaries(loop::Kernel& kernel, const std::vector<loop::VarId>& shared,
                           const std::set<loop::BufferId>& carried,
                           const std::set<loop::BufferId>& replicated,
                           const std::map<loop::BufferId, HostedPlace>& hosted);

}  // namespace webnnc::schedule
