// Functions of floats that wasm has no instruction for and libm only one by one: of a vector of
// four, and of two and four such vectors at once. Steps of a function wait for each other, so that
// one vector leaves a core waiting; several are computed side by side, step by step.
//
// Each agrees with the correctly rounded result within 2 units in the last place where the result
// is not subnormal, unless said otherwise; tests/web/math.test.mjs measures that. With relaxed SIMD
// kernels round a product and its sum once, where the engine does (codegen.cpp).
#include <stdint.h>

namespace {

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));

f32x4 All(float x) { return f32x4{x, x, x, x}; }
i32x4 All(int32_t x) { return i32x4{x, x, x, x}; }
i32x4 Bits(f32x4 x) { return (i32x4)x; }
f32x4 Floats(i32x4 x) { return (f32x4)x; }
f32x4 Choose(i32x4 condition, f32x4 yes, f32x4 no) {
  return Floats((condition & Bits(yes)) | (~condition & Bits(no)));
}
f32x4 Abs(f32x4 x) { return Floats(Bits(x) & All(0x7fffffff)); }
// As wasm's pmin and pmax: a, if it is NaN.
f32x4 Min(f32x4 a, f32x4 b) { return b < a ? b : a; }
f32x4 Max(f32x4 a, f32x4 b) { return a < b ? b : a; }

template <int count>
struct Vectors {
  f32x4 at[count];
};

// A step of all vectors.
template <int count, typename Step, typename... More>
Vectors<count> Each(Step step, const Vectors<count>& x, const More&... more) {
  Vectors<count> y;
  for (int i = 0; i < count; ++i) y.at[i] = step(x.at[i], more.at[i]...);
  return y;
}

// c[0]*x^(terms - 1) + ... + c[terms - 1]. Of several vectors it is a loop: instruction selection
// makes trees of what is used once, which would put each vector's steps after each other.
template <int terms>
Vectors<1> Polynomial(const Vectors<1>& x, const float (&c)[terms]) {
  f32x4 sum = All(c[0]);
  for (int i = 1; i < terms; ++i) sum = sum * x.at[0] + All(c[i]);
  return {sum};
}
template <int count, int terms>
Vectors<count> Polynomial(const Vectors<count>& x, const float (&c)[terms]) {
  Vectors<count> sum = Each([&](f32x4 x) { return All(c[0]) * x + All(c[1]); }, x);
#pragma clang loop unroll(disable)
  for (int i = 2; i < terms; ++i)
    sum = Each([&](f32x4 sum, f32x4 x) { return sum * x + All(c[i]); }, sum, x);
  return sum;
}

// The sum with a number of 24 bits has no bits behind the point: its last ones are those of the
// nearest integer.
constexpr float kWhole = 12582912.0f;

// x = n*ln 2 + r with |r| <= ln(2)/2, and exp(x) = 2^n * exp(r). The polynomial is Cephes' expf
// (S. Moshier).
template <int count>
struct Exponential {
  Vectors<count> power;  // exp(r)
  Vectors<count> whole;  // n plus `bias`, in its last bits
};
template <int count>
Exponential<count> SplitExponential(const Vectors<count>& x, float bias) {
  const f32x4 shift = All(kWhole + bias);
  Vectors<count> whole = Each([=](f32x4 x) { return x * All(1.44269504088896341f) + shift; }, x);
  Vectors<count> r = Each(
      [=](f32x4 x, f32x4 whole) {
        f32x4 n = whole - shift;
        f32x4 r = n * All(-0.693359375f) + x;
        return n * All(2.12194440e-4f) + r;
      },
      x, whole);
  static constexpr float kTerms[] = {1.9875691500e-4f,
                                     1.3981999507e-3f,
                                     8.3334519073e-3f,
                                     4.1665795894e-2f,
                                     1.6666665459e-1f,
                                     5.0000001201e-1f,
                                     1.0f,
                                     1.0f};
  Vectors<count> p = Polynomial(r, kTerms);
  return {p, whole};
}

// 2^n is applied in two steps, so that results may be subnormal or overflow: the two have exponents
// whose sum is n + 2*127.
template <int count>
Vectors<count> Exp(const Vectors<count>& x) {
  auto bounded = [](f32x4 x) { return Max(Min(x, All(89.0f)), All(-104.0f)); };
  Exponential<count> e = SplitExponential(Each(bounded, x), 254.0f);
  auto scaled = [](f32x4 power, f32x4 whole) {
    i32x4 half = (Bits(whole) << 22) & All(0x7f800000);
    return power * Floats(half) * Floats((Bits(whole) << 23) - half);
  };
  return Each(scaled, e.power, e.whole);
}

// x = 2^n * m with m in [sqrt(1/2), sqrt(2)); the polynomial is Cephes' logf.
template <int count>
Vectors<count> Log(const Vectors<count>& x) {
  struct Parts {
    f32x4 f;  // m - 1
    i32x4 exponent;
  };
  auto split = [](f32x4 x) -> Parts {
    i32x4 subnormal = x < All(1.17549435e-38f);
    i32x4 bits = Bits(Choose(subnormal, x * All(8388608.0f), x));
    i32x4 exponent = ((bits >> 23) & All(0xff)) - All(126);
    exponent = exponent - (subnormal & All(23));
    f32x4 m = Floats((bits & All(0x007fffff)) | All(0x3f000000));
    i32x4 low = m < All(0.707106781186547524f);
    // True is -1.
    return {Choose(low, m + m, m) - All(1.0f), exponent + low};
  };
  Vectors<count> f = Each([&](f32x4 x) { return split(x).f; }, x);
  static constexpr float kTerms[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                     -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                     2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  Vectors<count> p = Polynomial(f, kTerms);
  auto finish = [&](f32x4 x, f32x4 f, f32x4 p) {
    f32x4 n = __builtin_convertvector(split(x).exponent, f32x4);
    f32x4 z = f * f;
    f32x4 y = p * f * z + n * All(-2.12194440e-4f) - z * All(0.5f);
    f32x4 result = f + y + n * All(0.693359375f);
    const f32x4 infinity = All(__builtin_inff());
    result = Choose(x == infinity, infinity, result);
    result = Choose(x == All(0.0f), -infinity, result);
    return Choose((x < All(0.0f)) | (x != x), All(__builtin_nanf("")), result);
  };
  return Each(finish, x, f, p);
}

// Small arguments by Cephes' polynomial, larger ones by 1 - 2/(exp(2|x|) + 1).
template <int count>
Vectors<count> Tanh(const Vectors<count>& x) {
  Vectors<count> a = Each([](f32x4 x) { return Min(Abs(x), All(10.0f)); }, x);
  Vectors<count> z = Each([](f32x4 a) { return a * a; }, a);
  static constexpr float kTerms[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                     1.33314422036e-1f, -3.33332819422e-1f};
  Vectors<count> p = Polynomial(z, kTerms);
  Vectors<count> small = Each([](f32x4 p, f32x4 z, f32x4 a) { return p * z * a + a; }, p, z, a);
  Exponential<count> e = SplitExponential(Each([](f32x4 a) { return a + a; }, a), 127.0f);
  auto finish = [](f32x4 x, f32x4 a, f32x4 small, f32x4 power, f32x4 whole) {
    f32x4 exp = power * Floats(Bits(whole) << 23);
    f32x4 large = All(1.0f) - All(2.0f) / (exp + All(1.0f));
    f32x4 magnitude = Choose(a < All(0.625f), small, large);
    return Floats(Bits(magnitude) | (Bits(x) & All(INT32_MIN)));
  };
  return Each(finish, x, a, small, e.power, e.whole);
}

// A rational approximation on [-4, 4], beyond which erf is 1 to the last place; the coefficients
// are those Eigen (pfloat erf) and XLA use. Absolute error below 5e-7.
template <int count>
Vectors<count> Erf(const Vectors<count>& x) {
  Vectors<count> c = Each([](f32x4 x) { return Max(Min(x, All(4.0f)), All(-4.0f)); }, x);
  Vectors<count> z = Each([](f32x4 c) { return c * c; }, c);
  static constexpr float kAbove[] = {-2.72614225801306e-10f, 2.77068142495902e-08f,
                                     -2.10102402082508e-06f, -5.69250639462346e-05f,
                                     -7.34990630326855e-04f, -2.95459980854025e-03f,
                                     -1.60960333262415e-02f};
  Vectors<count> p = Polynomial(z, kAbove);
  p = Each([](f32x4 c, f32x4 p) { return c * p; }, c, p);
  static constexpr float kBelow[] = {-1.45660718464996e-05f, -2.13374055278905e-04f,
                                     -1.68282697438203e-03f, -7.37332916720468e-03f,
                                     -1.42647390514189e-02f};
  Vectors<count> q = Polynomial(z, kBelow);
  return Each([](f32x4 p, f32x4 q) { return p / q; }, p, q);
}

}  // namespace

#define WEBNNC_FUNCTION(name, Function)                                              \
  extern "C" f32x4 webnnc_##name##_f32x4(f32x4 x) { return Function<1>({x}).at[0]; } \
  extern "C" void webnnc_##name##_f32x4_2(Vectors<2>* x) { *x = Function<2>(*x); }   \
  extern "C" void webnnc_##name##_f32x4_4(Vectors<4>* x) { *x = Function<4>(*x); }

WEBNNC_FUNCTION(exp, Exp)
WEBNNC_FUNCTION(log, Log)
WEBNNC_FUNCTION(tanh, Tanh)
WEBNNC_FUNCTION(erf, Erf)

namespace {

template <typename T>
T Power(T base, uint64_t exponent) {
  uint64_t result = 1, square = (uint64_t)base;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= square;
    square *= square;
  }
  return (T)result;
}

}  // namespace

extern "C" uint64_t webnnc_pow_u64(uint64_t base, uint64_t exponent) {
  return Power(base, exponent);
}

extern "C" int64_t webnnc_pow_i64(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  return Power(base, (uint64_t)exponent);
}
