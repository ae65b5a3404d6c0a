#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// Finds the loops that all stages of a plain kernel have in common: those over the elements of the
// temporaries that flow between them. A softmax's are the loops over its rows. They become the
// outermost loops of every stage, in the same order and with the same names r0, r1, ...; the other
// loops are named q0, q1, ... from the outermost.
//
// Gives the names r0, r1, ..., or nothing (and leaves the kernel alone) if the stages do not share
// all loops that temporaries are indexed by.
std::optional<std::vector<std::string>> AlignRows(Kernel& kernel);

// The same for a kernel with ordered loops, so that a schedule can speak of each loop.
//
// Rows are loops that every stage has, over the same dimensions of all that flows from one stage
// or iteration to another: iterations of different rows know nothing of each other, and an ordered
// loop may run in each of them by itself. A recurrence has the loops over its batch, a scatter
// those over dimensions that it does not look up. Other loops are named s<stage>q<loop>.
std::vector<std::string> AlignOrdered(Kernel& kernel);

}  // namespace webnnc::loop
