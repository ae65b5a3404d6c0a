#pragma once

#include <vector>

#include "plan/program.h"
#include "schedule/database.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

struct ScheduledProgram {
  Program& program;
  const LikelySizes& sizes;
};

// After schedules, of all programs that read the same weights file: a weight that rules would have
// in several layouts, or in one that others do not read, stays in the panels that all can read
// (PackWeights), so that the file has it once. Kernels of the CPU that asked for others get the
// best schedule that does not. What was measured counts more than the file's size: it stays as it
// is.
Status AgreeOnPanels(const std::vector<ScheduledProgram>& programs,
                     const schedule::Database& measured);

}  // namespace webnnc::plan
