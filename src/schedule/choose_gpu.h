#pragma once

#include "schedule/gpu_device.h"
#include "schedule/schedule.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// The schedules that the rule for the kernel's kind has for the device, best first. For a kernel of
// one stage the last of them fits any; one of several may have none. `half`: f16 is stored as such.
std::vector<Schedule> CandidatesForGpu(const loop::Kernel& plain, const GpuDevice& device,
                                       bool half, const LikelySizes& sizes);

}  // namespace webnnc::schedule
