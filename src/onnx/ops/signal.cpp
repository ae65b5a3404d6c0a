// Spectra.
#include "onnx/ops/signal.h"

#include <cmath>
#include <complex>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;

// A tensor of reals, rounded to its type.
Tensor RealTensor(TensorType type, const std::vector<double>& values) {
  std::vector<uint8_t> bytes(values.size() * static_cast<size_t>(ByteSize(type.dtype)));
  for (size_t i = 0; i < values.size(); ++i)
    WriteScalar(bytes.data(), static_cast<int64_t>(i), Scalar::Of(type.dtype, values[i]));
  return {std::move(type), TensorData::Own(std::move(bytes))};
}

// ---- Fourier transforms -----------------------------------------------------------------------
//
// Complex numbers are pairs in the last dimension, and a transform of n elements is a product of
// rows [r, n * parts] with a matrix [n * parts, k * 2]: one kernel that schedules know. Its matrix
// has n^2 elements, so longer ones are made of shorter ones.
//
//   n = a * b      Cooley and Tukey: transforms of a elements, factors, transforms of b elements.
//                  400 = 20 * 20 takes 3 of 10 multiplications and a matrix of 6 kB instead of 640.
//   n is prime     Bluestein: a convolution with a chirp, by transforms of a power of two.
//
// Angles are fractions of integers until they are computed, in f64, as the model is compiled.

namespace {

using Complex = std::complex<double>;

// What is transformed at once; a prime that is not much longer, too.
constexpr int64_t kLongestDirect = 64, kLongestPrime = 256;
constexpr int64_t kLongestTransform = 1 << 20;

// exp(2 pi i * numerator / denominator)
Complex Turn(int64_t numerator, int64_t denominator) {
  double angle =
      2 * M_PI * static_cast<double>(numerator % denominator) / static_cast<double>(denominator);
  return {std::cos(angle), std::sin(angle)};
}

class Fourier {
 public:
  // With `sign` -1 the transform, with 1 its inverse without the factor 1 / n.
  Fourier(Formula& f, DType dtype, int64_t sign) : f_(f), dtype_(dtype), sign_(sign) {}

  // x[rows, n, parts] to [rows, results, 2], of which there are at most n. A part is real, two are
  // complex.
  Term Transform(Term x, const Dim& rows, int64_t n, int64_t parts, int64_t results) {
    int64_t factor = FactorOf(n);
    if (n <= kLongestDirect || (factor == 1 && n <= kLongestPrime))
      return Direct(x, rows, n, parts, results);
    Term all = factor > 1 ? Split(x, rows, factor, n / factor, parts) : Chirp(x, rows, n, parts);
    return results == n ? all : Slice(all, 1, 0, results);
  }

  // Of a spectrum x[rows, n / 2 + 1, 2] of n real numbers these, [rows, n, 1]; times n.
  Term RealOf(Term x, const Dim& rows, int64_t n) {
    int64_t bins = n / 2 + 1;
    if (n > kLongestDirect) {
      // The other half mirrors what is there: X[n - k] is conjugate to X[k].
      Term whole = x;
      if (n - bins > 0) {
        Shape shape{rows, n - bins, 2};
        Term mirrored =
            f_.Add(graph::Slice{{0, n - bins, 0}, {rows, n - bins, 2}, {1, -1, 1}}, {x});
        whole = Concat({x, mirrored * Table({2}, {1, -1})}, 1);
      }
      return Slice(Transform(RealEnds(whole, rows, n), rows, n, 2, n), 2, 0, 1);
    }
    std::vector<double> matrix;
    for (int64_t k = 0; k < bins; ++k) {
      double weight = k == 0 || 2 * k == n ? 1 : 2;
      for (int part = 0; part < 2; ++part) {
        for (int64_t i = 0; i < n; ++i) {
          Complex turn = weight * Turn(k * i, n);
          matrix.push_back(part == 0 ? turn.real() : -turn.imag());
        }
      }
    }
    Term product =
        f_.Add(graph::MatMul{}, {Reshape(x, {rows, bins * 2}), Table({bins * 2, n}, matrix)});
    return Reshape(product, {rows, n, 1});
  }

 private:
  // The largest divisor of n up to its root.
  static int64_t FactorOf(int64_t n) {
    auto factor = static_cast<int64_t>(std::sqrt(static_cast<double>(n)) + 0.5);
    while (factor > 1 && n % factor != 0) --factor;
    return std::max<int64_t>(factor, 1);
  }

  Term Table(const Shape& shape, const std::vector<double>& values) {
    return f_.Take(f_.context().AddConstant(RealTensor({dtype_, shape}, values)));
  }

  Term Direct(Term x, const Dim& rows, int64_t n, int64_t parts, int64_t results) {
    std::vector<double> matrix;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t part = 0; part < parts; ++part) {
        for (int64_t k = 0; k < results; ++k) {
          Complex turn = Turn(sign_ * i * k, n);
          if (part == 1) turn *= Complex(0, 1);
          matrix.push_back(turn.real());
          matrix.push_back(turn.imag());
        }
      }
    }
    Term product = f_.Add(graph::MatMul{},
                          {Reshape(x, {rows, n * parts}), Table({n * parts, results * 2}, matrix)});
    return Reshape(product, {rows, results, 2});
  }

  // The product of complex x with factors of the given shape, [..., 2]: (re, im) * cos and
  // (im, re) * (-sin, sin) added up.
  Term Multiply(Term x, Shape shape, const std::vector<Complex>& factors) {
    std::vector<double> straight, crossed;
    for (const Complex& factor : factors) {
      straight.insert(straight.end(), {factor.real(), factor.real()});
      crossed.insert(crossed.end(), {-factor.imag(), factor.imag()});
    }
    const Shape all = f_.TypeOf(x).shape;
    if (all.empty()) return x;
    graph::Slice swap{graph::Sizes1D(all.size(), 0), all, Integers(all.size(), 1)};
    swap.starts.back() = 1;
    swap.steps.back() = -1;
    Term swapped = f_.Add(swap, {x});
    return x * Table(shape, straight) + swapped * Table(shape, crossed);
  }

  // Element b*i + j of x and a*l + k of the result: transforms of a elements i for each j, factors
  // turn(j * k / n), transforms of b elements j for each k.
  Term Split(Term x, const Dim& rows, int64_t a, int64_t b, int64_t parts) {
    Term columns = Transpose(Reshape(x, {rows, a, b, parts}), {0, 2, 1, 3});
    Term first = Transform(Reshape(columns, {rows * b, a, parts}), rows * b, a, parts, a);
    std::vector<Complex> factors;
    for (int64_t j = 0; j < b; ++j) {
      for (int64_t k = 0; k < a; ++k) factors.push_back(Turn(sign_ * j * k, a * b));
    }
    Term turned = Multiply(Reshape(first, {rows, b, a, 2}), {b, a, 2}, factors);
    Term lines = Reshape(Transpose(turned, {0, 2, 1, 3}), {rows * a, b, 2});
    Term second = Reshape(Transform(lines, rows * a, b, 2, b), {rows, a, b, 2});
    return Reshape(Transpose(second, {0, 2, 1, 3}), {rows, a * b, 2});
  }

  // 2ik is i^2 + k^2 - (k - i)^2, so the transform is a convolution with turn((k - i)^2 / 2n),
  // between products with turn(i^2 / 2n); it goes round in a power of two.
  Term Chirp(Term x, const Dim& rows, int64_t n, int64_t parts) {
    int64_t length = 1;
    while (length < 2 * n - 1) length *= 2;
    std::vector<Complex> chirp, around(static_cast<size_t>(length));
    for (int64_t i = 0; i < n; ++i) {
      chirp.push_back(Turn(sign_ * (i * i % (2 * n)), 2 * n));
      auto at = static_cast<size_t>(i);
      around[at] = around[static_cast<size_t>((length - i) % length)] = std::conj(chirp[at]);
    }
    Spectrum(around);
    for (Complex& value : around) value /= static_cast<double>(length);
    Term zero = f_.Number(0, dtype_);
    graph::Pad to_complex{{0, 0, 0}, {0, 0, 2 - parts}, graph::PadMode::kConstant};
    if (parts == 1) x = f_.Add(to_complex, {x, zero});
    graph::Pad longer{{0, 0, 0}, {0, length - n, 0}, graph::PadMode::kConstant};
    Term padded = f_.Add(longer, {Multiply(x, {n, 2}, chirp), zero});
    Fourier forth(f_, dtype_, -1), back(f_, dtype_, 1);
    Term spectrum = Multiply(forth.Transform(padded, rows, length, 2, length), {length, 2}, around);
    Term convolved = back.Transform(spectrum, rows, length, 2, n);
    return Multiply(convolved, {n, 2}, chirp);
  }

  // The transform of a power of two of numbers, in place.
  static void Spectrum(std::vector<Complex>& values) {
    size_t n = values.size();
    if (n == 1) return;
    std::vector<Complex> even, odd;
    for (size_t i = 0; i < n; i += 2) {
      even.push_back(values[i]);
      odd.push_back(values[i + 1]);
    }
    Spectrum(even);
    Spectrum(odd);
    for (size_t k = 0; k < n / 2; ++k) {
      Complex turned = odd[k] * Turn(-static_cast<int64_t>(k), static_cast<int64_t>(n));
      values[k] = even[k] + turned;
      values[k + n / 2] = even[k] - turned;
    }
  }

  // A spectrum of real numbers is real at 0 and in the middle, whatever is said there.
  Term RealEnds(Term x, const Dim& rows, int64_t n) {
    std::vector<double> kept;
    for (int64_t k = 0; k < n; ++k) kept.insert(kept.end(), {1, k == 0 || 2 * k == n ? 0.0 : 1.0});
    return Reshape(x * Table({n, 2}, kept), {rows, n, 2});
  }

  Formula& f_;
  DType dtype_;
  int64_t sign_;
};

// A transform of as many elements as a run has: its matrix is computed in the run.
Term OpenTransform(Formula& f, Term x, const Dim& rows, const Dim& n, int64_t parts,
                   const Dim& results, DType dtype, int64_t sign) {
  // i * k fits 32 bits.
  constexpr int64_t kLongest = 46340;
  f.context().AssumeLessEqual(n, kLongest);
  Term i = Reshape(f.Iota(n, DType::kI32), {n, 1}), k = f.Iota(results, DType::kI32);
  Term length = f.Size(n, DType::kI32), place = FloorMod(i * k, length);
  // An eighth of a turn to either side of a quarter keeps the last digits of the angle.
  Term quarter = FloorDiv(place * 8 + length, length * 2);
  Term angle = Cast(place * 4 - quarter * length, dtype) / f.Size(n, dtype) * (M_PI / 2);
  Term cos = Cos(angle), sin = Unary(graph::Function::kSin, angle);
  Term is_odd = (quarter & f.Number(1, DType::kI32)) == 1;
  auto turned = [&](Term even, Term odd, Term is_negative) {
    Term value = Where(is_odd, odd, even);
    return Where(is_negative, -value, value);
  };
  Term half = FloorMod(quarter, f.Number(4, DType::kI32));
  Term real = turned(cos, sin, (half == 1) | (half == 2));
  Term imaginary = turned(sin, cos, f.Number(2, DType::kI32) <= half);
  if (sign < 0) imaginary = -imaginary;
  auto part = [&](int64_t which) { return Reshape(Slice(x, 2, which, 1), {rows, n}); };
  auto product = [&](Term a, Term b) { return f.Add(graph::MatMul{}, {a, b}); };
  Term re = product(part(0), real), im = product(part(0), imaginary);
  if (parts == 2) {
    re = re - product(part(1), imaginary);
    im = im + product(part(1), real);
  }
  const Shape shape{rows, results, 1};
  return Concat({Reshape(re, shape), Reshape(im, shape)}, 2);
}

// The real numbers of a spectrum x[rows, n / 2 + 1, 2] of as many as a run has, times n: the other
// half mirrors what is there, and is conjugate to it. At 0 and in the middle it is real.
Term OpenRealOf(Formula& f, Term x, const Dim& rows, const Dim& n, DType dtype) {
  Term k = f.Iota(n, DType::kI32), length = f.Size(n, DType::kI32);
  Term is_given = k * 2 <= length;
  Term whole = f.Add(graph::Gather{1}, {x, Where(is_given, k, length - k)});
  Term sign = Where(is_given, f.Number(1, dtype), f.Number(-1, dtype));
  Term is_real = (k == 0) | (k * 2 == length);
  sign = Reshape(Where(is_real, f.Number(0, dtype), sign), {n, 1});
  Term parts = Concat({Slice(whole, 2, 0, 1), Slice(whole, 2, 1, 1) * sign}, 2);
  return Slice(OpenTransform(f, parts, rows, n, 2, n, dtype, 1), 2, 0, 1);
}

// x with the elements of dimension `axis` cut, or zeros behind them.
Term Resized(Term x, const Shape& shape, int64_t axis, const Dim& size, DType dtype) {
  const Dim& own = shape[static_cast<size_t>(axis)];
  if (own == size) return x;
  graph::Pad pad{graph::Sizes1D(shape.size(), 0), graph::Sizes1D(shape.size(), 0),
                 graph::PadMode::kConstant};
  pad.end[static_cast<size_t>(axis)] = Max(size - own, 0);
  Term padded = x.formula->Add(pad, {x, x.formula->Number(0, dtype)});
  return Slice(padded, axis, 0, size);
}

struct Transform {
  Dim length;
  bool inverse = false, onesided = false;
};

// The transform of x[..., n, parts] along the dimension before its last.
Result<Term> Transformed(Formula& f, Term x, const Shape& shape, const Transform& transform,
                         DType dtype) {
  const int64_t parts = shape.back().value(), sign = transform.inverse ? 1 : -1;
  const Dim n = transform.length, rows = ElementCount(Shape(shape.begin(), shape.end() - 2));
  if (n.IsConstant() && (n.value() < 1 || n.value() > kLongestTransform))
    return Error{"transforms of " + Print(n) + " elements are not supported"};
  bool to_real = transform.inverse && transform.onesided;
  // What is read of x: a spectrum of real numbers has half of it.
  const Dim taken = to_real ? FloorDiv(n, 2) + 1 : n;
  const Dim results = transform.onesided && !to_real ? FloorDiv(n, 2) + 1 : n;
  Term given = Resized(x, shape, static_cast<int64_t>(shape.size()) - 2, taken, dtype);
  Term flat = Reshape(given, {rows, taken, parts});
  Term result = flat;
  if (to_real) {
    if (parts != 2) return Error{"a spectrum is complex"};
    result = n.IsConstant() ? Fourier(f, dtype, sign).RealOf(flat, rows, n.value())
                            : OpenRealOf(f, flat, rows, n, dtype);
  } else if (n.IsConstant()) {
    result = Fourier(f, dtype, sign).Transform(flat, rows, n.value(), parts, results.value());
  } else {
    result = OpenTransform(f, flat, rows, n, parts, results, dtype, sign);
  }
  if (transform.inverse) result = result / f.Size(n, dtype);
  Shape whole(shape.begin(), shape.end() - 2);
  whole.push_back(results);
  whole.push_back(to_real ? 1 : 2);
  return Reshape(result, whole);
}

Status CheckParts(const TensorType& type) {
  bool fits = type.rank() >= 2 && IsFloat(type.dtype) &&
              (type.shape.back().Is(1) || type.shape.back().Is(2));
  if (fits) return kSuccess;
  return Error{"x is " + Print(type) + ", not real or complex numbers"};
}

DType PreciseType(DType dtype) { return dtype == DType::kF16 ? DType::kF32 : dtype; }

}  // namespace

namespace {

// How long the transform of `size` elements is.
Result<Transform> ReadTransform(NodeContext& c, const Dim& size) {
  Transform transform{size, c.Int("inverse", 0) != 0, c.Int("onesided", 0) != 0};
  bool to_real = transform.inverse && transform.onesided;
  if (to_real) transform.length = (transform.length - 1) * 2;
  if (c.Has(1)) {
    TRY_ASSIGN(auto length, c.Sizes(1));
    if (length.size() != 1) return Error{"the length is not a scalar"};
    transform.length = length[0];
  }
  return transform;
}

// Along an axis that only a run knows: it is put behind all others, and back.
Result<Values> TransformByData(NodeContext& c) {
  const TensorType type = c.Type(0);
  const DType dtype = PreciseType(type.dtype);
  const int64_t outer = type.rank() - 1;
  Formula f(c);
  Term axis = IntegersOf(f, 2, 1);
  // Negative ones count from the end of all dimensions.
  axis = Where(axis < 0, axis + static_cast<double>(type.rank()), axis);
  const Shape shape(type.shape.begin(), type.shape.end() - 1);
  // Each part by itself.
  std::vector<Term> rows;
  std::optional<AxesLast> apart;
  for (int64_t part = 0; part < type.shape.back().value(); ++part) {
    Term plane = Reshape(Slice(Cast(f(c[0]), dtype), outer, part, 1), shape);
    TRY_ASSIGN(apart, AxesLast::Of(f, plane, axis));
    rows.push_back(Reshape(apart->matrix(), {apart->others(), apart->inner(), 1}));
  }
  TRY_ASSIGN(auto transform, ReadTransform(c, apart->inner()));
  const Shape given{apart->others(), apart->inner(), type.shape.back()};
  TRY_ASSIGN(auto result, Transformed(f, Concat(rows, 2), given, transform, dtype));
  TRY(f.Result(result));
  const Shape matrix = f.TypeOf(result).shape;
  // The axis has another size now.
  Term sizes = Where(apart->named(), f.Size(matrix[1], DType::kI64), f.Sizes(shape));
  TRY_ASSIGN(auto vector, f.Result(sizes));
  TRY_ASSIGN(auto out, c.DefineSizes(vector, "shape"));
  std::vector<Term> parts;
  Shape with_part = out;
  with_part.push_back(1);
  for (int64_t part = 0; part < matrix[2].value(); ++part) {
    Term plane = Reshape(Slice(result, 2, part, 1), {matrix[0], matrix[1]});
    parts.push_back(Reshape(apart->WithShape(out).Back(plane), with_part));
  }
  TRY_ASSIGN(auto id, f.Result(Cast(Concat(parts, outer), type.dtype)));
  return Values{id};
}

}  // namespace

// The axis is an attribute up to opset 19 and an operand since.
static Result<Values> ImportDFT(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY(CheckParts(type));
  int64_t given = c.Int("axis", c.opset() < 20 ? 1 : -2);
  if (c.opset() >= 20 && c.Has(2)) {
    TRY_ASSIGN(int64_t count, c.Length(2));
    if (count != 1) return Error{"the axis is not a scalar"};
    TRY_ASSIGN(auto axes, c.FindIntegers(2));
    if (!axes) return TransformByData(c);
    given = (*axes)[0];
  }
  TRY_ASSIGN(auto axis, c.Axis(given, type.rank()));
  if (axis == type.rank() - 1) return Error{"the axis is that of real and imaginary parts"};
  TRY_ASSIGN(auto transform, ReadTransform(c, type.shape[static_cast<size_t>(axis)]));
  // The axis comes before the last, and goes back.
  Integers order;
  for (int64_t d = 0; d < type.rank() - 1; ++d) {
    if (d != axis) order.push_back(d);
  }
  order.insert(order.end(), {axis, type.rank() - 1});
  Integers back(order.size());
  Shape shape;
  for (size_t d = 0; d < order.size(); ++d) {
    back[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
    shape.push_back(type.shape[static_cast<size_t>(order[d])]);
  }
  DType dtype = PreciseType(type.dtype);
  Formula f(c);
  Term x = Transpose(Cast(f(c[0]), dtype), order);
  TRY_ASSIGN(auto result, Transformed(f, x, shape, transform, dtype));
  TRY_ASSIGN(auto id, f.Result(Cast(Transpose(result, back), type.dtype)));
  return Values{id};
}

// Transforms of pieces of a signal[batch, n, parts], each a step behind the one before. Of real
// numbers exporters leave out the dimension of parts, and ONNX Runtime takes that.
static Result<Values> ImportSTFT(NodeContext& c) {
  TensorType type = c.Type(0);
  if (type.rank() == 2) type.shape.push_back(1);
  TRY(CheckParts(type));
  if (type.rank() != 3) return Error{"the signal is " + Print(type)};
  TRY_ASSIGN(auto steps, c.Sizes(1));
  if (steps.size() != 1 || ProvablyLess(steps[0], 1) || ProvablyLess(INT32_MAX, steps[0]))
    return Error{"frame_step is not a number from 1 to " + std::to_string(INT32_MAX)};
  if (!steps[0].IsConstant()) c.AssumeLessEqual(1, steps[0]);
  Dim length;
  if (c.Has(3)) {
    TRY_ASSIGN(auto lengths, c.Sizes(3));
    if (lengths.size() != 1) return Error{"frame_length is not a scalar"};
    length = lengths[0];
  } else if (c.Has(2) && c.Type(2).rank() == 1) {
    length = c.Type(2).shape[0];
  } else {
    return Error{"neither a window nor frame_length says how long frames are"};
  }
  if (c.Has(2)) TRY(c.CheckVector("window", c[2], length, "element of a frame"));
  const Dim count = FloorDiv(type.shape[1] - length, steps[0]) + 1;
  if (count.IsConstant() && count.value() < 1)
    return Error{"frames of " + Print(length) + " are longer than the signal, " + Print(type)};
  if (!count.IsConstant()) c.AssumeLessEqual(length, type.shape[1]);
  DType dtype = PreciseType(type.dtype);
  Formula f(c);
  Term starts = Reshape(f.Iota(count, DType::kI32) * f.Size(steps[0], DType::kI32), {count, 1});
  Term places = starts + f.Iota(length, DType::kI32);
  Term signal = Reshape(f(c[0]), type.shape);
  Term frames = Cast(f.Add(graph::Gather{1}, {signal, places}), dtype);
  if (c.Has(2)) frames = frames * Cast(Reshape(f(c[2]), {length, 1}), dtype);
  Transform transform{length, false, c.Int("onesided", 1) != 0};
  const Shape shape{type.shape[0], count, length, type.shape[2]};
  TRY_ASSIGN(auto result, Transformed(f, frames, shape, transform, dtype));
  TRY_ASSIGN(auto id, f.Result(Cast(result, type.dtype)));
  return Values{id};
}

static constexpr Operator kOperators[] = {
    {"", "DFT", 1, ImportDFT},
    {"", "STFT", 2, ImportSTFT},
};

std::span<const Operator> SignalOperators() { return kOperators; }

}  // namespace webnnc::onnx
