#include "loop/fold.h"

#include <cmath>
#include <limits>

namespace webnnc::loop {

static double EvaluateReal(UnaryOp op, double a) {
  switch (op) {
    case UnaryOp::kNegate: return -a;
    case UnaryOp::kAbs: return std::fabs(a);
    case UnaryOp::kSign: return std::isnan(a) ? a : (a > 0) - (a < 0);
    case UnaryOp::kFloor: return std::floor(a);
    case UnaryOp::kCeil: return std::ceil(a);
    case UnaryOp::kRound: return std::nearbyint(a);
    case UnaryOp::kTrunc: return std::trunc(a);
    case UnaryOp::kExp: return std::exp(a);
    case UnaryOp::kLog: return std::log(a);
    case UnaryOp::kSqrt: return std::sqrt(a);
    case UnaryOp::kSin: return std::sin(a);
    case UnaryOp::kCos: return std::cos(a);
    case UnaryOp::kTan: return std::tan(a);
    case UnaryOp::kAsin: return std::asin(a);
    case UnaryOp::kAcos: return std::acos(a);
    case UnaryOp::kAtan: return std::atan(a);
    case UnaryOp::kSinh: return std::sinh(a);
    case UnaryOp::kCosh: return std::cosh(a);
    case UnaryOp::kTanh: return std::tanh(a);
    case UnaryOp::kAsinh: return std::asinh(a);
    case UnaryOp::kAcosh: return std::acosh(a);
    case UnaryOp::kAtanh: return std::atanh(a);
    case UnaryOp::kErf: return std::erf(a);
    case UnaryOp::kNot:
    case UnaryOp::kBitNot:
    case UnaryOp::kIsNan:
    case UnaryOp::kIsInf:
    case UnaryOp::kBits:
    case UnaryOp::kFromBits:
    case UnaryOp::kDotByte:
    case UnaryOp::kDotBytes: break;
  }
  CHECK(false);
  return 0;
}

// Wrapping arithmetic, without the undefined behaviour that signed overflow has.
static int64_t WrapNegate(int64_t a) { return static_cast<int64_t>(0 - static_cast<uint64_t>(a)); }

Scalar Evaluate(UnaryOp op, const Scalar& a) {
  if (op == UnaryOp::kIsNan) return Scalar::Bool(IsFloat(a.dtype) && std::isnan(a.real));
  if (op == UnaryOp::kIsInf) return Scalar::Bool(IsFloat(a.dtype) && std::isinf(a.real));
  if (op == UnaryOp::kNot) return Scalar::Bool(a.integer == 0);
  if (op == UnaryOp::kBits || op == UnaryOp::kFromBits) {
    uint8_t bytes[8];
    WriteScalar(bytes, 0, a);
    return ReadScalar(bytes, ResultType(op, a.dtype), 0);
  }
  if (IsFloat(a.dtype)) return Scalar::Real(a.dtype, EvaluateReal(op, a.real));
  bool negative = IsSigned(a.dtype) && a.integer < 0;
  switch (op) {
    case UnaryOp::kNegate: return Scalar::Integer(a.dtype, WrapNegate(a.integer));
    case UnaryOp::kAbs:
      return Scalar::Integer(a.dtype, negative ? WrapNegate(a.integer) : a.integer);
    case UnaryOp::kSign: return Scalar::Integer(a.dtype, negative ? -1 : a.integer != 0);
    case UnaryOp::kBitNot: return Scalar::Integer(a.dtype, ~a.integer);
    // As kDot4 has it here: with a sign.
    case UnaryOp::kDotByte: return Scalar::Integer(a.dtype, a.integer - 128);
    case UnaryOp::kDotBytes:
      return Scalar::Integer(a.dtype, static_cast<int32_t>(a.integer) ^ INT32_C(-0x7f7f7f80));
    default: break;
  }
  CHECK(false);
  return {};
}

static double EvaluateReal(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv: return a / b;
    case BinaryOp::kMod: return std::fmod(a, b);
    case BinaryOp::kPow: return std::pow(a, b);
    case BinaryOp::kMin: return std::isnan(a) || std::isnan(b) ? a + b : std::fmin(a, b);
    case BinaryOp::kMax: return std::isnan(a) || std::isnan(b) ? a + b : std::fmax(a, b);
    default: break;
  }
  CHECK(false);
  return 0;
}

template <typename T>
static T Power(T base, uint64_t exponent) {
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

static int64_t DotOfBytes(uint64_t a, uint64_t b) {
  int64_t sum = 0;
  for (int shift = 0; shift < 32; shift += 8)
    sum += int64_t{static_cast<int8_t>(a >> shift)} * static_cast<int8_t>(b >> shift);
  return sum;
}

// T is int64_t or uint64_t: the operands' sign, which division, order and shifts depend on.
template <typename T>
static T EvaluateInteger(BinaryOp op, T a, T b, int width) {
  auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  bool overflows = std::is_signed_v<T> && b == static_cast<T>(-1);
  switch (op) {
    case BinaryOp::kAdd: return static_cast<T>(ua + ub);
    case BinaryOp::kSub: return static_cast<T>(ua - ub);
    case BinaryOp::kMul: return static_cast<T>(ua * ub);
    case BinaryOp::kDiv: return b == 0 ? 0 : overflows ? static_cast<T>(0 - ua) : a / b;
    case BinaryOp::kMod: return b == 0 || overflows ? 0 : a % b;
    case BinaryOp::kFloorDiv: {
      if (b == 0) return 0;
      if (overflows) return static_cast<T>(0 - ua);
      return a / b - (a % b != 0 && (a < 0) != (b < 0));
    }
    case BinaryOp::kFloorMod: {
      if (b == 0 || overflows) return 0;
      T rest = a % b;
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case BinaryOp::kPow:
      if (b < 0) return a == 1 ? 1 : a == static_cast<T>(-1) ? (b % 2 ? a : 1) : 0;
      return Power(a, ub);
    case BinaryOp::kMin: return a < b ? a : b;
    case BinaryOp::kMax: return a < b ? b : a;
    case BinaryOp::kAnd: return a & b;
    case BinaryOp::kOr: return a | b;
    case BinaryOp::kXor: return a ^ b;
    case BinaryOp::kShiftLeft:
      return ub < static_cast<uint64_t>(width) ? static_cast<T>(ua << ub) : 0;
    case BinaryOp::kShiftRight: return ub < static_cast<uint64_t>(width) ? a >> ub : 0;
    case BinaryOp::kDot4: return static_cast<T>(DotOfBytes(ua, ub));
    default: break;
  }
  CHECK(false);
  return 0;
}

template <typename T>
static bool Compare(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::kEqual: return a == b;
    case BinaryOp::kNotEqual: return a != b;
    case BinaryOp::kLess: return a < b;
    case BinaryOp::kLessEqual: return a <= b;
    default: break;
  }
  CHECK(false);
  return false;
}

Scalar Evaluate(BinaryOp op, const Scalar& a, const Scalar& b) {
  CHECK(a.dtype == b.dtype);
  bool is_unsigned = !IsFloat(a.dtype) && !IsSigned(a.dtype);
  auto ua = static_cast<uint64_t>(a.integer), ub = static_cast<uint64_t>(b.integer);
  if (IsComparison(op)) {
    if (IsFloat(a.dtype)) return Scalar::Bool(Compare(op, a.real, b.real));
    return Scalar::Bool(is_unsigned ? Compare(op, ua, ub) : Compare(op, a.integer, b.integer));
  }
  if (IsFloat(a.dtype)) return Scalar::Real(a.dtype, EvaluateReal(op, a.real, b.real));
  int width = static_cast<int>(BitSize(a.dtype));
  int64_t value = is_unsigned ? static_cast<int64_t>(EvaluateInteger(op, ua, ub, width))
                              : EvaluateInteger(op, a.integer, b.integer, width);
  return Scalar::Integer(a.dtype, value);
}

Scalar Updated(Update update, const Scalar& old, const Scalar& value) {
  switch (update) {
    case Update::kSet: return value;
    case Update::kAdd: return Evaluate(BinaryOp::kAdd, old, value);
    case Update::kMul: return Evaluate(BinaryOp::kMul, old, value);
    case Update::kMax: return Evaluate(BinaryOp::kMax, old, value);
    case Update::kMin: return Evaluate(BinaryOp::kMin, old, value);
    case Update::kArgMax:
    case Update::kArgMin: break;
  }
  CHECK(false);
  return value;
}

}  // namespace webnnc::loop
