#pragma once

#include <optional>

#include "schedule/schedule.h"
#include "schedule/view.h"
#include "target/machine.h"

namespace webnnc::schedule {

// Elementwise work: lanes are neighbours in the result.
//
//   for i { for j.0 { y[i, 8*j.0 + 4*v : 4] = relu(x[i, 8*j.0 + 4*v : 4]) for v in 0, 1 } }
//
// Where what is read differs along the loop (padding, concatenation), its ends run apart.
std::optional<Schedule> ScheduleCpuMap(NestView& view, const Machine& machine);

}  // namespace webnnc::schedule
