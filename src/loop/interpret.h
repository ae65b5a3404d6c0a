// The interpreter is the definition of the kernel IR: a kernel means what this does. Every
// schedule and every backend is tested against it, and constants are folded by it.
#pragma once

#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// memory[b] holds buffer b in row-major order, packed, little-endian; parameters are given by the
// caller, the others are made by Interpret.
using Memory = std::vector<std::vector<uint8_t>>;

struct InterpretOptions {
  SymbolValues symbols;
  // Fails on an element that is read before it is written, and on data that passes between
  // threads of a workgroup without a barrier.
  bool check_races = false;
};

// Runs `kernel`. Loops of every kind run in order, since a legal schedule has one result; parallel
// ones from their last iteration to the first, so that what they promise shows. An index outside
// its buffer is an error: the kernel is wrong.
Status Interpret(const Kernel& kernel, Memory& memory, const InterpretOptions& options = {});

}  // namespace webnnc::loop
