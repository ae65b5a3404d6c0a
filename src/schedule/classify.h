// What kind of work a plain kernel is: which rules can schedule it, and so which operations may be
// fused into one.
#pragma once

#include <string>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::schedule {

enum class Kind : uint8_t {
  kMap,          // one elementwise store
  kReduction,    // one reduction, and elementwise work on its result
  kContraction,  // the same, of products whose two sides both have loops of their own
  kRows,         // several stages that share the loops over rows
  kOrdered,      // stages in ordered loops
  kNone,         // none of these: a step for each stage, but for panels that are made (cpu_panels)
};
std::string_view Name(Kind kind);

Kind Classify(const loop::Kernel& plain);

// Gives the loops of a kernel of several stages the order and names that schedules speak of, and
// returns the names of the rows (loop::AlignRows, loop::AlignOrdered). Others stay as they are.
std::vector<std::string> AlignLoops(loop::Kernel& plain, Kind kind);
inline void AlignLoops(loop::Kernel& plain) { AlignLoops(plain, Classify(plain)); }

}  // namespace webnnc::schedule
