#pragma once

#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "target/machine.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// Several stages over the same rows: softmax, normalisation. A row's stages run one after another,
// so that what flows between them stays in registers and the row in the cache. Lanes are neighbours
// in the row, whose sums they keep in parts,
//
//   for r { max = -inf;  for q.0 { max[v] max= x[r, 4*q.0 + v] };  sum = ... }
//
// or, where a row's elements are not neighbours but those of neighbouring rows are, rows.
// `rows` are the shared loops as loop::AlignRows names them.
Schedule ScheduleCpuRows(const loop::Kernel& plain, const std::vector<std::string>& rows,
                         const Machine& machine, const LikelySizes& sizes);

}  // namespace webnnc::schedule
