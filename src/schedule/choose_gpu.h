#pragma once

#include "schedule/gpu_device.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

// The schedules that the rule for the kernel's kind has for the device, best first.
std::vector<Schedule> CandidatesForGpu(const loop::Kernel& plain, const GpuDevice& device);

}  // namespace webnnc::schedule
