#pragma once

#include <cstdint>
#include <string_view>

namespace webnnc::wgsl {

// A function of GLSL.std.450 and the one of WGSL that means the same.
struct MathFunction {
  uint32_t number;
  std::string_view name;
};

// Null if it is not one that the printer knows.
const MathFunction* FindMath(uint32_t number);

}  // namespace webnnc::wgsl
