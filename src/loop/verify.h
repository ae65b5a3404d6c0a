#pragma once

#include "base/result.h"
#include "loop/kernel.h"

namespace webnnc::loop {

// Checks what is true of every kernel: variables are defined where they are used, accesses have
// their buffer's rank, types agree, and the promises of loop kinds that structure shows.
Status Verify(const Kernel& kernel);

// Checks that `kernel` is also plain: a sequence of stages, each a perfect nest of serial loops
// around one store, whose iterations are independent or combine by the store's update, and which
// load only what earlier stages stored. Stages in an ordered loop may load what the iteration
// before left, and look up where they store.
Status VerifyPlain(const Kernel& kernel);

// Checks that `kernel` is also flat: one-dimensional accesses, no vector or unrolled loops, no
// temporaries.
Status VerifyFlat(const Kernel& kernel);

}  // namespace webnnc::loop
