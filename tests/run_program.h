// Runs a program as the compiled model does, step by step, with the interpreter for its kernels:
// what plans, forms and schedules is tested by what comes out.
#pragma once

#include "plan/program.h"

namespace webnnc {

// `symbols` are the inputs'. Kernels are plain as they were formed, or flat where they have been
// scheduled. Memory is as large as it must be and not shared, so that what is read before it is
// written is an error. Inputs and outputs are as callers see them.
Result<std::vector<Tensor>> RunProgram(const plan::Program& program,
                                       const IdVector<plan::WeightTag, plan::Weight>& weights,
                                       const std::vector<Tensor>& inputs, SymbolValues symbols);

}  // namespace webnnc
