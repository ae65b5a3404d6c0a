#include <algorithm>
#include <cmath>

#include "graph/ops/cubic.h"
#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> Resize::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  size_t rank = x.shape.size();
  if (sizes.size() != rank || scales.size() != rank) {
    return Error{Describe(kName, operands) + ": sizes and scales need an entry a dimension"};
  }
  bool has_roi = coordinates == CoordinateMode::kTfCropAndResize;
  if (has_roi && (roi_begin.size() != rank || roi_end.size() != rank)) {
    return Error{Describe(kName, operands) + ": the region of interest needs an entry a dimension"};
  }
  if (mode != ResizeMode::kNearest && !IsFloat(x.dtype) && x.dtype == DType::kBool) {
    return Error{"resize: bool cannot be interpolated"};
  }
  return Types{{x.dtype, sizes}};
}

namespace {

// One element of x's part in an element of the result, along one dimension.
struct Sample {
  loop::ExprId index;   // i32, inside x
  loop::ExprId weight;  // f32, or invalid for 1
};

class ResizeLowering {
 public:
  ResizeLowering(const Resize& resize, loop::Lowering& to)
      : resize_(resize), to_(to), b_(to.build), x_(to.Operand(0)) {}

  void Run() {
    LowerMap(to_, [&](const loop::Index& at) {
      std::vector<std::vector<Sample>> samples;
      loop::ExprId inside = b_.Constant(Scalar::Bool(true));
      for (size_t d = 0; d < at.size(); ++d) samples.push_back(SamplesAlong(d, at[d], &inside));
      loop::ExprId value = b_.Convert(Sum(samples, {}, {}), x_.dtype);
      return b_.Select(inside, value, b_.Real(x_.dtype, resize_.extrapolation_value));
    });
  }

 private:
  loop::ExprId Real(double value) { return b_.Real(DType::kF32, value); }
  loop::ExprId ToReal(loop::ExprId i) { return b_.Convert(i, DType::kF32); }

  // The sum over all combinations of samples. Elements keep their type while there is nothing to
  // weigh, so that integers are not rounded.
  loop::ExprId Sum(const std::vector<std::vector<Sample>>& samples, loop::Index index,
                   loop::ExprId weight) {
    size_t d = index.size();
    if (d == samples.size()) {
      loop::ExprId value = b_.Load(to_.operands[0], index);
      return weight.valid() ? b_.Mul(ToReal(value), weight) : value;
    }
    loop::ExprId sum;
    for (const Sample& sample : samples[d]) {
      loop::Index next = index;
      next.push_back(sample.index);
      loop::ExprId product = sample.weight;
      if (weight.valid()) product = product.valid() ? b_.Mul(weight, product) : weight;
      loop::ExprId part = Sum(samples, next, product);
      sum = sum.valid() ? b_.Add(sum, part) : part;
    }
    return sum;
  }

  // Whether a scale might leave the size as it is, in a run: 3 * 1.25 is 3.
  bool MayStay(size_t d) const {
    double scale = resize_.scales[d];
    return scale > 1 && scale < 2 && !x_.shape[d].IsConstant();
  }

  // Whether all sizes stay, in which case the result is x whatever the scales, as where the sizes
  // are known.
  loop::ExprId AllStay() {
    loop::ExprId all = b_.Constant(Scalar::Bool(true));
    for (size_t e = 0; e < x_.shape.size(); ++e) {
      const Dim &in = x_.shape[e], &out = resize_.sizes[e];
      if (in != out) all = b_.And(all, b_.Equal(b_.Size(in), b_.Size(out)));
    }
    return all;
  }

  // 1 / scale along d, as f32.
  loop::ExprId InverseScale(size_t d) {
    loop::ExprId ratio = b_.Div(ToReal(b_.Size(x_.shape[d])), ToReal(b_.Size(resize_.sizes[d])));
    if (resize_.scales[d] == 0) return ratio;
    return ScaleUnlessAllStay(d, Real(1 / resize_.scales[d]));
  }

  // The scale or its inverse, or 1 in a run in which all sizes stay.
  loop::ExprId ScaleUnlessAllStay(size_t d, loop::ExprId scale) {
    return MayStay(d) ? b_.Select(AllStay(), Real(1), scale) : scale;
  }

  // place / scale along d. Nearest elements are told by its last bit, so it is divided there.
  loop::ExprId OverScale(size_t d, loop::ExprId place) {
    double scale = resize_.scales[d];
    bool divides = resize_.mode == ResizeMode::kNearest && scale > 0;
    return divides ? b_.Div(place, ScaleUnlessAllStay(d, Real(scale)))
                   : b_.Mul(place, InverseScale(d));
  }

  // Where element i of the result lies in x.
  loop::ExprId Coordinate(size_t d, loop::ExprId i) {
    const Dim &in = x_.shape[d], &out = resize_.sizes[d];
    loop::ExprId place = ToReal(i);
    auto half_pixel = [&] {
      loop::ExprId middle = OverScale(d, b_.Add(place, Real(0.5)));
      return b_.Sub(middle, Real(0.5));
    };
    switch (resize_.coordinates) {
      case CoordinateMode::kHalfPixel: return half_pixel();
      case CoordinateMode::kPytorchHalfPixel: {
        loop::ExprId many = b_.Less(b_.Int(1), b_.Size(out));
        return b_.Select(many, half_pixel(), Real(0));
      }
      case CoordinateMode::kHalfPixelSymmetric: {
        // The exact scale may differ from the ratio of the rounded sizes; x stays centred.
        loop::ExprId scale = b_.Div(Real(1), InverseScale(d)), width = ToReal(b_.Size(in));
        loop::ExprId adjustment = b_.Div(ToReal(b_.Size(out)), b_.Mul(scale, width));
        loop::ExprId offset = b_.Mul(b_.Mul(width, Real(0.5)), b_.Sub(Real(1), adjustment));
        return b_.Add(offset, half_pixel());
      }
      case CoordinateMode::kAlignCorners: {
        loop::ExprId last_out = ToReal(b_.Size(out - 1)), last_in = ToReal(b_.Size(in - 1));
        loop::ExprId many = b_.Less(b_.Int(1), b_.Size(out));
        return b_.Select(many, b_.Div(b_.Mul(place, last_in), last_out), Real(0));
      }
      case CoordinateMode::kAsymmetric: return OverScale(d, place);
      case CoordinateMode::kTfHalfPixelForNn: return OverScale(d, b_.Add(place, Real(0.5)));
      case CoordinateMode::kTfCropAndResize: {
        loop::ExprId last_out = ToReal(b_.Size(out - 1)), last_in = ToReal(b_.Size(in - 1));
        double begin = resize_.roi_begin[d], end = resize_.roi_end[d];
        loop::ExprId step = b_.Div(b_.Mul(Real(end - begin), last_in), last_out);
        loop::ExprId start = b_.Mul(Real(begin), last_in);
        loop::ExprId many = b_.Less(b_.Int(1), b_.Size(out));
        return b_.Select(many, b_.Add(start, b_.Mul(place, step)),
                         b_.Mul(Real((begin + end) / 2), last_in));
      }
    }
    CHECK(false);
    return {};
  }

  loop::ExprId Clamp(loop::ExprId i, size_t d) {
    return b_.Max(b_.Min(i, b_.Size(x_.shape[d] - 1)), b_.Int(0));
  }

  std::vector<Sample> SamplesAlong(size_t d, loop::ExprId i, loop::ExprId* inside) {
    bool crops = resize_.coordinates == CoordinateMode::kTfCropAndResize;
    bool whole = !crops || (resize_.roi_begin[d] == 0 && resize_.roi_end[d] == 1);
    bool same_scale = resize_.scales[d] == 1 || resize_.scales[d] == 0;
    if (resize_.sizes[d] == x_.shape[d] && same_scale && whole) return {{i, {}}};
    // Weights add up to 1, so of one element nothing is interpolated.
    if (x_.shape[d] == Dim(1) && !crops) return {{b_.Int(0), {}}};
    if (resize_.mode == ResizeMode::kNearest) {
      if (auto exact = ExactNearest(d, i)) return {{*exact, {}}};
      if (auto place = ExactCoordinate(d, i)) return {{Clamp(Nearest(*place), d), {}}};
    }
    loop::ExprId x = Coordinate(d, i);
    if (crops) {
      loop::ExprId last = ToReal(b_.Size(x_.shape[d] - 1));
      *inside = b_.And(*inside, b_.And(b_.LessEqual(Real(0), x), b_.LessEqual(x, last)));
    }
    switch (resize_.mode) {
      case ResizeMode::kNearest: return {{Clamp(Nearest(x), d), {}}};
      case ResizeMode::kLinear: return Linear(d, x);
      case ResizeMode::kCubic: return Cubic(d, x);
    }
    CHECK(false);
    return {};
  }

  // Enlarging by a whole number s repeats each element s times, for every way of rounding that
  // does not move by half a pixel: element i is i / s. No rounding error can spoil that.
  std::optional<loop::ExprId> ExactNearest(size_t d, loop::ExprId i) {
    double scale = resize_.scales[d];
    auto ratio = ExactDiv(resize_.sizes[d], x_.shape[d]);
    if (scale == 0 && ratio && ratio->IsConstant()) scale = static_cast<double>(ratio->value());
    if (scale < 1 || scale != std::floor(scale) || scale > 1 << 20) return std::nullopt;
    auto factor = static_cast<int64_t>(scale);
    if (resize_.sizes[d] != x_.shape[d] * factor) return std::nullopt;
    bool rounds = resize_.nearest == NearestMode::kRoundPreferFloor ||
                  resize_.nearest == NearestMode::kRoundPreferCeil;
    bool half_pixel = resize_.coordinates == CoordinateMode::kHalfPixel && rounds;
    bool floors = resize_.coordinates == CoordinateMode::kAsymmetric &&
                  resize_.nearest == NearestMode::kFloor;
    if (!half_pixel && !floors) return std::nullopt;
    return b_.FloorDiv(i, b_.Int(factor));
  }

  // A quotient of integers: what is rounded must not be rounded before, and devices divide f32 only
  // roughly.
  struct Fraction {
    loop::ExprId numerator, denominator;
  };

  // 1 / scale as a fraction, where that is exact and small.
  std::optional<std::pair<Dim, Dim>> ExactInverseScale(size_t d) const {
    double scale = resize_.scales[d];
    if (scale == 0) return std::pair{x_.shape[d], resize_.sizes[d]};
    if (MayStay(d)) return std::nullopt;
    constexpr int64_t kLargest = 64;
    for (int64_t divisor = 1; divisor <= kLargest; divisor *= 2) {
      double factor = scale * static_cast<double>(divisor);
      if (factor == std::floor(factor) && factor >= 1 && factor <= 1024)
        return std::pair{Dim(divisor), Dim(static_cast<int64_t>(factor))};
    }
    return std::nullopt;
  }

  // Coordinate, where it is one. Indices have 32 bits, so sizes that are known must leave room.
  std::optional<Fraction> ExactCoordinate(size_t d, loop::ExprId i) {
    const Dim &in = x_.shape[d], &out = resize_.sizes[d];
    if (resize_.coordinates == CoordinateMode::kAlignCorners) {
      if (!IsSmall(in) || !IsSmall(out)) return std::nullopt;
      return Fraction{b_.Mul(i, b_.Size(in - 1)), b_.Size(Max(out - 1, 1))};
    }
    auto inverse = ExactInverseScale(d);
    if (!inverse || !IsSmall(inverse->first) || !IsSmall(out)) return std::nullopt;
    loop::ExprId over = b_.Size(inverse->first), under = b_.Size(inverse->second);
    loop::ExprId middle = b_.Mul(b_.Add(b_.Mul(i, b_.Int(2)), b_.Int(1)), over);
    switch (resize_.coordinates) {
      case CoordinateMode::kAsymmetric: return Fraction{b_.Mul(i, over), under};
      case CoordinateMode::kTfHalfPixelForNn: return Fraction{middle, b_.Mul(under, b_.Int(2))};
      case CoordinateMode::kHalfPixel:
        return Fraction{b_.Sub(middle, under), b_.Mul(under, b_.Int(2))};
      case CoordinateMode::kPytorchHalfPixel: {
        loop::ExprId many = b_.Less(b_.Int(1), b_.Size(out));
        return Fraction{b_.Select(many, b_.Sub(middle, under), b_.Int(0)),
                        b_.Mul(under, b_.Int(2))};
      }
      case CoordinateMode::kHalfPixelSymmetric: {
        if (!IsSmall(in)) return std::nullopt;
        loop::ExprId moved = b_.Sub(b_.Mul(b_.Size(in - 1), under), b_.Mul(b_.Size(out), over));
        return Fraction{b_.Add(middle, moved), b_.Mul(under, b_.Int(2))};
      }
      default: return std::nullopt;
    }
  }

  static bool IsSmall(const Dim& size) {
    constexpr int64_t kLargest = 1 << 14;
    return !size.IsConstant() || size.value() <= kLargest;
  }

  loop::ExprId Nearest(const Fraction& x) {
    loop::ExprId n = x.numerator, d = x.denominator, two = b_.Int(2), one = b_.Int(1);
    auto twice = [&](loop::ExprId rest) {
      return b_.FloorDiv(b_.Add(b_.Mul(n, two), rest), b_.Mul(d, two));
    };
    switch (resize_.nearest) {
      case NearestMode::kRoundPreferFloor: return twice(b_.Sub(d, one));
      case NearestMode::kRoundPreferCeil: return twice(d);
      case NearestMode::kFloor: return b_.FloorDiv(n, d);
      case NearestMode::kCeil: return b_.FloorDiv(b_.Add(n, b_.Sub(d, one)), d);
    }
    CHECK(false);
    return {};
  }

  loop::ExprId Nearest(loop::ExprId x) {
    using loop::UnaryOp;
    switch (resize_.nearest) {
      case NearestMode::kRoundPreferFloor:
        x = b_.Apply(UnaryOp::kCeil, b_.Sub(x, Real(0.5)));
        break;
      case NearestMode::kRoundPreferCeil:
        x = b_.Apply(UnaryOp::kFloor, b_.Add(x, Real(0.5)));
        break;
      case NearestMode::kFloor: x = b_.Apply(UnaryOp::kFloor, x); break;
      case NearestMode::kCeil: x = b_.Apply(UnaryOp::kCeil, x); break;
    }
    return b_.Convert(x, DType::kI32);
  }

  std::vector<Sample> Linear(size_t d, loop::ExprId x) {
    // Beyond the ends the nearest element is repeated.
    loop::ExprId last = ToReal(b_.Size(x_.shape[d] - 1));
    loop::ExprId clamped = b_.Max(b_.Min(x, last), Real(0));
    loop::ExprId low = b_.Apply(loop::UnaryOp::kFloor, clamped), part = b_.Sub(clamped, low);
    loop::ExprId index = b_.Convert(low, DType::kI32);
    return {{Clamp(index, d), b_.Sub(Real(1), part)}, {Clamp(b_.Add(index, b_.Int(1)), d), part}};
  }

  std::vector<Sample> Cubic(size_t d, loop::ExprId x) {
    loop::ExprId low = b_.Apply(loop::UnaryOp::kFloor, x);
    std::vector<Sample> samples;
    loop::ExprId first = b_.Convert(low, DType::kI32), total = Real(0);
    for (loop::ExprId weight : CubicTaps(b_, b_.Sub(x, low), resize_.cubic_coefficient)) {
      auto k = static_cast<int64_t>(samples.size());
      loop::ExprId index = b_.Add(first, b_.Int(k - 1));
      if (resize_.exclude_outside) {
        loop::ExprId within = b_.Within(index, b_.Int(0), b_.Size(x_.shape[d]));
        weight = b_.Select(within, weight, Real(0));
      }
      total = b_.Add(total, weight);
      samples.push_back({Clamp(index, d), weight});
    }
    if (resize_.exclude_outside) {
      for (Sample& sample : samples) sample.weight = b_.Div(sample.weight, total);
    }
    return samples;
  }

  const Resize& resize_;
  loop::Lowering& to_;
  loop::Builder& b_;
  TensorType x_;
};

}  // namespace

void Resize::Lower(loop::Lowering& to) const { ResizeLowering(*this, to).Run(); }

Result<Types> Resample::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &taps = operands[1];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  if (!IsFloat(x.dtype) || taps.dtype != DType::kF32 || taps.rank() != 2)
    return Error{Describe(kName, operands) + ": the taps do not fit"};
  TensorType result = x;
  result.shape[static_cast<size_t>(axis)] = taps.shape[0];
  return Types{result};
}

void Resample::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const auto d = static_cast<size_t>(axis);
  const Dim taps = to.Operand(1).shape[1] - 1;
  const Shape shape = to.Result().shape;
  loop::BufferId sum = AccumulatorFor(to);
  DType sum_type = to.kernel.buffers[sum].type.dtype;
  b.ForEach(shape, [&](const loop::Index& at) {
    b.For("tap", taps, [&](loop::ExprId tap) {
      loop::Index source = at;
      loop::ExprId first = b.Convert(b.Load(to.operands[1], {at[d], b.Int(0)}), DType::kI32);
      source[d] = b.Add(first, tap);
      loop::ExprId weight = b.Load(to.operands[1], {at[d], b.Add(tap, b.Int(1))});
      loop::ExprId value = b.Convert(b.Load(to.operands[0], source), sum_type);
      b.Reduce(sum, at, b.Mul(value, b.Convert(weight, sum_type)), loop::Update::kAdd);
    });
  });
  Finish(to, sum);
}

}  // namespace webnnc::graph
