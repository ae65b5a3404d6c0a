#pragma once

#include <string_view>
#include <vector>

#include "schedule/schedule.h"

namespace webnnc::schedule {

// One of the schedules that a rule has for a kernel.
struct Candidate {
  Schedule schedule;
  // What the machine's cost model says that it takes; 0 where the rule has no model.
  double seconds = 0;
  std::string_view rule = {};
};

// How many of a rule's candidates are wanted: the best, and some of the others, from the better
// ones to the worst. Four are enough to compile a kernel: the first fits but for kernels whose
// registers or tiles come out larger than they seem to the rule.
struct Sample {
  size_t best = 4, others = 0;

  // Which of `count` that are sorted.
  std::vector<size_t> Of(size_t count) const {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < count && i < best; ++i) chosen.push_back(i);
    if (count <= best) return chosen;
    size_t rest = count - best, wanted = others < rest ? others : rest;
    for (size_t i = 0; i < wanted; ++i) chosen.push_back(best + i * rest / wanted);
    return chosen;
  }
};

}  // namespace webnnc::schedule
