#pragma once

#include "plan/program.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Convolutions of stride 1 in fewer products (loop::TransformWindows), where that is faster by the
// machine's cost model. For programs of the CPU, behind PackWeights: filters are transformed in
// each run, out of the weights as they are laid out for all targets.
void TransformWindows(Program& program, const LikelySizes& sizes);

}  // namespace webnnc::plan
