#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// After schedules: gives every launch its weights as its kernel's schedule packs them
// (schedule/pack.h). A weight is there once for each layout that programs read it in, so that
// schedules which say nothing, or the same, share it.
void RepackWeights(Program& program, IdVector<WeightTag, Weight>& weights);

}  // namespace webnnc::plan
