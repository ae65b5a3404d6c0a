#pragma once

#include "base/result.h"
#include "plan/program.h"
#include "schedule/gpu_device.h"

namespace webnnc::plan {

// Gives every kernel of a GPU program its schedule for `device` and brings it into the form that
// spirv::Emit takes. Steps whose stages cannot run in one dispatch become several.
Status ScheduleForGpu(Program& program, const schedule::GpuDevice& device);

}  // namespace webnnc::plan
