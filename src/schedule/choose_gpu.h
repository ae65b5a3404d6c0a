#pragma once

#include "schedule/candidate.h"
#include "target/target.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// The schedules that the rule for the kernel's kind has for the target, best first. For a kernel of
// one stage the last of them fits any; one of several may have none.
std::vector<Candidate> CandidatesForGpu(const loop::Kernel& plain, const Target& target,
                                        const LikelySizes& sizes, const Sample& sample = {});

}  // namespace webnnc::schedule
