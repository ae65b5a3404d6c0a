#pragma once

#include "target/machine.h"

namespace webnnc {

// Cycles for a byte of what is read again and again, if so many bytes are read in turns.
inline double CyclesAByte(const Machine::Caches& caches, double bytes) {
  if (bytes <= caches.l1) return 0;
  if (bytes <= caches.l2) return caches.from_l2;
  return bytes <= caches.l3 ? caches.from_l3 : caches.from_memory;
}

}  // namespace webnnc
