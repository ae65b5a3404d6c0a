#pragma once

#include <optional>

#include "schedule/schedule.h"
#include "schedule/view.h"
#include "target/machine.h"

namespace webnnc::schedule {

// Reductions whose value has no two sides to keep apart: sums and maxima along axes, pooling,
// depthwise convolutions. Lanes are neighbours in the result where they are in the operand too:
//
//   for y { for x.0 { for c.0 {
//     acc[5] = 0
//     ky, kx unrolled: acc[x.1] += x[y + ky, 5*x.0 + x.1 + kx, 4*c.0 : 4] * w[ky, kx, 4*c.0 : 4]
//     y[y, 5*x.0 + x.1, 4*c.0 : 4] = acc[x.1]
//   } } }
//
// A window's neighbours share most of what they read, so that a few stay in registers together, and
// where a window stands over the edge of its input runs apart. Where the operand's neighbours are
// summed over instead, lanes sum parts of it.
std::optional<Schedule> ScheduleCpuReduction(NestView& view, const Machine& machine);

}  // namespace webnnc::schedule
