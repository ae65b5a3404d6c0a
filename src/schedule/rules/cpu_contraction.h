#pragma once

#include <optional>

#include "schedule/schedule.h"
#include "schedule/view.h"
#include "target/target.h"

namespace webnnc::schedule {

// Matrix products and the convolutions that are such. A tile of the result stays in registers while
// the loops that are summed over run; one side is read by vectors (a panel of packed weights), the
// other element by element:
//
//   c[i, o] += a[i, k] * b[o/8, k, o%8]
//
//   for o.0 { for i.0 {
//     acc[4][2] = 0                                    8 vectors
//     for k { acc[r][v] += a[4*i.0 + r, k] * b[o.0, k, 4*v : 4] }
//     c[4*i.0 + r, 8*o.0 + 4*v : 4] = acc[r][v]
//   } }
//
// What tile, which loop it cuts, and whether panels or rows come first is chosen by cost: tiles
// that stand over the end, and what the caches have to deliver. Where no side can be read by
// vectors along a loop of the result, but both along one that is summed over, lanes sum parts of
// it.
std::optional<Schedule> ScheduleCpuContraction(NestView& view, const Target& target);

}  // namespace webnnc::schedule
