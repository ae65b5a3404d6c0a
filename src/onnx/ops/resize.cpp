#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "graph/ops/cubic.h"
#include "onnx/operators.h"
#include "onnx/ops/resize_by_data.h"
#include "onnx/size_arithmetic.h"
#include "tensor/overflow.h"

namespace webnnc::onnx {

using graph::CoordinateMode;
using graph::NearestMode;
using graph::ResizeMode;

namespace {

Result<ResizeMode> ModeOf(const std::string& name) {
  if (name == "nearest") return ResizeMode::kNearest;
  if (name == "linear" || name == "bilinear") return ResizeMode::kLinear;
  if (name == "cubic") return ResizeMode::kCubic;
  return Error{"the mode is " + name};
}

Result<CoordinateMode> CoordinatesOf(const std::string& name) {
  static const std::map<std::string, CoordinateMode> kModes = {
      {"half_pixel", CoordinateMode::kHalfPixel},
      {"half_pixel_symmetric", CoordinateMode::kHalfPixelSymmetric},
      {"pytorch_half_pixel", CoordinateMode::kPytorchHalfPixel},
      {"align_corners", CoordinateMode::kAlignCorners},
      {"asymmetric", CoordinateMode::kAsymmetric},
      {"tf_half_pixel_for_nn", CoordinateMode::kTfHalfPixelForNn},
      {"tf_crop_and_resize", CoordinateMode::kTfCropAndResize}};
  auto found = kModes.find(name);
  if (found == kModes.end()) return Error{"the coordinate transformation is " + name};
  return found->second;
}

Result<NearestMode> NearestOf(const std::string& name) {
  static const std::map<std::string, NearestMode> kModes = {
      {"round_prefer_floor", NearestMode::kRoundPreferFloor},
      {"round_prefer_ceil", NearestMode::kRoundPreferCeil},
      {"floor", NearestMode::kFloor},
      {"ceil", NearestMode::kCeil},
      {"simple", NearestMode::kFloor}};
  auto found = kModes.find(name);
  if (found == kModes.end()) return Error{"the nearest mode is " + name};
  return found->second;
}

// floor(size * scale), multiplied in f32 as ONNX Runtime does: 320 * 0.7 is 224, though the f32
// next to 0.7 is less.
Dim ScaledSize(int64_t size, float scale) {
  return Truncated(std::floor(static_cast<float>(size) * scale));
}

// Whether `formula(size)` is what ScaledSize is, for all sizes up to a million.
template <typename F>
bool AgreesWithScaled(float scale, F formula) {
  constexpr int64_t kLargestSize = 1 << 20;
  constexpr float kLargestProduct = 1 << 24;
  for (int64_t size = 0; size <= kLargestSize; ++size) {
    if (static_cast<float>(size) * scale >= kLargestProduct) break;
    if (!ScaledSize(size, scale).Is(formula(size))) return false;
  }
  return true;
}

// The fraction that a scale was before it was stored as f32, if that gives the same sizes.
std::optional<Dim> ScaledByFraction(const Dim& size, float scale) {
  constexpr int64_t kLargestDivisor = 1024;
  for (int64_t divisor = 2; divisor <= kLargestDivisor; ++divisor) {
    double product = static_cast<double>(scale) * static_cast<double>(divisor);
    auto factor = static_cast<int64_t>(std::round(product));
    if (std::fabs(static_cast<double>(factor) - product) >= 1e-7 * product) continue;
    if (AgreesWithScaled(scale, [&](int64_t n) { return n * factor / divisor; }))
      return FloorDiv(size * factor, divisor);
    return std::nullopt;
  }
  return std::nullopt;
}

// ScaledSize of a size that is open. With the scale as m / 2^k, the exact product is size * m /
// 2^k. Rounding it to an f32 matters to its floor only if it goes up to a whole number, so half of
// what is rounded to is added: 2^(e - 24) where the product is in [2^e, 2^(e + 1)).
Dim ScaledInFloats(const Dim& size, float scale) {
  constexpr int kDigits = 24;
  int exponent = 0;
  float fraction = std::frexp(scale, &exponent);
  auto factor = static_cast<int64_t>(std::ldexp(fraction, kDigits));
  int shift = kDigits - exponent;
  Dim product = size * factor, divisor = int64_t{1} << shift;
  bool exact = AgreesWithScaled(scale, [&](int64_t n) { return n * factor >> shift; });
  if (exact) return FloorDiv(product, divisor);
  // Half of what is rounded to, in 2^-k; less than one of those is nothing.
  auto half = [&](int e) { return shift + e < kDigits ? 0 : int64_t{1} << (shift + e - kDigits); };
  Dim rounding = 0;
  for (int e = 0; e < kDigits; ++e) {
    int64_t more = half(e) - (e == 0 ? 0 : half(e - 1));
    Dim reached = Min(FloorDiv(product, int64_t{1} << (shift + e)), 1);
    if (more != 0) rounding = rounding + reached * more;
  }
  return FloorDiv(product + rounding, divisor);
}

// The size of a dimension that is scaled.
Result<Dim> Scaled(const Dim& size, double scale) {
  constexpr double kLargest = 1 << 24, kSmallest = 1.0 / (1 << 14);
  if (!(scale > 0) || scale > kLargest) return Error{"a scale is " + PrintReal(scale)};
  if (size.IsConstant()) return ScaledSize(size.value(), static_cast<float>(scale));
  if (scale == std::floor(scale)) return size * static_cast<int64_t>(scale);
  if (auto fraction = ScaledByFraction(size, static_cast<float>(scale))) return *fraction;
  if (scale >= kSmallest) return ScaledInFloats(size, static_cast<float>(scale));
  return Error{"a scale of " + PrintReal(scale) + " needs to know the size " + Print(size),
               {},
               {"fix it with --dim"}};
}

// Whether not all of x is resized along this dimension.
bool Crops(const graph::Resize& resize, size_t d) {
  return resize.coordinates == CoordinateMode::kTfCropAndResize &&
         (resize.roi_begin[d] != 0 || resize.roi_end[d] != 1);
}

double ScaleAlong(const graph::Resize& resize, size_t d, int64_t in) {
  double scale = resize.scales[d];
  if (scale != 0) return scale;
  return static_cast<double>(resize.sizes[d].value()) / static_cast<double>(in);
}

// Which elements of x count for each element of the result, and how much, along one dimension that
// shrinks, where sampling is widened so that shrinking averages.
class AntialiasTaps {
 public:
  AntialiasTaps(const graph::Resize& resize, size_t dimension, int64_t in, int64_t out,
                double scale)
      : resize_(resize), dimension_(dimension), in_(in), out_(out), scale_(scale) {}

  // What Resample takes: a row for each element of the result. As many elements as all rows reach
  // in x, which are some times x's.
  Result<Tensor> Run() const {
    int64_t taps = 1;
    constexpr int64_t kMostElements = int64_t{1} << 26;
    if (in_ > kMostExact || out_ > kMostElements)
      return Error{"antialias of a dimension of " + std::to_string(in_) + " elements to " +
                   std::to_string(out_) + " is too large"};
    for (int64_t i = 0; i < out_; ++i) {
      Extent extent = ExtentOf(i);
      taps = std::max(taps, extent.last - extent.first + 1);
    }
    if (out_ * (taps + 1) > kMostElements)
      return Error{"antialias of a dimension of " + std::to_string(in_) + " elements to " +
                   std::to_string(out_) + " would need " + std::to_string(taps) +
                   " weights for each"};
    TensorType type{DType::kF32, {out_, taps + 1}};
    std::vector<uint8_t> bytes(static_cast<size_t>(out_ * (taps + 1) * 4));
    auto write = [&](int64_t i, int64_t entry, double value) {
      WriteScalar(bytes.data(), i * (taps + 1) + entry, Scalar::Real(DType::kF32, value));
    };
    for (int64_t i = 0; i < out_; ++i) {
      // All rows are as long as the longest, and none leaves x.
      int64_t first = std::min(ExtentOf(i).first, in_ - taps);
      std::vector<double> weights = Weights(i, first, taps);
      write(i, 0, static_cast<double>(first));
      for (int64_t k = 0; k < taps; ++k) write(i, k + 1, weights[static_cast<size_t>(k)]);
    }
    return Tensor{type, TensorData::Own(std::move(bytes))};
  }

  // Which elements of the result lie outside x; nothing if none does.
  std::optional<std::vector<uint8_t>> Outside() const {
    if (resize_.coordinates != CoordinateMode::kTfCropAndResize) return std::nullopt;
    std::vector<uint8_t> outside;
    for (int64_t i = 0; i < out_; ++i) {
      double x = Coordinate(i);
      outside.push_back(x < 0 || x > static_cast<double>(in_ - 1));
    }
    bool any = std::count(outside.begin(), outside.end(), 1) > 0;
    return any ? std::optional(std::move(outside)) : std::nullopt;
  }

 private:
  // The sampling kernel: a triangle, or Keys' cubic.
  double Kernel(double x) const {
    x = std::fabs(x);
    if (resize_.mode == ResizeMode::kLinear) return std::max(0.0, 1 - x);
    return graph::CubicWeights(resize_.cubic_coefficient).At(x);
  }

  double Coordinate(int64_t i) const {
    auto place = static_cast<double>(i);
    auto last_in = static_cast<double>(in_ - 1), last_out = static_cast<double>(out_ - 1);
    double half_pixel = (place + 0.5) / scale_ - 0.5;
    switch (resize_.coordinates) {
      case CoordinateMode::kAlignCorners: return out_ == 1 ? 0 : place * last_in / last_out;
      case CoordinateMode::kAsymmetric: return place / scale_;
      case CoordinateMode::kTfHalfPixelForNn: return (place + 0.5) / scale_;
      case CoordinateMode::kPytorchHalfPixel: return out_ == 1 ? 0 : half_pixel;
      case CoordinateMode::kHalfPixelSymmetric: {
        double adjustment = static_cast<double>(out_) / (scale_ * static_cast<double>(in_));
        return static_cast<double>(in_) / 2 * (1 - adjustment) + half_pixel;
      }
      case CoordinateMode::kTfCropAndResize: {
        double begin = resize_.roi_begin[dimension_], end = resize_.roi_end[dimension_];
        if (out_ == 1) return (begin + end) / 2 * last_in;
        return begin * last_in + place * (end - begin) * last_in / last_out;
      }
      case CoordinateMode::kHalfPixel: break;
    }
    return half_pixel;
  }

  // How far the sampling kernel reaches to either side.
  double Reach() const { return (resize_.mode == ResizeMode::kLinear ? 1 : 2) / scale_; }

  // The elements of x that count for element i, the ends standing for all beyond them.
  struct Extent {
    int64_t first, last;
  };
  Extent ExtentOf(int64_t i) const {
    double x = Coordinate(i), end = static_cast<double>(in_ - 1);
    return {static_cast<int64_t>(std::clamp(std::floor(x - Reach()), 0.0, end)),
            static_cast<int64_t>(std::clamp(std::ceil(x + Reach()), 0.0, end))};
  }

  // Of `taps` elements from `first` on.
  std::vector<double> Weights(int64_t i, int64_t first, int64_t taps) const {
    double x = Coordinate(i), total = 0;
    std::vector<double> weights(static_cast<size_t>(taps));
    auto begin = static_cast<int64_t>(std::floor(x - Reach())),
         end = static_cast<int64_t>(std::ceil(x + Reach()));
    for (int64_t j = begin; j <= end; ++j) {
      double weight = Kernel((static_cast<double>(j) - x) * scale_);
      bool outside = j < 0 || j >= in_;
      if (outside && resize_.exclude_outside) continue;
      weights[static_cast<size_t>(std::clamp<int64_t>(j, 0, in_ - 1) - first)] += weight;
      total += weight;
    }
    for (double& weight : weights) weight /= total;
    return weights;
  }

  // Indices are kept as f32.
  static constexpr int64_t kMostExact = 1 << 24;

  const graph::Resize& resize_;
  size_t dimension_;
  int64_t in_, out_;
  double scale_;
};

// x where no dimension lies outside what is resized, and the extrapolation value elsewhere.
Result<ValueId> Extrapolate(NodeContext& c, ValueId x, const graph::Resize& resize,
                            const std::map<size_t, std::vector<uint8_t>>& outside) {
  TRY_ASSIGN(auto value, c.Scalar(c.TypeOf(x).dtype, resize.extrapolation_value));
  for (const auto& [d, elements] : outside) {
    Shape upright(resize.sizes.size() - d, 1);
    upright[0] = resize.sizes[d];
    TRY_ASSIGN(auto mask, c.AddConstant({{DType::kBool, upright}, TensorData::Own(elements)}));
    TRY_ASSIGN(x, c.Add(graph::Where{}, {mask, value, x}));
  }
  return x;
}

// The dimensions that shrink, one after the other; `outside` learns which elements of each lie
// outside x.
Result<ValueId> Shrink(NodeContext& c, ValueId x, const graph::Resize& resize,
                       const std::vector<size_t>& dimensions,
                       std::map<size_t, std::vector<uint8_t>>& outside) {
  for (size_t d : dimensions) {
    int64_t in = c.TypeOf(x).shape[d].value(), out = resize.sizes[d].value();
    AntialiasTaps sampling(resize, d, in, out, ScaleAlong(resize, d, in));
    TRY_ASSIGN(auto table, sampling.Run());
    if (auto elements = sampling.Outside()) outside[d] = std::move(*elements);
    TRY_ASSIGN(auto taps, c.AddConstant(std::move(table)));
    TRY_ASSIGN(x, c.Add(graph::Resample{static_cast<int64_t>(d)}, {x, taps}));
  }
  return x;
}

// Only where x shrinks is there anything to average: other dimensions are resized as without.
Result<ValueId> Antialias(NodeContext& c, ValueId x, const graph::Resize& resize) {
  DType dtype = c.TypeOf(x).dtype;
  std::vector<size_t> shrinking;
  graph::Resize others = resize;
  for (size_t d = 0; d < resize.sizes.size(); ++d) {
    const Dim &in = c.TypeOf(x).shape[d], &out = resize.sizes[d];
    if (in == out && !Crops(resize, d)) continue;
    if (!in.IsConstant() || !out.IsConstant()) {
      return Error{"antialias needs to know the size " + Print(in), {}, {"fix it with --dim"}};
    }
    if (ScaleAlong(resize, d, in.value()) >= 1) continue;
    shrinking.push_back(d);
    others.scales[d] = 1;
    if (!others.roi_begin.empty()) {
      others.roi_begin[d] = 0;
      others.roi_end[d] = 1;
    }
  }
  std::map<size_t, std::vector<uint8_t>> outside;
  TRY_ASSIGN(x, c.Cast(x, DType::kF32));
  TRY_ASSIGN(x, Shrink(c, x, resize, shrinking, outside));
  bool rest = c.TypeOf(x).shape != resize.sizes;
  for (size_t d = 0; d < resize.sizes.size(); ++d) rest |= Crops(others, d);
  if (rest) {
    TRY_ASSIGN(x, c.Add(others, {x}));
  }
  TRY_ASSIGN(x, Extrapolate(c, x, resize, outside));
  return c.Cast(x, dtype);
}

// Whether operand i is there and not the empty tensor that stands for "not given".
bool Given(NodeContext& c, size_t i) { return c.Has(i) && !ElementCount(c.Type(i).shape).Is(0); }

// Opset 10 rounds coordinates up where it shrinks, and down elsewhere. Dimensions do not depend on
// each other, so those that shrink go first.
Result<Values> ResizeOfOpset10(NodeContext& c, graph::Resize resize) {
  graph::Resize shrink = resize;
  shrink.nearest = NearestMode::kCeil;
  const Shape& shape = c.Type(0).shape;
  bool shrinks = false, grows = false;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool less = resize.scales[d] < 1;
    (less ? shrinks : grows) |= resize.scales[d] != 1;
    if (!less) shrink.sizes[d] = shape[d];
    (less ? resize : shrink).scales[d] = 1;
  }
  ValueId x = c[0];
  if (shrinks) {
    TRY_ASSIGN(x, c.Add(shrink, {x}));
  }
  if (grows) {
    TRY_ASSIGN(x, c.Add(resize, {x}));
  }
  return Values{x};
}

Result<Values> Finish(NodeContext& c, const graph::Resize& resize, bool antialias) {
  for (size_t d = 0; d < resize.sizes.size(); ++d) {
    const Dim &in = c.Type(0).shape[d], &out = resize.sizes[d];
    if (IsAbsurd(out))
      return Error{"dimension " + std::to_string(d) + " would have " + Print(out) + " elements"};
    if (in.Is(0) && !out.Is(0))
      return Error{"dimension " + std::to_string(d) + " of " + Print(c.Type(0)) +
                   " has no elements to make " + Print(out) + " of"};
  }
  if (resize.sizes == c.Type(0).shape && resize.coordinates != CoordinateMode::kTfCropAndResize) {
    return Values{c[0]};
  }
  if (antialias) {
    TRY_ASSIGN(auto result, Antialias(c, c[0], resize));
    return Values{result};
  }
  TRY_ASSIGN(auto result, c.Add(resize, {c[0]}));
  return Values{result};
}

// The sizes that keep the ratio of x's: all fit inside, or cover, those asked for.
Status KeepAspectRatio(NodeContext& c, graph::Resize& resize, const std::vector<size_t>& axes,
                       const std::string& policy) {
  // In f32, as ONNX Runtime computes them.
  float scale = policy == "not_larger" ? INFINITY : 0;
  for (size_t d : axes) {
    const Dim &in = c.Type(0).shape[d], &out = resize.sizes[d];
    if (!in.IsConstant() || !out.IsConstant())
      return Error{policy + " needs to know the size " + Print(in), {}, {"fix it with --dim"}};
    float ratio = static_cast<float>(out.value()) / static_cast<float>(in.value());
    scale = policy == "not_larger" ? std::min(scale, ratio) : std::max(scale, ratio);
  }
  for (size_t d : axes) {
    resize.scales[d] = scale;
    resize.sizes[d] = Truncated(std::round(scale * static_cast<float>(c.Type(0).shape[d].value())));
  }
  return kSuccess;
}

Result<graph::Resize> ReadAttributes(NodeContext& c) {
  graph::Resize resize;
  TRY_ASSIGN(resize.mode, ModeOf(c.String("mode", "nearest")));
  // Opset 10 had neither attribute, and meant this.
  bool first = c.opset() < 11;
  TRY_ASSIGN(resize.coordinates, CoordinatesOf(c.String("coordinate_transformation_mode",
                                                        first ? "asymmetric" : "half_pixel")));
  TRY_ASSIGN(resize.nearest,
             NearestOf(c.String("nearest_mode", first ? "floor" : "round_prefer_floor")));
  resize.cubic_coefficient = c.Float("cubic_coeff_a", -0.75);
  resize.exclude_outside = c.Int("exclude_outside", 0) != 0;
  resize.extrapolation_value = c.Float("extrapolation_value", 0);
  return resize;
}

}  // namespace

namespace {

// What a Resize resizes, and where it says by how much.
struct Request {
  std::vector<size_t> axes;
  bool by_sizes = false;
  size_t scales_at = 2;  // the operand, where it is not by sizes
  std::string policy = "stretch";
  bool crops = false, antialias = false;
};

Result<Request> ReadRequest(NodeContext& c, const graph::Resize& resize) {
  Request request;
  int64_t rank = c.Type(0).rank();
  if (c.HasAttribute("axes")) {
    for (int64_t axis : c.Ints("axes")) {
      TRY_ASSIGN(auto front, c.Axis(axis, rank));
      request.axes.push_back(static_cast<size_t>(front));
    }
  } else {
    for (int64_t d = 0; d < rank; ++d) request.axes.push_back(static_cast<size_t>(d));
  }
  // Opset 10: x, scales. Since 11: x, roi, scales, sizes.
  if (c.opset() < 11) request.scales_at = 1;
  request.by_sizes = Given(c, 3);
  if (request.by_sizes) {
    TRY_ASSIGN(int64_t count, c.Length(3));
    if (count != static_cast<int64_t>(request.axes.size()))
      return Error{"sizes do not fit " + Print(c.Type(0))};
    request.policy = c.String("keep_aspect_ratio_policy", "stretch");
  } else if (Given(c, request.scales_at)) {
    TRY_ASSIGN(int64_t count, c.Length(request.scales_at));
    if (count != static_cast<int64_t>(request.axes.size()))
      return Error{"scales do not fit " + Print(c.Type(0))};
  } else {
    return Error{"it has neither scales nor sizes"};
  }
  request.crops = resize.coordinates == CoordinateMode::kTfCropAndResize;
  if (request.crops) {
    if (!Given(c, 1)) return Error{"the region of interest is missing"};
    TRY_ASSIGN(int64_t count, c.Length(1));
    if (count != 2 * static_cast<int64_t>(request.axes.size()))
      return Error{"the region of interest does not fit"};
  }
  request.antialias = c.Int("antialias", 0) != 0 && resize.mode != ResizeMode::kNearest;
  return request;
}

// Whether weights depend on what only a run knows.
Result<bool> IsOpen(NodeContext& c, const Request& request) {
  if (request.crops) {
    TRY_ASSIGN(auto roi, c.FindReals(1));
    if (!roi) return true;
  }
  bool needs_sizes = request.antialias || request.policy != "stretch";
  for (size_t d : request.axes) {
    if (needs_sizes && !c.Type(0).shape[d].IsConstant()) return true;
  }
  if (!request.by_sizes) {
    TRY_ASSIGN(auto scales, c.FindReals(request.scales_at));
    return !scales.has_value();
  }
  TRY_ASSIGN(auto sizes, c.FindIntegers(3));
  return needs_sizes && !sizes.has_value();
}

// The scales that an operand gives, or that sizes make, f32[axes].
Term ScalesOf(Formula& f, const Request& request, Term in) {
  auto count = static_cast<int64_t>(request.axes.size());
  if (!request.by_sizes)
    return Cast(Reshape(f(f.context()[request.scales_at]), {count}), DType::kF32);
  Term scales = Cast(IntegersOf(f, 3, count), DType::kF32) / in;
  if (request.policy == "stretch") return scales;
  auto kind = request.policy == "not_larger" ? graph::ReduceKind::kMin : graph::ReduceKind::kMax;
  return Expand(Reduce(kind, scales, {0}, true), {count});
}

Result<Values> ImportOpenResize(NodeContext& c, const graph::Resize& attributes,
                                const Request& request) {
  Formula f(c);
  graph::Sizes1D own;
  for (size_t d : request.axes) own.push_back(c.Type(0).shape[d]);
  Term in = Cast(f.Sizes(own), DType::kF32), scales = ScalesOf(f, request, in);
  ResizeByData resize{attributes, request.axes, {}, scales, {}, request.antialias, false};
  bool stretches = request.by_sizes && request.policy == "stretch";
  if (stretches) {
    TRY_ASSIGN(resize.sizes, c.Sizes(3));
  } else {
    // In f32, as ONNX Runtime computes them.
    Term sizes = Floor(request.by_sizes ? in * scales + 0.5 : in * scales);
    TRY_ASSIGN(auto vector, f.Result(Cast(sizes, DType::kI64)));
    TRY_ASSIGN(resize.sizes, c.DefineSizes(vector, "size"));
  }
  if (request.crops) {
    auto count = 2 * static_cast<int64_t>(request.axes.size());
    resize.roi = Cast(Reshape(f(c[1]), {count}), DType::kF32);
  } else if (!stretches) {
    // Where all sizes stay, the result is x.
    Term moved = Abs(f.Sizes(resize.sizes) - f.Sizes(own));
    Term stays = Reduce(graph::ReduceKind::kMax, moved, {0}) <= 0;
    resize.scales = Where(stays, f.Number(1, DType::kF32), scales);
  }
  resize.rounds_by_scale = c.op_type() == "Resize" && c.opset() < 11;
  TRY_ASSIGN(auto result, f.Result(Resized(resize, f(c[0]))));
  return Values{result};
}

}  // namespace

static Result<Values> ImportResize(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  size_t rank = shape.size();
  TRY_ASSIGN(auto resize, ReadAttributes(c));
  TRY_ASSIGN(auto request, ReadRequest(c, resize));
  TRY_ASSIGN(bool is_open, IsOpen(c, request));
  if (is_open) return ImportOpenResize(c, resize, request);
  const std::vector<size_t>& axes = request.axes;
  resize.sizes = shape;
  resize.scales.assign(rank, 1);
  if (request.by_sizes) {
    TRY_ASSIGN(auto sizes, c.Sizes(3));
    for (size_t i = 0; i < axes.size(); ++i) {
      resize.sizes[axes[i]] = sizes[i];
      resize.scales[axes[i]] = 0;
    }
    if (request.policy != "stretch") TRY(KeepAspectRatio(c, resize, axes, request.policy));
  } else {
    TRY_ASSIGN(auto scales, c.Reals(request.scales_at));
    for (size_t i = 0; i < axes.size(); ++i) {
      resize.scales[axes[i]] = scales[i];
      TRY_ASSIGN(resize.sizes[axes[i]], Scaled(shape[axes[i]], scales[i]));
    }
  }
  if (request.crops) {
    TRY_ASSIGN(auto roi, c.Reals(1));
    resize.roi_begin.assign(rank, 0);
    resize.roi_end.assign(rank, 1);
    for (size_t i = 0; i < axes.size(); ++i) {
      resize.roi_begin[axes[i]] = roi[i];
      resize.roi_end[axes[i]] = roi[i + axes.size()];
    }
  }
  if (c.opset() < 11 && resize.mode == ResizeMode::kNearest) return ResizeOfOpset10(c, resize);
  return Finish(c, resize, request.antialias);
}

// Resize before there was Resize: scales are an attribute up to opset 8, an operand in 9.
static Result<Values> ImportUpsample(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  graph::Resize resize;
  TRY_ASSIGN(resize.mode, ModeOf(c.String("mode", "nearest")));
  resize.coordinates = CoordinateMode::kAsymmetric;
  resize.nearest = NearestMode::kFloor;
  resize.scales = c.Floats("scales");
  if (resize.scales.empty() && c.Has(1)) {
    TRY_ASSIGN(auto scales, c.FindReals(1));
    if (!scales) {
      Request request;
      request.scales_at = 1;
      for (size_t d = 0; d < shape.size(); ++d) request.axes.push_back(d);
      TRY_ASSIGN(int64_t count, c.Length(1));
      if (count != c.Type(0).rank()) return Error{"scales do not fit " + Print(c.Type(0))};
      return ImportOpenResize(c, resize, request);
    }
    resize.scales = *scales;
  }
  if (resize.scales.size() != shape.size()) return Error{"scales do not fit " + Print(c.Type(0))};
  for (size_t d = 0; d < shape.size(); ++d) {
    TRY_ASSIGN(auto size, Scaled(shape[d], resize.scales[d]));
    resize.sizes.push_back(size);
  }
  return Finish(c, resize, false);
}

static constexpr Operator kOperators[] = {
    {"", "Resize", 1, ImportResize},
    {"", "Upsample", 1, ImportUpsample},
};

std::span<const Operator> ResizeOperators() { return kOperators; }

}  // namespace webnnc::onnx
