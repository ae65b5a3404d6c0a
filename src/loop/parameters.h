#pragma once

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

}  // namespace webnnc::loop
