// The functions that GLSL.std.450 lacks or leaves too inaccurate to compare with C's: WebGPU asks
// no more of atan than 4096 units in the last place, and of sin an absolute error of 2^-11 up to pi
// and nothing beyond. Each is written into the module as a function when it is first used.
//
// Floats are f32; a caller with f16 converts. Absolute errors are those of the formulas, in
// f32 arithmetic, measured against C's functions in double.
#pragma once

#include "spirv/code_builder.h"

namespace webnnc::spirv {

Value Erf(const Value& x);  // 1.5e-7
// 8e-8 up to 2000, 3e-7 up to 20,000.
Value Sin(const Value& x);
Value Cos(const Value& x);
Value Tan(const Value& x);
Value Atan(const Value& x);  // 1.7e-7
Value Asin(const Value& x);  // 2e-7
Value Acos(const Value& x);  // 4.1e-7
Value Sinh(const Value& x);
Value Tanh(const Value& x);  // 1.2e-7 of it
Value Asinh(const Value& x);
Value Acosh(const Value& x);
Value Atanh(const Value& x);
Value Log(const Value& x);  // -inf of 0, and NaN of what is negative, which WGSL leaves open
Value Power(const Value& x, const Value& y);
// As C's fmod, exactly.
Value FloatMod(const Value& a, const Value& b);

// Of i32 and u32.
Value IntegerPower(const Value& base, const Value& exponent);

Value IsNan(const Value& x);
// x, of which compilers cannot tell that it is: what is computed before it and what is computed of
// it stay apart.
Value Opaque(const Value& x);
// f32 as i32 or u32: truncated, saturated, NaN as 0.
Value ToInteger(const Value& x, DType to);

}  // namespace webnnc::spirv
