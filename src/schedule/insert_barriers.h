#pragma once

#include "loop/kernel.h"

namespace webnnc::schedule {

// Puts a barrier between two regions of threads wherever one stores to workgroup memory that the
// other uses, unless it is the same thread's in both (thread_places.h). A region is a thread loop;
// a loop around regions is taken to run twice, but one over workgroups.
//
//   for t in 64 thread { %tile[t] = ... }
//   barrier
//   for t in 64 thread { ... = %tile[t + 1] }
void InsertBarriers(loop::Kernel& kernel);

}  // namespace webnnc::schedule
