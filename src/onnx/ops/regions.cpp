// Regions of images, each made one of a fixed size.
#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/places.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;
using graph::ReduceKind;
using graph::SampleMode;
using graph::SamplePadding;

namespace {

// Regions [r, 4] or [r, 5] and what is read of them.
struct Regions {
  Dim count;
  Term values;
  // One of their columns as [r, 1, 1].
  Term Column(int64_t column) const { return Reshape(Slice(values, 1, column, 1), {count, 1, 1}); }
};

// A region's part along one dimension of x, in bins and places in them.
struct Bins {
  Dim regions;
  Term start, width;  // [r, 1, 1]: where the region starts, and how wide a bin is
  Dim size;           // of x
  int64_t count;
};

// What a place in x is made of: elements of x [r, bins, taps], and their weights.
struct Taps {
  Term index, weight;
  int64_t count;
};

// Places are read between two elements. Those more than an element outside x count as zero.
Taps TapsOf(Formula& f, const Bins& bins, int64_t samples, DType real) {
  Term bin = Reshape(f.Iota(bins.count, real), {1, bins.count, 1});
  Term step =
      Reshape((f.Iota(samples, real) + 0.5) / static_cast<double>(samples), {1, 1, samples});
  Term place = bins.start + (bin + step) * bins.width;
  Term size = f.Size(bins.size, real), last = size - 1;
  Term inside = (f.Number(-1, real) <= place) & (place <= size);
  Term clamped = Max(Min(place, last), 0), low = Floor(clamped), part = clamped - low;
  Term zero = f.Number(0, real);
  Term weights =
      Concat({Where(inside, f.Number(1, real) - part, zero), Where(inside, part, zero)}, 2);
  return {Concat({low, Min(low + 1, last)}, 2), weights, 2 * samples};
}

// The places of a grid that is as fine as x, as ONNX has it for a sampling ratio of 0: how many a
// bin has depends on its region. Near each element of x are at most five.
struct NearPlaces {
  Term element;  // [1, 1, size, 1]
  Term place;    // [r, bins, size, near], moved to the nearest element
  Term counts;   // whether it is one of the bin's, and not more than an element outside x
  Term count;    // [r, 1, 1]: how many places a bin has
  Term outside;  // [r, bins, 1]: whether any of them is more than an element outside x
  Term last;     // of x's elements
};

NearPlaces PlacesNear(Formula& f, const Bins& bins, DType real) {
  constexpr int64_t kNear = 6;
  Term bin = Reshape(f.Iota(bins.count, real), {1, bins.count, 1, 1});
  Term element = Reshape(f.Iota(bins.size, real), {1, 1, bins.size, 1});
  Term near = Reshape(f.Iota(kNear, real), {1, 1, 1, kNear});
  const Shape upright{bins.regions, 1, 1, 1};
  Term start = Reshape(bins.start, upright), width = Reshape(bins.width, upright);
  Term count = Max(Ceil(width), 0), step = width / Max(count, 1), begin = start + bin * width;
  // From the first place that is not more than an element before this one.
  Term first = Max(Floor((element - 1 - begin) / Max(step, 1e-6) - 0.5), 0);
  Term sample = first + near, place = begin + (sample + 0.5) * step;
  Term size = f.Size(bins.size, real), last = size - 1;
  Term counts = (f.Number(-1, real) <= place) & (place <= size) & (sample < count);
  Term outside = (begin + step * 0.5 < -1) | (size < begin + (count - 0.5) * step);
  return {element,
          Max(Min(place, last), 0),
          counts,
          Reshape(count, {bins.regions, 1, 1}),
          Reshape(outside, {bins.regions, bins.count, 1}),
          last};
}

// What each element of x weighs in the mean of a bin's places: [r, bins, size].
Term AdaptiveWeights(Formula& f, const Bins& bins, DType real) {
  NearPlaces near = PlacesNear(f, bins, real);
  Term hat = Max(f.Number(1, real) - Abs(near.place - near.element), 0);
  Term sum = Reduce(ReduceKind::kSum, Where(near.counts, hat, f.Number(0, real)), {3});
  return sum / Max(near.count, 1);
}

// The largest of what an image's elements weigh at a bin's places, where each place has two
// elements along a dimension: a place between them weighs both, and one on an element weighs the
// next one by nothing.
class AdaptiveMaximum {
 public:
  AdaptiveMaximum(Formula& f, const Bins& bins, DType real)
      : f_(f), real_(real), near_(PlacesNear(f, bins, real)) {
    Term low = Floor(near_.place), part = near_.place - low;
    Term is_low = near_.counts & (low == near_.element);
    Term is_high = near_.counts & (Min(low + 1, near_.last) == near_.element);
    Term rest = f.Number(1, real) - part, never = f.Number(-1, real), beyond = f.Number(2, real);
    most_ =
        Reduce(ReduceKind::kMax, Max(Where(is_low, rest, never), Where(is_high, part, never)), {3});
    least_ = Reduce(ReduceKind::kMin,
                    Min(Where(is_low, rest, beyond), Where(is_high, part, beyond)), {3});
  }

  // The largest along the last dimension of x. `weights` has bins and elements as its last
  // dimensions and broadcasts to x otherwise. Of what is below zero the smallest weight makes the
  // most, so that one dimension can go after the other.
  Term Of(Term x, const Shape& weights) {
    Term most = Reshape(most_, weights), least = Reshape(least_, weights);
    Term zero = f_.Number(0, real_), lowest = f_.Number(Lowest(real_).real, real_);
    Term weighed = x * Where(x < zero, least, most);
    return Reduce(ReduceKind::kMax, Where(zero <= most, weighed, lowest),
                  {static_cast<int64_t>(weights.size()) - 1});
  }

  const NearPlaces& near() const { return near_; }

 private:
  Formula& f_;
  DType real_;
  NearPlaces near_;
  Term most_, least_;  // [r, bins, size]; -1 and 2 where no place is near
};

// x[images], or x for all where it is one image.
Term ImagesOf(Term x, const Dim& batch, Term images) {
  return batch.Is(1) ? x : x.formula->Add(graph::Gather{0}, {x, images});
}

// The largest in each bin of regions of x, an image a region or one for all: [r, c, bins, bins].
Term AdaptivePool(Formula& f, const Bins& rows, const Bins& columns, Term x, DType real) {
  const Dim& count = rows.regions;
  const Shape shape = f.TypeOf(x).shape;
  AdaptiveMaximum by_row(f, rows, real), by_column(f, columns, real);
  Term apart = Reshape(x, {shape[0], shape[1], rows.size, 1, columns.size});
  Term across = by_column.Of(apart, {count, 1, 1, columns.count, columns.size});
  Term upright =
      Reshape(Transpose(across, {0, 1, 3, 2}), {count, shape[1], 1, columns.count, rows.size});
  Term both = by_row.Of(upright, {count, 1, rows.count, 1, rows.size});
  // Places outside x are zeros, and so is a region without places.
  Term zero = f.Number(0, real);
  Term outside = Reshape(by_row.near().outside, {count, 1, rows.count, 1}) |
                 Reshape(by_column.near().outside, {count, 1, 1, columns.count});
  Term empty = (by_row.near().count == zero) | (by_column.near().count == zero);
  return Where(Reshape(empty, {count, 1, 1, 1}), zero, Where(outside, Max(both, zero), both));
}

}  // namespace

static Result<Values> ImportRoiAlign(NodeContext& c) {
  const TensorType type = c.Type(0), regions_type = c.Type(1);
  if (type.rank() != 4 || regions_type.rank() != 2 || !regions_type.shape[1].Is(4))
    return Error{"regions " + Print(regions_type) + " do not fit " + Print(type)};
  TRY(CheckHasElements(c, type));
  if (type.shape[0].Is(0)) return Error{"there are no images"};
  if (!ProvablyLessEqual(1, type.shape[0])) c.AssumeLessEqual(1, type.shape[0]);
  const Dim count = regions_type.shape[0];
  TRY(c.CheckVector("batch_indices", c[2], count, "region"));
  std::string mode = c.String("mode", "avg");
  if (mode != "avg" && mode != "max") return Error{"the mode is " + mode};
  // Opset 10 has no half pixels.
  std::string coordinates = c.String("coordinate_transformation_mode",
                                     c.opset() >= 16 ? "half_pixel" : "output_half_pixel");
  bool half_pixel = coordinates == "half_pixel";
  if (!half_pixel && coordinates != "output_half_pixel")
    return Error{"the coordinate transformation is " + coordinates};
  int64_t samples = c.Int("sampling_ratio", 0);
  int64_t bins[2] = {c.Int("output_height", 1), c.Int("output_width", 1)};
  constexpr int64_t kMostSamples = 1 << 10;
  if (samples < 0 || samples > kMostSamples || bins[0] < 1 || bins[1] < 1)
    return Error{"bins of " + std::to_string(bins[0]) + " by " + std::to_string(bins[1]) +
                 " with a sampling ratio of " + std::to_string(samples) + " are not supported"};
  DType real = RealType(type.dtype);
  double scale = c.Float("spatial_scale", 1), offset = half_pixel ? 0.5 : 0;
  Formula f(c);
  Regions regions{count, Cast(f(c[1]), real)};
  // Rows are from y1 to y2, which are columns 1 and 3; columns are from x1 to x2.
  auto bins_along = [&](int64_t d) {
    Term start = regions.Column(1 - d) * scale - offset,
         end = regions.Column(3 - d) * scale - offset;
    Term length = half_pixel ? end - start : Max(end - start, 1);
    return Bins{count, start, length / static_cast<double>(bins[d]),
                type.shape[static_cast<size_t>(2 + d)], bins[d]};
  };
  Bins rows = bins_along(0), columns = bins_along(1);
  Term x = Cast(f(c[0]), real), images = f(c[2]);
  if (samples == 0 && mode == "max") {
    Term chosen = ImagesOf(x, type.shape[0], images);
    TRY_ASSIGN(auto result,
               f.Result(Cast(AdaptivePool(f, rows, columns, chosen, real), type.dtype)));
    return Values{result};
  }
  if (samples == 0) {
    Term by_row = AdaptiveWeights(f, rows, real), by_column = AdaptiveWeights(f, columns, real);
    Term chosen = ImagesOf(x, type.shape[0], images);
    // [r, c, h, w] * [r, 1, w, bins] and then [r, 1, bins, h] * that.
    Term across = f.Add(graph::MatMul{false, true},
                        {chosen, Reshape(by_column, {count, 1, bins[1], columns.size})});
    Term both = f.Add(graph::MatMul{}, {Reshape(by_row, {count, 1, bins[0], rows.size}), across});
    TRY_ASSIGN(auto result, f.Result(Cast(both, type.dtype)));
    return Values{result};
  }
  Taps by_row = TapsOf(f, rows, samples, real), by_column = TapsOf(f, columns, samples, real);
  Shape places{count, bins[0], by_row.count, bins[1], by_column.count, 1};
  auto row_shape = [&] { return Shape{count, bins[0], by_row.count, 1, 1, 1}; };
  auto column_shape = [&] { return Shape{count, 1, 1, bins[1], by_column.count, 1}; };
  Term place = Concat({Expand(Reshape(by_row.index, row_shape()), places),
                       Expand(Reshape(by_column.index, column_shape()), places)},
                      5);
  graph::Sample nearest{SampleMode::kNearest, SamplePadding::kBorder};
  Term values = f.Add(nearest, {x, place, images});
  Term weights = Reshape(by_row.weight, {count, 1, bins[0], by_row.count, 1, 1}) *
                 Reshape(by_column.weight, {count, 1, 1, 1, bins[1], by_column.count});
  Term result =
      Reduce(mode == "avg" ? ReduceKind::kSum : ReduceKind::kMax, values * weights, {3, 5});
  if (mode == "avg") result = result / static_cast<double>(samples * samples);
  TRY_ASSIGN(auto id, f.Result(Cast(result, type.dtype)));
  return Values{id};
}

// The largest element of each bin of a region, whose ends are rounded to elements.
static Result<Values> ImportMaxRoiPool(NodeContext& c) {
  const TensorType type = c.Type(0), regions_type = c.Type(1);
  Integers bins = c.Ints("pooled_shape");
  bool fits = type.rank() == 4 && IsFloat(type.dtype) && regions_type.rank() == 2 &&
              regions_type.shape[1].Is(5) && bins.size() == 2 && bins[0] > 0 && bins[1] > 0;
  if (!fits)
    return Error{"regions " + Print(regions_type) + " do not fit " + Print(type) +
                 ", or pooled_shape is wrong"};
  const Dim count = regions_type.shape[0], channels = type.shape[1];
  DType real = RealType(type.dtype);
  double scale = c.Float("spatial_scale", 1);
  Formula f(c);
  Regions regions{count, Cast(f(c[1]), real)};
  auto rounded = [&](int64_t column) {
    Term scaled = regions.Column(column) * scale;
    return Sign(scaled) * Floor(Abs(scaled) + 0.5);
  };
  // Which elements of a dimension a bin has: [r, bins, size].
  auto mask = [&](int64_t d) {
    const Dim& size = type.shape[static_cast<size_t>(2 + d)];
    Term start = rounded(2 - d), end = rounded(4 - d);
    Term width = Max(end - start + 1, 1) / static_cast<double>(bins[static_cast<size_t>(d)]);
    Term bin =
        Reshape(f.Iota(bins[static_cast<size_t>(d)], real), {1, bins[static_cast<size_t>(d)], 1});
    Term element = Reshape(f.Iota(size, real), {1, 1, size});
    return (start + Floor(bin * width) <= element) & (element < start + Ceil((bin + 1) * width));
  };
  Term lowest = f.Number(Lowest(type.dtype, true).real, type.dtype);
  Term images = Cast(Reshape(Slice(f(c[1]), 1, 0, 1), {count}), DType::kI32);
  const Dim &height = type.shape[2], &width = type.shape[3];
  Term x = Reshape(ImagesOf(f(c[0]), type.shape[0], images),
                   {type.shape[0].Is(1) ? Dim(1) : count, channels, height, 1, width});
  Term across = Reduce(ReduceKind::kMax,
                       Where(Reshape(mask(1), {count, 1, 1, bins[1], width}), x, lowest), {4});
  // [r, c, 1, h, bins]
  Term raised = Reshape(across, {count, channels, 1, height, bins[1]});
  Term both = Reduce(ReduceKind::kMax,
                     Where(Reshape(mask(0), {count, 1, bins[0], height, 1}), raised, lowest), {3});
  // A bin outside x has no elements.
  Term result = Where(both == lowest, f.Number(0, type.dtype), both);
  TRY_ASSIGN(auto id, f.Result(result));
  return Values{id};
}

// ONNX Runtime's, after TensorFlow: regions are in parts of the image, and the first and last place
// of a crop are the middles of their outermost elements.
static Result<Values> ImportCropAndResize(NodeContext& c) {
  const TensorType type = c.Type(0), regions_type = c.Type(1);
  TRY_ASSIGN(auto crop, c.Integers(3));
  bool fits = type.rank() == 4 && regions_type.rank() == 2 && regions_type.shape[1].Is(4) &&
              crop.size() == 2 && crop[0] > 0 && crop[1] > 0;
  if (!fits)
    return Error{"regions " + Print(regions_type) + " do not fit " + Print(type) +
                 ", or crop_size is wrong"};
  TRY(CheckHasElements(c, type));
  if (!ProvablyLessEqual(1, type.shape[0])) c.AssumeLessEqual(1, type.shape[0]);
  const Dim count = regions_type.shape[0];
  TRY(c.CheckVector("batch_indices", c[2], count, "region"));
  const std::string mode = c.String("mode", "bilinear");
  if (mode != "bilinear" && mode != "nearest") return Error{"the mode is " + mode};
  const bool nearest = mode == "nearest";
  DType real = RealType(type.dtype);
  Formula f(c);
  Regions regions{count, Cast(f(c[1]), real)};
  const Shape places{count, crop[0], crop[1], 1};
  // Where the rows (columns) of crops are in x, and whether that is inside.
  auto along = [&](int64_t d) {
    const int64_t size = crop[static_cast<size_t>(d)];
    Term last = f.Size(type.shape[static_cast<size_t>(2 + d)], real) - 1;
    Term start = regions.Column(d) * last, end = regions.Column(d + 2) * last;
    Term i = Reshape(f.Iota(size, real), {1, size, 1});
    Term place = (regions.Column(d) + regions.Column(d + 2)) * 0.5 * last;
    if (size > 1) {
      place = start + i * ((end - start) / static_cast<double>(size - 1));
      place = Where(i == static_cast<double>(size - 1), end, place);
    }
    Term inside = (f.Number(0, real) <= place) & (place <= last);
    // A half goes up, and nothing below it, as place + 0.5 might be rounded.
    if (nearest) place = Floor(place) + Floor((place - Floor(place)) * 2);
    const Shape shape{count, d == 0 ? size : 1, d == 0 ? 1 : size, 1};
    return std::pair(Expand(Reshape(place, shape), places), Reshape(inside, shape));
  };
  auto [row, in_rows] = along(0);
  auto [column, in_columns] = along(1);
  graph::Sample sample{nearest ? SampleMode::kNearest : SampleMode::kLinear,
                       SamplePadding::kBorder};
  Term crops = f.Add(sample, {f(c[0]), Concat({row, column}, 3), f(c[2])});
  Term inside = Reshape(in_rows & in_columns, {count, 1, crop[0], crop[1]});
  Term outside = f.Number(c.Float("extrapolation_value", 0), type.dtype);
  TRY_ASSIGN(auto result, f.Result(Where(inside, crops, outside)));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "MaxRoiPool", 2, ImportMaxRoiPool, kAnyOpset},
    {"", "RoiAlign", 3, ImportRoiAlign},
    {"com.microsoft", "CropAndResize", 4, ImportCropAndResize},
};

std::span<const Operator> RegionOperators() { return kOperators; }

}  // namespace webnnc::onnx
