#pragma once

#include <string>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// Names the loops of a kernel that has ordered loops, so that a schedule can speak of each.
//
// Rows are loops that every stage has, over the same dimensions of all that flows from one stage
// or iteration to another: iterations of different rows know nothing of each other, and an ordered
// loop may run in each of them by itself. A recurrence has the loops over its batch, a scatter
// those over dimensions that it does not look up.
//
// They become the outermost loops of every stage, in the same order and with the same names r0,
// r1, ...; the others are named s<stage>q<loop>. Gives the names of the rows.
std::vector<std::string> AlignOrdered(Kernel& kernel);

}  // namespace webnnc::loop
