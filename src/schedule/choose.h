// Which schedule a kernel gets that none was measured for: the rule for its kind writes it.
#pragma once

#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "target/target.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// For the CPU: wasm with 128-bit vectors, one thread. Loops have the names that Classify leaves
// them.
Schedule ChooseForCpu(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes);

}  // namespace webnnc::schedule
