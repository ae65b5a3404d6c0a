// sample: x between its elements.
#include "graph/ops/cubic.h"
#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> Sample::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &places = operands[1];
  Error misfit{Describe(kName, operands) + ": they do not fit"};
  int64_t spatial = x.rank() - 2;
  constexpr int64_t kMostDimensions = 3;
  bool fits = spatial >= 1 && spatial <= kMostDimensions && places.rank() >= 2 &&
              (places.dtype == DType::kF32 || places.dtype == DType::kF64) &&
              places.shape.back().Is(spatial);
  if (!fits) return misfit;
  if (operands.size() == 3) {
    const TensorType& images = operands[2];
    bool indexes = images.dtype == DType::kI32 || images.dtype == DType::kI64;
    if (!indexes || images.shape != Shape{places.shape[0]}) return misfit;
  } else if (places.shape[0] != x.shape[0]) {
    return misfit;
  }
  if (mode != SampleMode::kNearest && x.dtype == DType::kBool)
    return Error{"sample: bool cannot be interpolated"};
  Shape shape{places.shape[0], x.shape[1]};
  shape.insert(shape.end(), places.shape.begin() + 1, places.shape.end() - 1);
  return Types{{x.dtype, shape}};
}

// One set of places an image, or an image's index for each.
std::vector<EqualSizes> Sample::Equal(std::span<const TensorType> operands) const {
  size_t images = operands.size() == 3 ? 2 : 0;
  if (operands[images].shape.empty() || operands[1].shape.empty()) return {};
  return {{{{images, 0}, {1, 0}}}};
}

namespace {

class SampleLowering {
 public:
  SampleLowering(const Sample& sample, loop::Lowering& to)
      : sample_(sample), to_(to), b_(to.build), x_(to.Operand(0)), real_(to.Operand(1).dtype) {}

  void Run() {
    LowerMap(to_, [&](const loop::Index& at) {
      std::vector<std::vector<Tap>> taps;
      for (size_t d = 0; d + 2 < x_.shape.size(); ++d) taps.push_back(TapsAlong(d, Place(at, d)));
      loop::ExprId image = at[0];
      if (to_.operands.size() == 3)
        image = ClampedIndex(b_, b_.Load(to_.operands[2], {at[0]}), x_.shape[0]);
      loop::ExprId inside = b_.Constant(Scalar::Bool(true));
      return b_.Convert(Sum(taps, {image, at[1]}, inside), x_.dtype);
    });
  }

 private:
  // An element that takes part, along one dimension.
  struct Tap {
    loop::ExprId index;   // i32, inside x
    loop::ExprId inside;  // bool: whether it is one of x's, or else counts as zero
    loop::ExprId weight;  // invalid for 1
  };

  loop::ExprId Real(double value) { return b_.Real(real_, value); }
  loop::ExprId Floor(loop::ExprId x) { return b_.Apply(loop::UnaryOp::kFloor, x); }
  const Dim& SizeOf(size_t d) const { return x_.shape[d + 2]; }

  loop::ExprId Place(const loop::Index& at, size_t d) {
    loop::Index index{at[0]};
    index.insert(index.end(), at.begin() + 2, at.end());
    index.push_back(b_.Int(static_cast<int64_t>(d)));
    return b_.Load(to_.operands[1], index);
  }

  // The sum over the taps of the dimensions that are left. A nearest element keeps its type.
  loop::ExprId Sum(const std::vector<std::vector<Tap>>& taps, const loop::Index& index,
                   loop::ExprId inside) {
    size_t d = index.size() - 2;
    if (d == taps.size()) {
      loop::ExprId value = b_.Load(to_.operands[0], index);
      if (sample_.mode != SampleMode::kNearest) value = b_.Convert(value, real_);
      return b_.Select(inside, value, b_.Constant(Scalar::Of(b_.dtype(value), 0)));
    }
    loop::ExprId sum;
    for (const Tap& tap : taps[d]) {
      loop::Index next = index;
      next.push_back(tap.index);
      loop::ExprId part = Sum(taps, next, b_.And(inside, tap.inside));
      if (tap.weight.valid()) part = b_.Mul(part, tap.weight);
      sum = sum.valid() ? b_.Add(sum, part) : part;
    }
    return sum;
  }

  std::vector<Tap> TapsAlong(size_t d, loop::ExprId place) {
    if (sample_.mode == SampleMode::kNearest) place = b_.Apply(loop::UnaryOp::kRound, place);
    place = Near(d, place);
    switch (sample_.mode) {
      case SampleMode::kNearest: return {TapAt(d, b_.Convert(place, DType::kI32), {})};
      case SampleMode::kLinear: return Linear(d, place);
      case SampleMode::kCubic: return Cubic(d, place);
    }
    CHECK(false);
    return {};
  }

  // A place that is far outside, moved to where the same is seen and 32 bits hold it.
  loop::ExprId Near(size_t d, loop::ExprId place) {
    loop::ExprId size = b_.Convert(b_.Size(SizeOf(d)), real_);
    loop::ExprId last = b_.Sub(size, Real(1));
    double edge = sample_.mirror_centers ? 0 : -0.5;
    loop::ExprId low = Real(edge), high = b_.Sub(last, low);
    loop::ExprId outside = b_.Or(b_.Less(place, low), b_.Less(high, place));
    switch (sample_.padding) {
      case SamplePadding::kZeros:
      case SamplePadding::kBorder: {
        // The taps of a cubic reach two elements to either side.
        constexpr double kFar = 4;
        return b_.Max(b_.Min(place, b_.Add(size, Real(kFar))), Real(-kFar));
      }
      case SamplePadding::kReflection: {
        loop::ExprId width = b_.Max(b_.Sub(high, low), Real(1)), from_low = b_.Sub(place, low);
        loop::ExprId period = b_.Mul(width, Real(2));
        loop::ExprId turns = Floor(b_.Div(from_low, period));
        loop::ExprId rest = b_.Sub(from_low, b_.Mul(turns, period));
        loop::ExprId mirrored = b_.Add(b_.Min(rest, b_.Sub(period, rest)), low);
        return b_.Select(outside, b_.Max(b_.Min(mirrored, high), low), place);
      }
    }
    CHECK(false);
    return {};
  }

  Tap TapAt(size_t d, loop::ExprId index, loop::ExprId weight) {
    loop::ExprId size = b_.Size(SizeOf(d)), last = b_.Size(SizeOf(d) - 1), zero = b_.Int(0);
    loop::ExprId inside = b_.Constant(Scalar::Bool(true));
    if (sample_.padding == SamplePadding::kZeros) inside = b_.Within(index, zero, size);
    if (sample_.padding == SamplePadding::kReflection) {
      Dim period = sample_.mirror_centers ? Max((SizeOf(d) - 1) * 2, 1) : Max(SizeOf(d) * 2, 1);
      Dim back = sample_.mirror_centers ? period : period - 1;
      index = b_.FloorMod(index, b_.Size(period));
      index = b_.Min(index, b_.Sub(b_.Size(back), index));
    }
    return {b_.Max(b_.Min(index, last), zero), inside, weight};
  }

  std::vector<Tap> Linear(size_t d, loop::ExprId place) {
    loop::ExprId low = Floor(place), part = b_.Sub(place, low);
    loop::ExprId index = b_.Convert(low, DType::kI32);
    return {TapAt(d, index, b_.Sub(Real(1), part)), TapAt(d, b_.Add(index, b_.Int(1)), part)};
  }

  std::vector<Tap> Cubic(size_t d, loop::ExprId place) {
    constexpr double a = -0.75;
    loop::ExprId low = Floor(place), index = b_.Convert(low, DType::kI32);
    std::vector<Tap> taps;
    for (loop::ExprId weight : CubicTaps(b_, b_.Sub(place, low), a)) {
      auto k = static_cast<int64_t>(taps.size());
      taps.push_back(TapAt(d, b_.Add(index, b_.Int(k - 1)), weight));
    }
    return taps;
  }

  const Sample& sample_;
  loop::Lowering& to_;
  loop::Builder& b_;
  TensorType x_;
  DType real_;
};

}  // namespace

void Sample::Lower(loop::Lowering& to) const { SampleLowering(*this, to).Run(); }

}  // namespace webnnc::graph
