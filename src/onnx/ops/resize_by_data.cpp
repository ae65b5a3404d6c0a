#include "onnx/ops/resize_by_data.h"

#include "graph/ops/cubic.h"

namespace webnnc::onnx {

using graph::CoordinateMode;
using graph::NearestMode;
using graph::ReduceKind;
using graph::ResizeMode;
using loop::BinaryOp;

namespace {

constexpr DType kReal = DType::kF32;

class Axis {
 public:
  Axis(const ResizeByData& resize, size_t i, Term x)
      : resize_(resize),
        f_(*x.formula),
        d_(resize.axes[i]),
        in_(f_.TypeOf(x).shape[d_]),
        out_(resize.sizes[i]),
        scale_(Element(resize.scales, i)) {
    if (resize.roi) {
      begin_ = Element(*resize.roi, i);
      end_ = Element(*resize.roi, i + resize.axes.size());
    }
  }

  Term Run(Term x) {
    coordinate_ = Coordinate();
    if (resize_.attributes.mode == ResizeMode::kNearest) return Take(x, Nearest());
    const TensorType type = f_.TypeOf(x);
    DType wide = type.dtype == DType::kF64 ? DType::kF64 : kReal;
    Term real = Cast(x, wide);
    Term result = resize_.antialias ? Weighted(real) : SumOfTaps(real);
    return Cast(result, type.dtype);
  }

  // Which elements of the result lie in x, as they broadcast to it.
  Term Inside(Term x) {
    Term inside = (f_.Number(0, kReal) <= coordinate_) & (coordinate_ <= Last(in_));
    return Upright(inside, f_.TypeOf(x).shape.size());
  }

 private:
  Term Element(Term vector, size_t i) {
    return Reshape(Slice(vector, 0, static_cast<int64_t>(i), 1), {});
  }
  Term Last(const Dim& size) { return f_.Size(size - 1, kReal); }

  // Where each element of the result lies in x.
  Term Coordinate() {
    Term place = f_.Iota(out_, kReal);
    Term half_pixel = (place + 0.5) / scale_ - 0.5;
    bool single = out_.Is(1), may_be_single = MayBeOne(out_);
    // Of one element alone, a formula of its own.
    auto unless_single = [&](Term many, Term one) {
      if (single) return one + place;
      return may_be_single ? Where(Last(out_) <= 0, one, many) : many;
    };
    Term zero = f_.Number(0, kReal);
    switch (resize_.attributes.coordinates) {
      case CoordinateMode::kAlignCorners:
        return unless_single(place * Last(in_) / Max(Last(out_), 1), zero);
      case CoordinateMode::kAsymmetric: return place / scale_;
      case CoordinateMode::kTfHalfPixelForNn: return (place + 0.5) / scale_;
      case CoordinateMode::kPytorchHalfPixel: return unless_single(half_pixel, zero);
      case CoordinateMode::kHalfPixelSymmetric: {
        Term in = f_.Size(in_, kReal);
        Term adjustment = f_.Size(out_, kReal) / (scale_ * in);
        return half_pixel + in * 0.5 * (-adjustment + 1);
      }
      case CoordinateMode::kTfCropAndResize: {
        Term step = (end_ - begin_) * Last(in_) / Max(Last(out_), 1);
        return unless_single(begin_ * Last(in_) + place * step, (begin_ + end_) * 0.5 * Last(in_));
      }
      case CoordinateMode::kHalfPixel: break;
    }
    return half_pixel;
  }

  // The nearest elements, as numbers.
  Term Nearest() {
    if (resize_.rounds_by_scale) return Where(scale_ < 1, Ceil(coordinate_), Floor(coordinate_));
    switch (resize_.attributes.nearest) {
      case NearestMode::kRoundPreferFloor: return Ceil(coordinate_ - 0.5);
      case NearestMode::kRoundPreferCeil: return Floor(coordinate_ + 0.5);
      case NearestMode::kCeil: return Ceil(coordinate_);
      case NearestMode::kFloor: break;
    }
    return Floor(coordinate_);
  }

  // x at these places, those outside moved to its ends.
  Term Take(Term x, Term places) {
    Term index = Min(Max(Cast(places, DType::kI32), 0), f_.Size(in_ - 1, DType::kI32));
    return f_.Add(graph::Gather{static_cast<int64_t>(d_)}, {x, index});
  }

  // A vector along this dimension of `rank` ones.
  Term Upright(Term vector, size_t rank) {
    Shape shape(rank - d_, 1);
    shape[0] = out_;
    return Reshape(vector, shape);
  }

  // The sampling kernel at a distance that is not negative: a triangle, or Keys' cubic.
  Term Kernel(Term distance) {
    Term zero = f_.Number(0, kReal);
    if (resize_.attributes.mode == ResizeMode::kLinear) return Max(-distance + 1, 0);
    auto polynomial = [&](const graph::Polynomial3& of) {
      return ((distance * of[0] + of[1]) * distance + of[2]) * distance + of[3];
    };
    graph::CubicWeights weights(resize_.attributes.cubic_coefficient);
    return Where(distance <= 1, polynomial(weights.near),
                 Where(distance < 2, polynomial(weights.far), zero));
  }

  Term SumOfTaps(Term x) {
    bool linear = resize_.attributes.mode == ResizeMode::kLinear;
    Term base = Floor(coordinate_), zero = f_.Number(0, kReal), sum = zero, total = zero;
    for (int tap = linear ? 0 : -1; tap <= (linear ? 1 : 2); ++tap) {
      Term place = base + tap, weight = Kernel(Abs(coordinate_ - place));
      if (resize_.attributes.exclude_outside && !linear) {
        Term inside = (zero <= place) & (place <= Last(in_));
        weight = Where(inside, weight, zero);
      }
      total = total + weight;
      Term wide = Cast(Upright(weight, f_.TypeOf(x).shape.size()), f_.TypeOf(x).dtype);
      Term part = Take(x, place) * wide;
      sum = sum.id == zero.id ? part : sum + part;
    }
    if (!resize_.attributes.exclude_outside || linear) return sum;
    return sum / Cast(Upright(total, f_.TypeOf(x).shape.size()), f_.TypeOf(x).dtype);
  }

  // Where x shrinks sampling is widened, so that shrinking averages: every element of x has a
  // weight for every one of the result. What lies outside of x, as far as sampling reaches, counts
  // for its ends.
  Term Weighted(Term x) {
    Term scale = Min(scale_, 1), zero = f_.Number(0, kReal);
    // A result of one element reaches twice as far as x is long.
    const Dim reach = in_ * 2 + 2, all = in_ + reach * 2;
    Term place = f_.Iota(all, kReal) - f_.Size(reach, kReal);
    Term weights = Kernel(Abs(place - Reshape(coordinate_, {out_, 1})) * scale);
    auto part = [&](const Dim& first, const Dim& size) { return Slice(weights, 1, first, size); };
    Term inner = part(reach, in_);
    if (!resize_.attributes.exclude_outside) {
      auto sum = [&](const Dim& first) {
        return Reduce(ReduceKind::kSum, part(first, reach), {1}, true);
      };
      Term i = f_.Iota(in_, kReal);
      inner = inner + Where(i <= 0, sum(0), zero) + Where(Last(in_) <= i, sum(reach + in_), zero);
    }
    inner = inner / Reduce(ReduceKind::kSum, inner, {1}, true);
    const Shape shape = f_.TypeOf(x).shape;
    auto middle = shape.begin() + static_cast<int64_t>(d_);
    const Dim before = ElementCount(Shape(shape.begin(), middle));
    const Dim behind = ElementCount(Shape(middle + 1, shape.end()));
    Term product = f_.Add(graph::MatMul{},
                          {Cast(inner, f_.TypeOf(x).dtype), Reshape(x, {before, in_, behind})});
    Shape result = shape;
    result[d_] = out_;
    return Reshape(product, result);
  }

  const ResizeByData& resize_;
  Formula& f_;
  size_t d_;
  Dim in_, out_;
  Term scale_, begin_{}, end_{}, coordinate_{};
};

}  // namespace

Term Resized(const ResizeByData& resize, Term x) {
  if (!x.id.valid()) return x;
  Formula& f = *x.formula;
  std::optional<Term> inside;
  for (size_t i = 0; i < resize.axes.size(); ++i) {
    Axis axis(resize, i, x);
    x = axis.Run(x);
    if (!x.id.valid()) return x;
    if (!resize.roi) continue;
    Term here = axis.Inside(x);
    inside = inside ? *inside & here : here;
  }
  if (!inside) return x;
  return Where(*inside, x, f.Number(resize.attributes.extrapolation_value, f.TypeOf(x).dtype));
}

}  // namespace webnnc::onnx
