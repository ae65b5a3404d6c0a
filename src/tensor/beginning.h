#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "tensor/data.h"

namespace webnnc {

// How many bytes there are, and the first of them: what data is looked up by where equal data is
// wanted. Most that differ do so there, and the others are compared.
using Beginning = std::pair<size_t, std::string>;

inline Beginning BeginningOf(const TensorData& data) {
  constexpr size_t kMost = 256;
  auto bytes = data.bytes();
  return {bytes.size(), {bytes.begin(), bytes.begin() + std::min(kMost, bytes.size())}};
}

}  // namespace webnnc
