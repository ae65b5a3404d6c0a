#pragma once

#include "base/result.h"
#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::spirv {

// The kernel as the emitter wants it, or an error that names what has no SPIR-V here.
//
//   register %acc: f32[64,4]   %acc[t, 2]   ->   register %acc: f32[4]   %acc[2]
//   register %sum: f32[64]     %sum[t]      ->   register %sum: f32[1]   %sum[0]
//
// Afterwards every buffer has one dimension and registers are private to a thread; every loop and
// Let has a variable of its own, but thread loops of the same extent share theirs; and types and
// operations are ones that the emitter knows. Without f16 among `features`, it is loaded and
// converted only.
Result<loop::Kernel> Prepare(loop::Kernel kernel, FeatureSet features = {Feature::kF16});

}  // namespace webnnc::spirv
