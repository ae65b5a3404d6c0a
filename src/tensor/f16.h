// IEEE 754 binary16, as bits.
#pragma once

#include <cstdint>

namespace webnnc {

float HalfToFloat(uint16_t bits);
// Rounds to nearest, ties to even. Overflow gives infinity; a NaN stays a NaN.
uint16_t FloatToHalf(float value);

}  // namespace webnnc
