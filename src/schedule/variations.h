// Schedules like one that a rule wrote, whose workgroups are larger or smaller: for who measures,
// where a rule has few schedules of its own.
#pragma once

#include <vector>

#include "schedule/schedule.h"

namespace webnnc::schedule {

// The factors that give a schedule's threads, each a quarter, half, two or four times as large, in
// all combinations; those that differ least come first. Some may not fit the kernel or machine.
std::vector<Schedule> Variations(const Schedule& schedule);

}  // namespace webnnc::schedule
