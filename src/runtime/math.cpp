// Functions of four floats at once that wasm has no instruction for and libm only one by one.
//
// Each agrees with the correctly rounded result within 2 units in the last place where the result
// is not subnormal, unless said otherwise; tests/runtime/math_test.mjs measures that.
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
f32x4 Min(f32x4 a, f32x4 b) { return Choose(b < a, b, a); }
f32x4 Max(f32x4 a, f32x4 b) { return Choose(a < b, b, a); }

// 2^n for integers n in [-126, 127].
f32x4 PowerOfTwo(i32x4 n) { return Floats((n + All(127)) << 23); }

}  // namespace

// x = n*ln 2 + r with |r| <= ln(2)/2, and exp(x) = 2^n * exp(r). The polynomial is Cephes' expf
// (S. Moshier). 2^n is applied in two steps, so that results may be subnormal or overflow.
extern "C" f32x4 webnnc_exp_f32x4(f32x4 x) {
  f32x4 clamped = Min(Max(x, All(-104.0f)), All(89.0f));
  f32x4 n = __builtin_elementwise_roundeven(clamped * All(1.44269504088896341f));
  f32x4 r = clamped - n * All(0.693359375f);
  r = r - n * All(-2.12194440e-4f);
  f32x4 p = All(1.9875691500e-4f);
  p = p * r + All(1.3981999507e-3f);
  p = p * r + All(8.3334519073e-3f);
  p = p * r + All(4.1665795894e-2f);
  p = p * r + All(1.6666665459e-1f);
  p = p * r + All(5.0000001201e-1f);
  p = p * (r * r) + r + All(1.0f);
  i32x4 whole = __builtin_convertvector(n, i32x4);
  i32x4 half = whole >> 1;
  f32x4 result = p * PowerOfTwo(half) * PowerOfTwo(whole - half);
  return Choose(x != x, x, result);
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
  f32x4 p = All(7.0376836292e-2f);
  p = p * f + All(-1.1514610310e-1f);
  p = p * f + All(1.1676998740e-1f);
  p = p * f + All(-1.2420140846e-1f);
  p = p * f + All(1.4249322787e-1f);
  p = p * f + All(-1.6668057665e-1f);
  p = p * f + All(2.0000714765e-1f);
  p = p * f + All(-2.4999993993e-1f);
  p = p * f + All(3.3333331174e-1f);
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
  f32x4 p = All(-5.70498872745e-3f);
  p = p * z + All(2.06390887954e-2f);
  p = p * z + All(-5.37397155531e-2f);
  p = p * z + All(1.33314422036e-1f);
  p = p * z + All(-3.33332819422e-1f);
  f32x4 small = p * z * a + a;
  f32x4 large = All(1.0f) - All(2.0f) / (webnnc_exp_f32x4(a + a) + All(1.0f));
  f32x4 magnitude = Choose(a < All(0.625f), small, large);
  f32x4 result = Floats(Bits(magnitude) | (Bits(x) & All(INT32_MIN)));
  return Choose(x != x, x, result);
}

// A rational approximation on [-4, 4], beyond which erf is 1 to the last place; the coefficients
// are those Eigen (pfloat erf) and XLA use. Absolute error below 5e-7.
extern "C" f32x4 webnnc_erf_f32x4(f32x4 x) {
  f32x4 c = Min(Max(x, All(-4.0f)), All(4.0f));
  f32x4 z = c * c;
  f32x4 p = All(-2.72614225801306e-10f);
  p = p * z + All(2.77068142495902e-08f);
  p = p * z + All(-2.10102402082508e-06f);
  p = p * z + All(-5.69250639462346e-05f);
  p = p * z + All(-7.34990630326855e-04f);
  p = p * z + All(-2.95459980854025e-03f);
  p = p * z + All(-1.60960333262415e-02f);
  f32x4 q = All(-1.45660718464996e-05f);
  q = q * z + All(-2.13374055278905e-04f);
  q = q * z + All(-1.68282697438203e-03f);
  q = q * z + All(-7.37332916720468e-03f);
  q = q * z + All(-1.42647390514189e-02f);
  f32x4 result = c * p / q;
  return Choose(x != x, x, result);
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
