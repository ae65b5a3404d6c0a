// Parallel loops: those whose iterations threads of a CPU may share (kernel.h).
#pragma once

#include <set>

#include "base/result.h"
#include "loop/kernel.h"

namespace webnnc::loop {

// The registers that iterations of a loop store. Of a parallel loop each thread has its own.
std::set<BufferId> RegistersStoredIn(const Kernel& kernel, const For& loop);

// What a parallel loop promises, as far as its place and its registers tell: it is in no other
// loop, or all that stands inside of one that is parallel, and nothing outside of it uses the
// registers that it stores. Loops of which that is not so become serial, and so do all beside
// threads' loops.
void KeepPromises(Kernel& kernel);

// An error that names a loop which does not keep them.
Status CheckPromises(const Kernel& kernel);

}  // namespace webnnc::loop
