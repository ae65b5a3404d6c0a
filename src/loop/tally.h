// What one thread of a flat kernel does: how much it computes and moves, and how often it waits. It
// tells schedules of a kernel apart for who learns from measured times.
#pragma once

#include "loop/kernel.h"
#include "tensor/likely_sizes.h"

namespace webnnc::loop {

struct Tally {
  double threads = 1;     // of a workgroup
  double workgroups = 1;  // in all
  // Operations on lanes, and instructions: an operation on a vector is one.
  double operations = 0, instructions = 0;
  // Bytes and accesses by the memory that they go to.
  struct Accesses {
    double count = 0, bytes = 0;
  };
  Accesses global, shared;
  double barriers = 0;
  // Bytes that a thread keeps in registers, and a workgroup in its memory.
  double register_bytes = 0, shared_bytes = 0;
};

// Loops run as often as is likely, both sides of a condition and of a selection count.
Tally TallyOf(const Kernel& flat, const LikelySizes& sizes);

}  // namespace webnnc::loop
