// What it takes to compute an element of a value.
#pragma once

#include "loop/kernel.h"
#include "target/machine.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// What is there several times in the value counts once.
struct ElementWork {
  // On what it is made of. Functions like exp count as several; what finds elements, and what makes
  // numbers wider, as none.
  int64_t operations = 0;
  // Elements that are read, in different places or buffers.
  int64_t loads = 0;
};

ElementWork WorkOf(const loop::Kernel& kernel, loop::ExprId value, const Machine::Fusion& costs);

// Operations on elements of all stages of a plain kernel, and those that combine terms. What does
// not depend on a stage's innermost loops is computed outside of them.
double OperationsOf(const loop::Kernel& plain, const Machine::Fusion& costs,
                    const LikelySizes& sizes);

// Whether numbers of the first type are stored in fewer bits than kernels compute with, as those of
// the second.
bool IsWidened(DType from, DType to);

}  // namespace webnnc::schedule
