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
  kNone,         // none of these: no rule would know what to do
};
std::string_view Name(Kind kind);

// Aligns the kernel's loops if it is kRows or kOrdered (loop::AlignRows, loop::AlignOrdered).
Kind Classify(loop::Kernel& plain);

}  // namespace webnnc::schedule
