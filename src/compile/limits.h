// Models that no device can hold are refused with the size that is too large, before time is spent
// on them.
#pragma once

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// Errors: too many kernels; a tensor that no back end can index. Only what is certain counts: sizes
// that symbols decide are checked when the model runs.
Status CheckSizes(const Model& model);

// The same of all models: constants and activations that do not fit in the memory of a wasm module,
// where what runs does so alone.
Status CheckMemory(const Code& code);

// After MergeKernels. An error if there are so many different kernels that they take too long to
// compile.
Status CheckKernels(const Model& model);

// Says how long a run must take: steps of loops, open sizes counted as 1. An error if a kernel
// takes more than any device ends in hours, and what to warn of, or "", if a run takes minutes on a
// CPU.
Result<std::string> CheckWork(const Model& model);

}  // namespace webnnc
