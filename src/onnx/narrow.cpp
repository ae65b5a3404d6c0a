#include "onnx/narrow.h"

#include <cmath>
#include <iterator>
#include <limits>

namespace webnnc::onnx {

using graph::Function;
using Beyond = Narrow::Beyond;

static constexpr Narrow kNarrowTypes[] = {
    {16, "bfloat16", DType::kU16, DType::kF32, Beyond::kInfinity, 7, 127, 0x1.fep127},
    {17, "float8e4m3fn", DType::kU8, DType::kF32, Beyond::kNan, 3, 7, 448},
    {18, "float8e4m3fnuz", DType::kU8, DType::kF32, Beyond::kUnsignedZeroNan, 3, 8, 240},
    {19, "float8e5m2", DType::kU8, DType::kF32, Beyond::kInfinity, 2, 15, 57344},
    {20, "float8e5m2fnuz", DType::kU8, DType::kF32, Beyond::kUnsignedZeroNan, 2, 16, 57344},
    {21, "uint4", DType::kU4, DType::kU8},
    {22, "int4", DType::kI4, DType::kI8},
    {23, "float4e2m1", DType::kU4, DType::kF32, Beyond::kNothing, 1, 1, 6},
    {24, "float8e8m0", DType::kU8, DType::kF32, Beyond::kPowersOfTwo, 0, 127, 0x1p127},
    {25, "uint2", DType::kU2, DType::kU8},
    {26, "int2", DType::kI2, DType::kI8},
};

const Narrow* NarrowType(int32_t onnx_type) {
  for (const Narrow& type : kNarrowTypes) {
    if (type.onnx_type == onnx_type) return &type;
  }
  return nullptr;
}

// ---- Decoding ---------------------------------------------------------------------------------

// The number that these bits are.
static double NumberOf(const Narrow& type, int bits) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (type.beyond == Beyond::kPowersOfTwo)
    return bits == UINT8_MAX ? kNan : std::ldexp(1, bits - type.bias);
  int sign_bit = static_cast<int>(BitSize(type.stored)) - 1, most = (1 << sign_bit) - 1;
  int magnitude = bits & most, negative = bits >> sign_bit;
  int exponent = magnitude >> type.fraction, fraction = magnitude & ((1 << type.fraction) - 1);
  if (type.beyond == Beyond::kNan && magnitude == most) return kNan;
  if (type.beyond == Beyond::kUnsignedZeroNan && negative && magnitude == 0) return kNan;
  double value = exponent == 0 ? std::ldexp(fraction, 1 - type.bias - type.fraction)
                               : std::ldexp(fraction + (1 << type.fraction),
                                            exponent - type.bias - type.fraction);
  if (type.beyond == Beyond::kInfinity && value > type.largest)
    value = fraction ? kNan : std::numeric_limits<double>::infinity();
  return negative ? -value : value;
}

Tensor Decoded(const Tensor& stored, const Narrow& type) {
  const TensorType decoded{type.carried, stored.type.shape};
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(decoded).value()));
  int64_t count = ElementCount(decoded.shape).value();
  for (int64_t i = 0; i < count; ++i) {
    Scalar element = stored.data.At(stored.type.dtype, i);
    WriteScalar(bytes.data(), i,
                type.IsFloat()
                    ? Scalar::Real(type.carried, NumberOf(type, static_cast<int>(element.integer)))
                    : Convert(element, type.carried));
  }
  return {decoded, TensorData::Own(std::move(bytes))};
}

Result<ValueId> Decoded(NodeContext& c, ValueId stored, const Narrow& type) {
  if (!type.IsFloat()) return c.Cast(stored, type.carried);
  Formula f(c);
  Term bits = Cast(f(stored), DType::kI32);
  if (type.stored == DType::kU16) return f.Result(Unary(Function::kFromBits, bits * 0x10000));
  // Few bits are few numbers.
  int64_t count = int64_t{1} << BitSize(type.stored);
  std::vector<uint8_t> numbers(static_cast<size_t>(count) * sizeof(float));
  for (int64_t i = 0; i < count; ++i)
    WriteScalar(numbers.data(), i, Scalar::Real(type.carried, NumberOf(type, static_cast<int>(i))));
  Term table =
      f.Take(c.AddConstant({{type.carried, {count}}, TensorData::Own(std::move(numbers))}));
  return f.Result(f.Add(graph::Gather{0}, {table, bits}));
}

// ---- Rounding ---------------------------------------------------------------------------------

static Term WithLowestBits(Term x, const Narrow& to) {
  Term wide = Cast(x, DType::kI32);
  int bits = static_cast<int>(BitSize(to.stored));
  Formula& f = *x.formula;
  if (!IsSigned(to.stored)) return Cast(wide & f.Number((1 << bits) - 1, DType::kI32), to.carried);
  return Cast((wide * static_cast<double>(1 << (32 - bits))) >> (32 - bits), to.carried);
}

// The exponent and sign of a float of 32 bits stand above 23 others.
static constexpr int kFraction = 23, kBias = 127;

// 2 to the power of whole numbers from -126 on.
static Term PowerOfTwo(Term exponent) {
  return Unary(Function::kFromBits, (exponent + kBias) * (1 << kFraction));
}

// There is nothing below the smallest of these powers, neither 0 nor negative numbers.
static Term AsPowerOfTwo(Term x, const Narrow& to, const Rounding& rounding) {
  Formula& f = *x.formula;
  using Powers = Rounding::Powers;
  const double smallest = std::ldexp(1, -to.bias);
  // Of normal numbers the exponent is all that is left of their bits. GPUs may have no others.
  Term wide = Cast(x, DType::kF32), larger = wide * 0x1p64, is_small = wide < 0x1p-64;
  Term bits = Unary(Function::kBits, Where(is_small, larger, wide));
  const int up = rounding.powers == Powers::kDown ? 0
                 : rounding.powers == Powers::kUp ? (1 << kFraction) - 1
                                                  : 1 << (kFraction - 1);
  Term power = Unary(Function::kFromBits, ((bits + up) >> kFraction) * (1 << kFraction));
  power = Min(Max(Where(is_small, power * 0x1p-64, power), smallest), to.largest);
  Term nan = f.Number(std::numeric_limits<double>::quiet_NaN(), DType::kF32);
  if (!rounding.saturate) {
    power = Where(larger < smallest * 0x1p64, nan, power);
    power = Where(f.Number(to.largest, DType::kF32) < wide, nan, power);
  }
  return Where(Unary(Function::kIsNan, wide), nan, power);
}

Term Rounded(Term x, const Narrow& to, const Rounding& rounding) {
  if (!to.IsFloat()) return WithLowestBits(x, to);
  if (to.beyond == Beyond::kPowersOfTwo) return AsPowerOfTwo(x, to, rounding);
  Formula& f = *x.formula;
  Term wide = Cast(x, DType::kF32), magnitude = Abs(wide);
  // What is between two numbers of the type around x. Small ones are as far apart as the smallest.
  Term exponent = (Unary(Function::kBits, magnitude) >> kFraction) - kBias;
  Term step = Max(exponent, 1.0 - to.bias) - to.fraction;
  // In two factors, since no float holds the inverse of the smallest steps.
  Term half = step >> 1, rest = step - half;
  Term steps = Unary(Function::kRound, magnitude * PowerOfTwo(-half) * PowerOfTwo(-rest));
  Term rounded = steps * PowerOfTwo(half) * PowerOfTwo(rest);
  double beyond = to.largest;
  if (!rounding.saturate && to.beyond != Beyond::kNothing)
    beyond = to.beyond == Beyond::kInfinity ? std::numeric_limits<double>::infinity()
                                            : std::numeric_limits<double>::quiet_NaN();
  rounded =
      Where(f.Number(to.largest, DType::kF32) < rounded, f.Number(beyond, DType::kF32), rounded);
  Term is_negative =
      to.beyond == Beyond::kUnsignedZeroNan ? wide < 0.0 : Unary(Function::kBits, wide) < 0.0;
  Term result = Where(is_negative, -rounded, rounded);
  // As ONNX has it, a type without NaN has -0 instead.
  Term nan = to.beyond == Beyond::kNothing ? f.Number(-0.0, DType::kF32) : wide;
  return Where(Unary(Function::kIsNan, wide), nan, result);
}

}  // namespace webnnc::onnx
