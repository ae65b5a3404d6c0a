#pragma once

#include <map>
#include <string>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// Whether a kernel is given the buffer by whoever runs it.
inline bool IsParameter(const Buffer& buffer) {
  return buffer.space == Space::kIn || buffer.space == Space::kOut;
}

// Those buffers, in the order in which a kernel is given them.
inline std::vector<BufferId> ParametersOf(const Kernel& kernel) {
  std::vector<BufferId> parameters;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    if (IsParameter(kernel.buffers[BufferId{b}])) parameters.push_back(BufferId{b});
  }
  return parameters;
}

// Names buffers by what they are for and the place they have among those: x0, x1, ..., y0, t0.
inline void NameByPlace(Kernel& kernel) {
  std::map<Space, int> counts;
  for (Buffer& buffer : kernel.buffers) {
    const char* name = buffer.space == Space::kIn ? "x" : buffer.space == Space::kOut ? "y" : "t";
    buffer.name = name + std::to_string(counts[buffer.space]++);
  }
}

}  // namespace webnnc::loop
