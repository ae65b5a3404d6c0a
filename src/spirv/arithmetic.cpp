#include "spirv/arithmetic.h"

#include <bit>
#include <cmath>

#include "base/result.h"
#include "spirv/functions.h"

namespace webnnc::spirv {

using loop::BinaryOp;
using loop::UnaryOp;

// ---- Unary operations -------------------------------------------------------------------------

static Value Infinite(const Value& x) {
  Value bits = Bitcast(x, DType::kU32);
  return (bits & Like(bits, 0x7fffffff)) == Like(bits, 0x7f800000);
}

// The functions of f32 whose accuracy would suffer in f16.
static Value EmitFunction(UnaryOp op, const Value& x) {
  CodeBuilder& code = *x.code;
  switch (op) {
    case UnaryOp::kExp: return code.Math(GLSLstd450Exp, {x});
    case UnaryOp::kLog: return Log(x);
    case UnaryOp::kSqrt: return code.Math(GLSLstd450Sqrt, {x});
    case UnaryOp::kSin: return Sin(x);
    case UnaryOp::kCos: return Cos(x);
    case UnaryOp::kTan: return Tan(x);
    case UnaryOp::kSinh: return Sinh(x);
    case UnaryOp::kCosh: return code.Math(GLSLstd450Cosh, {x});
    case UnaryOp::kTanh: return Tanh(x);
    case UnaryOp::kAsin: return Asin(x);
    case UnaryOp::kAcos: return Acos(x);
    case UnaryOp::kAtan: return Atan(x);
    case UnaryOp::kAsinh: return Asinh(x);
    case UnaryOp::kAcosh: return Acosh(x);
    case UnaryOp::kAtanh: return Atanh(x);
    case UnaryOp::kErf: return Erf(x);
    case UnaryOp::kIsNan: return IsNan(x);
    case UnaryOp::kIsInf: return Infinite(x);
    default: break;
  }
  CHECK(false);
  return {};
}

static Value Sign(const Value& a) {
  if (a.dtype == DType::kU32) return Min(a, Like(a, 1));
  return a.code->Math(IsFloat(a.dtype) ? GLSLstd450FSign : GLSLstd450SSign, {a});
}

Value EmitUnary(UnaryOp op, const Value& a) {
  CodeBuilder& code = *a.code;
  switch (op) {
    case UnaryOp::kNegate: return -a;
    case UnaryOp::kAbs: return Abs(a);
    case UnaryOp::kSign: return Sign(a);
    case UnaryOp::kNot:
    case UnaryOp::kBitNot: return Not(a);
    case UnaryOp::kFloor: return code.Math(GLSLstd450Floor, {a});
    case UnaryOp::kCeil: return code.Math(GLSLstd450Ceil, {a});
    case UnaryOp::kRound: return code.Math(GLSLstd450RoundEven, {a});
    case UnaryOp::kTrunc: return code.Math(GLSLstd450Trunc, {a});
    case UnaryOp::kBits: return Bitcast(a, DType::kI32);
    case UnaryOp::kFromBits: return Bitcast(a, DType::kF32);
    default: break;
  }
  if (a.dtype != DType::kF16) return EmitFunction(op, a);
  Value result = EmitFunction(op, EmitConvert(a, DType::kF32));
  return result.dtype == DType::kBool ? result : EmitConvert(result, DType::kF16);
}

// ---- Integer division -------------------------------------------------------------------------

static bool IsPowerOfTwo(int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

// Toward zero, for a divisor that is not 0 and does not make the quotient overflow.
static Value Quotient(const Value& a, const Value& b) {
  return a.code->Emit(IsSigned(a.dtype) ? spv::OpSDiv : spv::OpUDiv, a.dtype, a.lanes,
                      {a.id, b.id});
}

// What Quotient leaves. Vulkan leaves OpSRem of negative numbers undefined.
static Value Remainder(const Value& a, const Value& b, const Value& quotient, bool non_negative) {
  if (!IsSigned(a.dtype)) return a.code->Emit(spv::OpUMod, a.dtype, a.lanes, {a.id, b.id});
  if (non_negative) return a.code->Emit(spv::OpSRem, a.dtype, a.lanes, {a.id, b.id});
  return a - quotient * b;
}

// By 2^n: shifts round toward minus infinity, and toward zero if there is nothing below it.
static Value DivideByPowerOfTwo(BinaryOp op, const Value& a, int64_t divisor, bool non_negative) {
  if (op != BinaryOp::kMod && op != BinaryOp::kFloorMod)
    return ShiftRight(a, std::countr_zero(static_cast<uint64_t>(divisor)));
  // Browsers check indices of arrays unless they see that they are inside. Chromium's compiler
  // (Tint) knows bounds of u32(i) % 4u, not those of i & 3. GPUs' compilers make one of both.
  bool is_index = a.dtype == DType::kI32 && a.lanes == 1 && non_negative;
  if (!is_index) return a & Like(a, divisor - 1);
  Value bits = EmitConvert(a, DType::kU32);
  return EmitConvert(Remainder(bits, Like(bits, divisor), {}, true), DType::kI32);
}

static Value DivideByConstant(BinaryOp op, const Value& a, int64_t divisor,
                              const OperandFacts& facts) {
  bool floors = op == BinaryOp::kFloorDiv || op == BinaryOp::kFloorMod;
  bool wants_rest = op == BinaryOp::kMod || op == BinaryOp::kFloorMod;
  if (divisor == 0) return Like(a, 0);
  if (divisor == 1) return wants_rest ? Like(a, 0) : a;
  if (divisor == -1 && IsSigned(a.dtype)) return wants_rest ? Like(a, 0) : -a;
  bool non_negative = !IsSigned(a.dtype) || (facts.a_non_negative && divisor > 0);
  if (IsPowerOfTwo(divisor) && (floors || non_negative))
    return DivideByPowerOfTwo(op, a, divisor, non_negative);
  Value b = Like(a, divisor);
  Value quotient;
  if (!wants_rest || !non_negative) quotient = Quotient(a, b);
  if (non_negative || !floors)
    return wants_rest ? Remainder(a, b, quotient, non_negative) : quotient;
  Value rest = Remainder(a, b, quotient, false);
  // All ones where the rest has the wrong sign.
  Value wrong = ShiftRight(divisor > 0 ? rest : -rest, 31);
  return wants_rest ? rest + (wrong & b) : quotient + wrong;
}

static Value Divide(BinaryOp op, const Value& a, const Value& b, const OperandFacts& facts) {
  if (facts.constant_b) return DivideByConstant(op, a, facts.constant_b->integer, facts);
  bool floors = op == BinaryOp::kFloorDiv || op == BinaryOp::kFloorMod;
  bool wants_rest = op == BinaryOp::kMod || op == BinaryOp::kFloorMod;
  bool non_negative = !IsSigned(a.dtype) || (facts.a_non_negative && facts.b_non_negative);
  // Where the quotient is not defined, by 0 or of the lowest number by -1, dividing by 1 instead
  // gives the right rest and, for -1, the right quotient.
  Value is_zero = b == 0.0, undefined = is_zero;
  if (!non_negative) {
    Value overflows = (b == -1.0) & (a == a.code->Constant(Lowest(a.dtype), a.lanes));
    undefined = undefined | overflows;
  }
  Value divisor = Select(undefined, Like(b, 1), b);
  Value quotient;
  if (!wants_rest || !non_negative) quotient = Quotient(a, divisor);
  if (wants_rest) {
    Value rest = Remainder(a, divisor, quotient, non_negative);
    if (non_negative || !floors) return rest;
    Value wrong = (rest != 0.0) & ((rest ^ divisor) < 0.0);
    return Select(wrong, rest + divisor, rest);
  }
  if (!non_negative && floors) {
    Value rest = Remainder(a, divisor, quotient, false);
    Value wrong = (rest != 0.0) & ((rest ^ divisor) < 0.0);
    quotient = Select(wrong, quotient - Like(a, 1), quotient);
  }
  return Select(is_zero, Like(a, 0), quotient);
}

// ---- Powers -----------------------------------------------------------------------------------

// x^n by multiplication, for the small exponents that models have.
static Value SmallPower(const Value& x, int64_t n) {
  if (n == 1) return x;
  Value half = SmallPower(x, n / 2), square = half * half;
  return n % 2 ? square * x : square;
}

static Value EmitPower(const Value& a, const Value& b, const OperandFacts& facts) {
  constexpr double kSmall = 8;
  bool is_float = IsFloat(a.dtype);
  if (facts.constant_b) {
    double exponent = facts.constant_b->AsReal();
    bool negative = exponent < 0;
    if (exponent == 0) return Like(a, 1);
    if (is_float && exponent == 0.5) return EmitUnary(UnaryOp::kSqrt, a);
    if (std::trunc(exponent) == exponent && std::fabs(exponent) <= kSmall &&
        (is_float || !negative)) {
      Value power = SmallPower(a, static_cast<int64_t>(std::fabs(exponent)));
      return negative ? 1.0 / power : power;
    }
  }
  if (!is_float) return IntegerPower(a, b);
  Value power = Power(EmitConvert(a, DType::kF32), EmitConvert(b, DType::kF32));
  return EmitConvert(power, a.dtype);
}

// ---- Binary operations ------------------------------------------------------------------------

static Value EmitShift(BinaryOp op, const Value& a, const Value& b, const OperandFacts& facts) {
  constexpr int64_t kWidth = 32;
  if (facts.constant_b) {
    int64_t bits = facts.constant_b->integer;
    if (bits < 0 || bits >= kWidth) return Like(a, 0);
  }
  Value shifted = op == BinaryOp::kShiftLeft ? ShiftLeft(a, b) : ShiftRight(a, b);
  if (facts.constant_b || facts.shifts_within) return shifted;
  // By the width and more nothing is left; SPIR-V says nothing of it.
  Value fits = b < kWidth;
  if (IsSigned(b.dtype)) fits = (0 <= b) & fits;
  return Select(fits, shifted, Like(a, 0));
}

static Value EmitFloatMod(const Value& a, const Value& b) {
  Value rest = FloatMod(EmitConvert(a, DType::kF32), EmitConvert(b, DType::kF32));
  return EmitConvert(rest, a.dtype);
}

// WGSL divides roughly: 82 / 41 may be less than 2, and its floor 1. Where a whole number is the
// quotient by a constant, it is that.
static Value EmitFloatDivision(const Value& a, const Value& b, const OperandFacts& facts) {
  if (!facts.constant_b) return a / b;
  Value dividend = EmitConvert(a, DType::kF32), divisor = EmitConvert(b, DType::kF32);
  Value quotient = dividend / divisor, whole = EmitUnary(UnaryOp::kRound, quotient);
  return EmitConvert(Select(whole * divisor == dividend, whole, quotient), a.dtype);
}

// The larger or smaller, or NaN if either is: WGSL's max and min may give the other operand then.
// A comparison with a number is false of NaN, and else what it is is told by its bits.
static Value EmitMinMax(bool max, const Value& a, const Value& b, const OperandFacts& facts) {
  if (!IsFloat(a.dtype)) return max ? Max(a, b) : Min(a, b);
  Value takes_b = max ? a < b : b < a;
  bool is_number = facts.constant_b && !std::isnan(facts.constant_b->real);
  if (!is_number) takes_b = takes_b | IsNan(EmitConvert(b, DType::kF32));
  return Select(takes_b, b, a);
}

Value EmitBinary(BinaryOp op, const Value& a, const Value& b, const OperandFacts& facts) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv:
      return IsFloat(a.dtype) ? EmitFloatDivision(a, b, facts) : Divide(op, a, b, facts);
    case BinaryOp::kMod: return IsFloat(a.dtype) ? EmitFloatMod(a, b) : Divide(op, a, b, facts);
    case BinaryOp::kFloorDiv:
    case BinaryOp::kFloorMod: return Divide(op, a, b, facts);
    case BinaryOp::kPow: return EmitPower(a, b, facts);
    case BinaryOp::kMin:
    case BinaryOp::kMax: return EmitMinMax(op == BinaryOp::kMax, a, b, facts);
    case BinaryOp::kAnd: return a & b;
    case BinaryOp::kOr: return a | b;
    case BinaryOp::kXor: return a ^ b;
    case BinaryOp::kShiftLeft:
    case BinaryOp::kShiftRight: return EmitShift(op, a, b, facts);
    case BinaryOp::kDot4: return a.code->DotOfBytes(a, b);
    case BinaryOp::kEqual: return a == b;
    case BinaryOp::kNotEqual: return a != b;
    case BinaryOp::kLess: return a < b;
    case BinaryOp::kLessEqual: return a <= b;
  }
  CHECK(false);
  return {};
}

Value EmitUpdate(loop::Update update, const Value& old, const Value& value) {
  switch (update) {
    case loop::Update::kSet: return value;
    case loop::Update::kAdd: return old + value;
    case loop::Update::kMul: return old * value;
    case loop::Update::kMax: return EmitMinMax(true, old, value, {});
    case loop::Update::kMin: return EmitMinMax(false, old, value, {});
    case loop::Update::kArgMax:
    case loop::Update::kArgMin: break;
  }
  CHECK(false);
  return {};
}

// ---- Conversions ------------------------------------------------------------------------------

Value EmitConvert(const Value& a, DType to) {
  CodeBuilder& code = *a.code;
  if (a.dtype == to) return a;
  if (a.dtype == DType::kBool) {
    return Select(a, code.Constant(Scalar::Of(to, 1), a.lanes),
                  code.Constant(Scalar::Of(to, 0), a.lanes));
  }
  if (to == DType::kBool) return a != 0.0;
  if (IsFloat(a.dtype) && IsFloat(to)) return code.Emit(spv::OpFConvert, to, a.lanes, {a.id});
  if (IsFloat(a.dtype)) return ToInteger(EmitConvert(a, DType::kF32), to);
  if (!IsFloat(to)) return Bitcast(a, to);
  return code.Emit(IsSigned(a.dtype) ? spv::OpConvertSToF : spv::OpConvertUToF, to, a.lanes,
                   {a.id});
}

}  // namespace webnnc::spirv
