// Element types of ONNX that graphs have no values of: floats of 16 bits and less but f16, and
// integers of less than a byte. Wider values stand for them, which hold all of their numbers: a
// cast to one rounds. What is narrow are weights, which are widened where they are read.
//
//   bfloat16, float8..., float4e2m1     f32; of float8e8m0 all numbers are powers of two
//   int4, int2 / uint4, uint2           i8 / u8
#pragma once

#include <cstdint>

#include "onnx/formula.h"

namespace webnnc::onnx {

struct Narrow {
  int32_t onnx_type;  // TensorProto::DataType
  const char* name;
  // What weights are stored as, bit for bit, and what stands for values.
  DType stored, carried;
  // Of floats: the bits of the fraction, what is added to exponents, and the largest number. What
  // is larger is infinite, NaN, or, where there is neither, the largest.
  enum class Beyond : uint8_t {
    kInfinity,
    kNan,
    kUnsignedZeroNan,
    kNothing,
    kPowersOfTwo
  } beyond = {};
  int fraction = 0, bias = 0;
  double largest = 0;

  bool IsFloat() const { return webnnc::IsFloat(carried); }
};

// The narrow type of this number; null for types that graphs have.
const Narrow* NarrowType(int32_t onnx_type);

// The numbers that a tensor of stored elements holds.
Tensor Decoded(const Tensor& stored, const Narrow& type);
// The same of a value, computed where it is read.
Result<ValueId> Decoded(NodeContext& c, ValueId stored, const Narrow& type);

// Beyond the largest number of a type floats become it, or without `saturate` what the type has
// there. Between two powers of two they become the one or the other.
struct Rounding {
  bool saturate = true;
  enum class Powers : uint8_t { kUp, kDown, kNearest } powers = {};
};

// x as numbers of the type. Floats are rounded to the nearest where there is more than powers of
// two. Integers keep their lowest bits.
Term Rounded(Term x, const Narrow& to, const Rounding& rounding);

}  // namespace webnnc::onnx
