#pragma once

#include "plan/program.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Joins elementwise work to the kernel of rows that reads its result next, though others read it,
// too: on a GPU a launch that waits for another costs more than most rows.
//
//   run @add(%x, %y, %sum)          ->    run @add_normalize(%x, %y, %sum, %z)
//   run @normalize(%sum, %z)
//
// A map whose result one other map reads, each element once, is computed there. Rows that nothing
// but one product or sum reads are computed in front of each of its workgroups, if that takes no
// longer by the machine's cost model (schedule::kGpuRowsAhead):
//
//   run @normalize(%x, %n)          ->    run @normalize_matmul(%w, %y, %x)
//   run @matmul(%n, %w, %y)
//
// FormKernels makes kernels of one result each, and FactorReductions leaves sums of parts, and last
// stages of norms. What is joined must end with a map, with nothing between the two steps that
// reads or writes what it uses. Each joining takes a step away, so it ends.
void FuseLaunches(Program& program, const LikelySizes& sizes);

}  // namespace webnnc::plan
