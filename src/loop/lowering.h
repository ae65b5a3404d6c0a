#pragma once

#include "loop/builder.h"

namespace webnnc::loop {

// What an operation's Lower is given: the buffers of its operands and results, and a builder that
// appends to their kernel.
//
// Lower writes the definition, one stage at a time: a perfect nest of loops around one store or one
// reduction.
// No tiling, no vectors, no threads. Making it fast is the scheduler's work, and everything the
// scheduler does is tested against the definition.
struct Lowering {
  Kernel& kernel;
  std::vector<BufferId> operands;
  std::vector<BufferId> results;
  Builder build{kernel};

  const TensorType& Operand(size_t i) const { return kernel.buffers[operands[i]].type; }
  const TensorType& Result(size_t i = 0) const { return kernel.buffers[results[i]].type; }

  BufferId Temporary(const std::string& name, const TensorType& type) {
    return kernel.buffers.Add({name, type, Space::kTemporary});
  }
};

}  // namespace webnnc::loop
