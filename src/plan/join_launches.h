#pragma once

#include "plan/program.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Lets launches on a GPU that know nothing of each other be one: each of them costs more than what
// little it computes, and one that leaves most of the GPU idle may as well have another beside it.
//
//   run @turn(%q, %cos, %turned)          ->    run @turn_copy(%q, %cos, %turned, %v, %cache)
//   run @copy(%v, %cache)
//
// Each has workgroups of its own (loop::RunBeside). They are of short kernels by the machine's cost
// model, without memory that workgroups share; none needs what another stores, nor do the steps
// that the later one goes ahead of. The program is scheduled, so that it is known what kernels are.
void JoinLaunches(Program& program, const LikelySizes& sizes);

}  // namespace webnnc::plan
