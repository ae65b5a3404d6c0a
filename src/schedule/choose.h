// Which schedules a kernel may get that none was measured for: the rules that fit it write them.
#pragma once

#include "loop/kernel.h"
#include "schedule/candidate.h"
#include "schedule/schedule.h"
#include "target/target.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// The schedules that the rules have for the target's processor, best first. They speak of loops as
// AlignLoops leaves them. For a kernel of one stage the last of them fits any GPU; one of several
// may have none, and none fits where loops are best left as they are.
std::vector<Candidate> Candidates(const loop::Kernel& plain, const Target& target,
                                  const LikelySizes& sizes, const Sample& sample = {});

// The best of them; the loops as they are where there is none.
Schedule Choose(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes);

}  // namespace webnnc::schedule
