// Scalar: one element of any type, with the arithmetic conventions that every IR shares.
//
// Integers wrap as two's complement. f16 and f32 results are rounded to their type after every
// operation. Converting a float to an integer truncates toward zero and saturates, NaN gives 0;
// converting to bool tests for "not zero".
#pragma once

#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace webnnc {

struct Scalar {
  DType dtype = DType::kF32;
  int64_t integer = 0;  // for kBool and integers; kU64 as two's complement
  double real = 0;      // for floats

  static Scalar Integer(DType dtype, int64_t value);
  static Scalar Real(DType dtype, double value);
  static Scalar Bool(bool value) { return Integer(DType::kBool, value); }
  // `value` as an element of `dtype`, whatever that is.
  static Scalar Of(DType dtype, double value);

  double AsReal() const;
  bool IsZero() const { return IsFloat(dtype) ? real == 0 : integer == 0; }

  // Bit for bit, so that NaN equals NaN and 0 differs from -0.
  friend bool operator==(const Scalar& a, const Scalar& b);
};

Scalar Convert(const Scalar& value, DType to);

// The smallest and largest finite value; for floats the infinities with `infinite`.
Scalar Lowest(DType dtype, bool infinite = false);
Scalar Highest(DType dtype, bool infinite = false);

// Little-endian memory, `index` counted in elements.
Scalar ReadScalar(const uint8_t* bytes, DType dtype, int64_t index);
void WriteScalar(uint8_t* bytes, int64_t index, const Scalar& value);

}  // namespace webnnc
