#pragma once

#include <map>

#include "loop/kernel.h"

namespace webnnc::loop {

// Computes once what stages over the same rows compute several times by functions such as exp. It
// is kept where the result will be, which takes no memory:
//
//   %sum[i] += exp(%x[i, j] - %max[i]) from 0.0         %kept[i, j] = exp(%x[i, j] - %max[i])
//   %y[i, j] = exp(%x[i, j] - %max[i]) / %sum[i]   ->   %sum[i] += %kept[i, j] from 0.0
//                                                       %y[i, j] = %kept[i, j] / %sum[i]
//
// The kernel must be plain, with its rows aligned (align_rows.h).
void KeepFunctions(Kernel& kernel);

// Temporaries of a plain kernel that can be where a result will be, by that: a map stores the
// result, each element where it loads the temporary's, and nothing loads either after it.
std::map<BufferId, BufferId> TemporariesInResults(const Kernel& plain);

}  // namespace webnnc::loop
