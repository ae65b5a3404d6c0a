// Functions of four floats at once that wasm has no instruction for and libm only one by one.
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

// c[0]*x^(n - 1) + ... + c[n - 1]
template <int n>
f32x4 Polynomial(f32x4 x, const float (&c)[n]) {
  f32x4 sum = All(c[0]);
  for (int i = 1; i < n; ++i) sum = sum * x + All(c[i]);
  return sum;
}

// The sum with a number of 24 bits has no bits behind the point: its last ones are those of the
// nearest integer.
constexpr float kWhole = 12582912.0f;

// x = n*ln 2 + r with |r| <= ln(2)/2, and exp(x) = 2^n * exp(r). The polynomial is Cephes' expf
// (S. Moshier).
struct Exponential {
  f32x4 power;  // exp(r)
  i32x4 n;      // plus `bias`, in its last bits
};
Exponential SplitExponential(f32x4 x, float bias) {
  f32x4 whole = x * All(1.44269504088896341f) + All(kWhole + bias);
  f32x4 n = whole - All(kWhole + bias);
  f32x4 r = n * All(-0.693359375f) + x;
  r = n * All(2.12194440e-4f) + r;
  f32x4 p = Polynomial(r, {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                           1.6666665459e-1f, 5.0000001201e-1f, 1.0f, 1.0f});
  return {p, Bits(whole)};
}

}  // namespace

// 2^n is applied in two steps, so that results may be subnormal or overflow: the two have exponents
// whose sum is n + 2*127.
extern "C" f32x4 webnnc_exp_f32x4(f32x4 x) {
  Exponential e = SplitExponential(Max(Min(x, All(89.0f)), All(-104.0f)), 254.0f);
  i32x4 half = (e.n << 22) & All(0x7f800000);
  return e.power * Floats(half) * Floats((e.n << 23) - half);
}

// x = 2^n * m with m in [sqrt(1/2), sqrt(2)); the polynomial is Cephes' logf.
extern "C" f32x4 webnnc_log_f32x4(f32x4 x) {
  i32x4 subnormal = x < All(1.17549435e-38f);
  f32x4 scaled = Choose(subnormal, x * All(8388608.0f), x);
  i32x4 bits = Bits(scaled);
  i32x4 exponent = ((bits >> 23) & All(0xff)) - All(126);
  exponent = exponent - (subnormal & All(23));
  f32x4 m = Floats((bits & All(0x007fffff)) | All(0x3f000000));
  i32x4 low = m < All(0.707106781186547524f);
  exponent = exponent + low;  // true is -1
  f32x4 f = Choose(low, m + m, m) - All(1.0f);
  f32x4 n = __builtin_convertvector(exponent, f32x4);
  f32x4 z = f * f;
  f32x4 p = Polynomial(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                           1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f,
                           3.3333331174e-1f});
  f32x4 y = p * f * z + n * All(-2.12194440e-4f) - z * All(0.5f);
  f32x4 result = f + y + n * All(0.693359375f);
  const f32x4 infinity = All(__builtin_inff());
  result = Choose(x == infinity, infinity, result);
  result = Choose(x == All(0.0f), -infinity, result);
  return Choose((x < All(0.0f)) | (x != x), All(__builtin_nanf("")), result);
}

// Small arguments by Cephes' polynomial, larger ones by 1 - 2/(exp(2|x|) + 1).
extern "C" f32x4 webnnc_tanh_f32x4(f32x4 x) {
  f32x4 a = Min(Abs(x), All(10.0f));
  f32x4 z = a * a;
  f32x4 p = Polynomial(z, {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                           1.33314422036e-1f, -3.33332819422e-1f});
  f32x4 small = p * z * a + a;
  Exponential e = SplitExponential(a + a, 127.0f);
  f32x4 exp = e.power * Floats(e.n << 23);
  f32x4 large = All(1.0f) - All(2.0f) / (exp + All(1.0f));
  f32x4 magnitude = Choose(a < All(0.625f), small, large);
  return Floats(Bits(magnitude) | (Bits(x) & All(INT32_MIN)));
}

// A rational approximation on [-4, 4], beyond which erf is 1 to the last place; the coefficients
// are those Eigen (pfloat erf) and XLA use. Absolute error below 5e-7.
extern "C" f32x4 webnnc_erf_f32x4(f32x4 x) {
  f32x4 c = Max(Min(x, All(4.0f)), All(-4.0f));
  f32x4 z = c * c;
  f32x4 p = Polynomial(z, {-2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f,
                           -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                           -1.60960333262415e-02f});
  f32x4 q = Polynomial(z, {-1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f,
                           -7.37332916720468e-03f, -1.42647390514189e-02f});
  return c * p / q;
}

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
