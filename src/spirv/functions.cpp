#include "spirv/functions.h"

#include <cmath>
#include <limits>

namespace webnnc::spirv {

// ---- Functions of the module ------------------------------------------------------------------

using Arguments = std::vector<Value>;

// Calls the function of the module that has this name, which `body` writes on the first call.
static Value CallFunction(std::string name, const std::vector<std::string>& parameters,
                          const Arguments& arguments, DType result,
                          const std::function<Value(const Arguments&)>& body) {
  ModuleBuilder& module = arguments[0].code->module();
  int32_t lanes = arguments[0].lanes;
  if (lanes > 1) name += "_vec" + std::to_string(lanes);
  spv::Id& function = module.named_functions()[name];
  if (!function) {
    CodeBuilder code(module);
    Arguments inside;
    for (size_t i = 0; i < arguments.size(); ++i) {
      inside.push_back(code.Parameter(arguments[i].dtype, lanes, parameters[i]));
    }
    Value value = body(inside);
    function = code.Finish(name, value);
  }
  return arguments[0].code->Call(function, result, lanes, arguments);
}

// For functions with control flow, which is a thing of scalars.
static Value LaneByLane(const Arguments& arguments,
                        const std::function<Value(const Arguments&)>& scalar) {
  std::vector<Value> lanes;
  for (int32_t lane = 0; lane < arguments[0].lanes; ++lane) {
    Arguments parts;
    for (const Value& argument : arguments) {
      parts.push_back(argument.code->Extract(argument, lane));
    }
    lanes.push_back(scalar(parts));
  }
  return arguments[0].code->Construct(lanes);
}

static Value Polynomial(const Value& x, const std::vector<double>& highest_first) {
  Value sum = Like(x, highest_first[0]);
  for (size_t i = 1; i < highest_first.size(); ++i) sum = sum * x + highest_first[i];
  return sum;
}

static Value WithSignOf(const Value& sign, const Value& magnitude) {
  return Select(sign < 0.0, -magnitude, magnitude);
}

static Value Sqrt(const Value& x) { return x.code->Math(GLSLstd450Sqrt, {x}); }
static Value Exp(const Value& x) { return x.code->Math(GLSLstd450Exp, {x}); }
static Value Floor(const Value& x) { return x.code->Math(GLSLstd450Floor, {x}); }

static constexpr double kPi = 3.14159265358979323846;
static constexpr double kLog2 = 0.69314718055994530942;
static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
static constexpr double kInfinity = std::numeric_limits<double>::infinity();

// WGSL leaves open what a logarithm of 0, of what is negative and of infinity is, and engines take
// it from the bits: -88 of 0, 88.7 of infinity. Models tell these apart from numbers.
static Value OrdinaryLogarithm(GLSLstd450 function, const Value& x) {
  Value is_ordinary = (0.0 < x) & (x <= Like(x, std::numeric_limits<float>::max()));
  Value other = Select(x < 0.0, Like(x, kNan), Select(x == 0.0, Like(x, -kInfinity), x));
  return Select(is_ordinary, x.code->Math(function, {x}), other);
}

Value Log(const Value& x) {
  return CallFunction("logarithm", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return OrdinaryLogarithm(GLSLstd450Log, a[0]); });
}

// ---- Transcendental functions -----------------------------------------------------------------

// WebGPU lets tanh and sinh be computed from exponentials, whose difference has no digits left near
// 0: an error of 1e-5 or more, whatever the argument. Both are odd power series there.

// Cephes 2.2, single precision, tanhf.c. Above, tanh is 1 - 2/(exp(2x) + 1), and 1 to the last
// place from 10 on.
static Value TanhBody(const Value& x) {
  Value a = Abs(x), square = x * x;
  Value below = Polynomial(square, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2,
                                    1.33314422036e-1, -3.33332819422e-1});
  below = below * square * x + x;
  Value power = Exp(Min(a, Like(x, 15)) * 2.0);
  Value above = 1.0 - 2.0 / (power + 1.0);
  // So that NaN goes the way that keeps it.
  return Select(0.625 <= a, WithSignOf(x, above), below);
}

Value Tanh(const Value& x) {
  return CallFunction("hyperbolic_tangent", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return TanhBody(a[0]); });
}

static Value SinhBody(const Value& x) {
  Value square = x * x;
  Value below = Polynomial(square, {1.0 / 362880, 1.0 / 5040, 1.0 / 120, 1.0 / 6});
  below = below * square * x + x;
  return Select(1.0 <= Abs(x), x.code->Math(GLSLstd450Sinh, {x}), below);
}

Value Sinh(const Value& x) {
  return CallFunction("hyperbolic_sine", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return SinhBody(a[0]); });
}

// S. L. Moshier, Cephes Mathematical Library 2.2, single precision, ndtrf.c: a polynomial up to 1,
// and 1 - exp(-x^2)/x * P(1/x^2) above. Its second table, for x > 2, matters only to the relative
// error of erfc.
static Value ErfBody(const Value& x) {
  Value square = x * x;
  Value below =
      Polynomial(square, {7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3,
                          -2.685381193529856e-2, 1.128358514861418e-1, -3.761262582423300e-1,
                          1.283791670955126e-1});
  below = below * x + x;
  Value magnitude = Max(Abs(x), Like(x, 1));
  Value inverse = 1.0 / magnitude;
  Value above = Polynomial(inverse * inverse,
                           {2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1,
                            -5.824733027278666e-1, 6.210004621745983e-1, -4.944515323274145e-1,
                            3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1});
  above = 1.0 - Exp(-magnitude * magnitude) * inverse * above;
  // So that NaN goes the way that keeps it.
  return Select(1.0 <= Abs(x), WithSignOf(x, above), below);
}

Value Erf(const Value& x) {
  return CallFunction("erf", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return ErfBody(a[0]); });
}

// The sine of x + quarters * pi/2: Cephes 2.2, single precision, sinf.c, with the argument brought
// to [-pi/4, pi/4] by subtracting quarter turns in three parts, of which the first is so short that
// its multiples are exact.
static Value SineBody(const Value& x, int quarters) {
  CodeBuilder& code = *x.code;
  Value turns = code.Math(GLSLstd450RoundEven, {x * (2 / kPi)});
  Value rest = x - turns * 1.5703125;
  rest = rest - turns * 4.837512969970703e-4;
  rest = rest - turns * 7.549789954891882e-8;
  Value square = rest * rest;
  Value sine = Polynomial(square, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  sine = sine * square * rest + rest;
  Value cosine =
      Polynomial(square, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  cosine = cosine * square * square - square * 0.5 + 1.0;
  // Odd quarters have the cosine; of each four, two are negative.
  Value half = quarters ? (turns + quarters) * 0.5 : turns * 0.5;
  Value pairs = Floor(half);
  Value magnitude = Select(pairs == half, sine, cosine);
  return Select(Floor(pairs * 0.5) == pairs * 0.5, magnitude, -magnitude);
}

Value Sin(const Value& x) {
  return CallFunction("sine", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return SineBody(a[0], 0); });
}

Value Cos(const Value& x) {
  return CallFunction("cosine", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return SineBody(a[0], 1); });
}

Value Tan(const Value& x) { return Sin(x) / Cos(x); }

// M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 4.4.49, for |x| <= 1; above,
// atan(x) = pi/2 - atan(1/x).
static Value AtanBody(const Value& x) {
  Value magnitude = Abs(x);
  Value large = 1.0 < magnitude;
  Value t = Select(large, 1.0 / magnitude, magnitude);
  Value square = t * t;
  Value sum = Polynomial(square, {0.0028662257, -0.0161657367, 0.0429096138, -0.0752896400,
                                  0.1065626393, -0.1420889944, 0.1999355085, -0.3333314528});
  Value angle = sum * square * t + t;
  return WithSignOf(x, Select(large, kPi / 2 - angle, angle));
}

Value Atan(const Value& x) {
  return CallFunction("arctan", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return AtanBody(a[0]); });
}

Value Asin(const Value& x) { return Atan(x / Sqrt((1.0 - x) * (1.0 + x))); }
Value Acos(const Value& x) { return Atan(Sqrt((1.0 - x) / (1.0 + x))) * 2.0; }

// The logarithm's own error is absolute, so near 0 the functions below need their power series;
// far out, squaring would overflow.
static constexpr double kFar = 4096;

static Value AsinhBody(const Value& x) {
  Value a = Abs(x), square = a * a;
  Value near = a * Polynomial(square, {-15.0 / 336, 3.0 / 40, -1.0 / 6, 1});
  Value middle = Log(a + Sqrt(square + 1.0)), far = Log(a) + kLog2;
  return WithSignOf(x, Select(a < 0.2, near, Select(a < kFar, middle, far)));
}

Value Asinh(const Value& x) {
  return CallFunction("inverse_sinh", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return AsinhBody(a[0]); });
}

static Value AcoshBody(const Value& x) {
  Value t = x - 1.0;
  Value near = Sqrt(t * 2.0) * Polynomial(t, {-5.0 / 896, 3.0 / 160, -1.0 / 12, 1});
  Value middle = Log(x + Sqrt(t * (x + 1.0))), far = Log(x) + kLog2;
  return Select(t < 0.06, near, Select(x < kFar, middle, far));
}

Value Acosh(const Value& x) {
  return CallFunction("inverse_cosh", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return AcoshBody(a[0]); });
}

static Value AtanhBody(const Value& x) {
  Value a = Abs(x);
  Value near = a * Polynomial(a * a, {1.0 / 7, 1.0 / 5, 1.0 / 3, 1});
  Value far = Log((1.0 + a) / (1.0 - a)) * 0.5;
  return WithSignOf(x, Select(a < 0.15, near, far));
}

Value Atanh(const Value& x) {
  return CallFunction("inverse_tanh", {"x"}, {x}, DType::kF32,
                      [](const Arguments& a) { return AtanhBody(a[0]); });
}

// ---- Powers and remainders --------------------------------------------------------------------

// exp2(y * log2|x|), with the sign and the exceptions of C's pow.
static Value PowerBody(const Value& x, const Value& y) {
  CodeBuilder& code = *x.code;
  Value magnitude = code.Math(GLSLstd450Exp2, {y * OrdinaryLogarithm(GLSLstd450Log2, Abs(x))});
  Value half = y * 0.5;
  Value is_integer = Floor(y) == y, is_even = Floor(half) == half;
  Value negative = Select(is_even, magnitude, -magnitude);
  negative = Select(is_integer, negative, Like(x, kNan));
  return Select(y == 0.0, Like(x, 1), Select(x < 0.0, negative, magnitude));
}

Value Power(const Value& x, const Value& y) {
  return CallFunction("power", {"x", "y"}, {x, y}, DType::kF32,
                      [](const Arguments& a) { return PowerBody(a[0], a[1]); });
}

// Long division in binary: takes away the largest multiple b * 2^k, then the next smaller. Every
// step is exact, and there are at most 277 of them, as many as there are exponents.
static Value FloatModBody(const Value& a, const Value& b) {
  CodeBuilder& code = *a.code;
  Value largest = Like(a, std::numeric_limits<float>::max());
  Value dividend = Abs(a), divisor = Abs(b);
  // False for what has no remainder: a that is not finite, b that is 0 (as subnormal numbers may
  // be here) or NaN.
  Value exists = (dividend <= largest) & (std::numeric_limits<float>::min() <= divisor);
  divisor = Select(exists, Min(divisor, largest), Like(a, 1));
  Pointer rest = code.Variable(DType::kF32, 1, "rest");
  Pointer part = code.Variable(DType::kF32, 1, "part");
  code.Store(rest, Select(exists, dividend, Like(a, 0)));
  code.Store(part, divisor);
  code.While([&] { return code.Load(part) <= code.Load(rest) * 0.5; },
             [&] { code.Store(part, code.Load(part) * 2.0); });
  code.While([&] { return divisor <= code.Load(part); },
             [&] {
               code.If(code.Load(part) <= code.Load(rest),
                       [&] { code.Store(rest, code.Load(rest) - code.Load(part)); });
               code.Store(part, code.Load(part) * 0.5);
             });
  return Select(exists, WithSignOf(a, code.Load(rest)), Like(a, kNan));
}

Value FloatMod(const Value& a, const Value& b) {
  return LaneByLane({a, b}, [](const Arguments& lane) {
    return CallFunction("fmod", {"a", "b"}, lane, DType::kF32,
                        [](const Arguments& x) { return FloatModBody(x[0], x[1]); });
  });
}

static Value IntegerPowerBody(const Value& base, const Value& exponent) {
  CodeBuilder& code = *base.code;
  Pointer result = code.Variable(base.dtype, 1, "result");
  Pointer square = code.Variable(base.dtype, 1, "square");
  Pointer left = code.Variable(base.dtype, 1, "left");
  code.Store(result, Like(base, 1));
  code.Store(square, base);
  code.Store(left, Max(exponent, Like(base, 0)));
  code.While([&] { return code.Load(left) != 0.0; },
             [&] {
               code.If((code.Load(left) & Like(base, 1)) != 0.0,
                       [&] { code.Store(result, code.Load(result) * code.Load(square)); });
               code.Store(square, code.Load(square) * code.Load(square));
               code.Store(left, ShiftRight(code.Load(left), 1));
             });
  Value power = code.Load(result);
  if (base.dtype == DType::kU32) return power;
  // 1 / base^|exponent|, rounded toward 0.
  Value is_odd = (exponent & Like(base, 1)) != 0.0;
  Value of_minus_one = Select(is_odd, Like(base, -1), Like(base, 1));
  Value inverse = Select(base == -1.0, of_minus_one, Like(base, 0));
  inverse = Select(base == 1.0, Like(base, 1), inverse);
  return Select(exponent < 0.0, inverse, power);
}

Value IntegerPower(const Value& base, const Value& exponent) {
  std::string name = "power_" + std::string(Name(base.dtype));
  return LaneByLane({base, exponent}, [&](const Arguments& lane) {
    return CallFunction(name, {"base", "exponent"}, lane, base.dtype,
                        [](const Arguments& x) { return IntegerPowerBody(x[0], x[1]); });
  });
}

// ---- Bits and conversions ---------------------------------------------------------------------

// By its bits, since compilers may assume that a number equals itself.
Value IsNan(const Value& x) {
  Value bits = Bitcast(x, DType::kU32);
  return Like(bits, 0x7f800000) < (bits & Like(bits, 0x7fffffff));
}

Value Opaque(const Value& x) { return Select(Like(x, Highest(x.dtype).real) < x, x + x, x); }

static Value ToIntegerBody(const Value& x, DType to) {
  CodeBuilder& code = *x.code;
  bool is_signed = to == DType::kI32;
  double low = is_signed ? -0x1p31 : 0, end = is_signed ? 0x1p31 : 0x1p32;
  // The largest f32 below `end`, since outside its range the conversion is undefined.
  double high = std::nextafter(static_cast<float>(end), 0.0f);
  Value clamped = Min(Max(x, Like(x, low)), Like(x, high));
  Value inside =
      code.Emit(is_signed ? spv::OpConvertFToS : spv::OpConvertFToU, to, x.lanes, {clamped.id});
  Value saturated = Select(end <= x, code.Constant(Highest(to), x.lanes), inside);
  return Select(IsNan(x), Like(inside, 0), saturated);
}

Value ToInteger(const Value& x, DType to) {
  return CallFunction("to_" + std::string(Name(to)), {"x"}, {x}, to,
                      [to](const Arguments& a) { return ToIntegerBody(a[0], to); });
}

}  // namespace webnnc::spirv
