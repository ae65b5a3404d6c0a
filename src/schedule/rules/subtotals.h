// Where rules cut long sums.
#pragma once

#include <string>
#include <vector>

#include "schedule/nest.h"
#include "schedule/schedule.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// Loops that a thread sums over, from the outermost in, one after another onto the same variables.
// If they are long, adds directives that sum in parts (Subtotal), and gives the loops' new names.
//
// The error of a sum grows with the number of terms that went into a variable before; with parts of
// some hundreds it is that of some hundreds, twice.
std::vector<std::string> CutLongSum(const std::vector<NestLoop>& sums, const LikelySizes& sizes,
                                    Schedule& schedule);

}  // namespace webnnc::schedule
