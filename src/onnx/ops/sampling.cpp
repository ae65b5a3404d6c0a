// Images read at places that are computed.
#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/window_attributes.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;
using graph::ReduceKind;
using graph::SampleMode;
using graph::SamplePadding;

namespace {

// Places are computed in f32, or wider.
DType RealType(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

// A shape of `rank` ones, with `size` at dimension `axis`.
Shape Along(size_t rank, size_t axis, const Dim& size) {
  Shape shape(rank, 1);
  shape[axis] = size;
  return shape;
}

Shape Spatial(const Shape& image) { return {image.begin() + 2, image.end()}; }

// That x has elements to read, wherever places are.
Status CheckHasElements(NodeContext& c, const TensorType& x) {
  for (size_t d = 2; d < x.shape.size(); ++d) {
    if (x.shape[d].Is(0)) return Error{"there is nothing to read in " + Print(x)};
    if (!ProvablyLessEqual(1, x.shape[d])) c.AssumeLessEqual(1, x.shape[d]);
  }
  return kSuccess;
}

// From places in [-1, 1] to elements of a dimension and back: the ends of the range are the middles
// of the outermost elements (`align`), or their outer ends.
Term Unnormalized(Term place, Term size, bool align) {
  return align ? (place + 1) * 0.5 * (size - 1) : ((place + 1) * size - 1) * 0.5;
}
Term NormalizedPositions(Formula& f, const Dim& size, DType dtype, bool align) {
  Term i = f.Iota(size, dtype), n = f.Size(size, dtype);
  if (!align) return (i * 2 + 1) / n - 1;
  // The only element of a dimension is its middle.
  Term last = n - 1;
  return Where(last <= 0, i, i * 2 / Max(last, 1) - 1);
}

}  // namespace

// grid[n, p..., :] = theta[n] * (x, y, z, 1) with (x, y, z) the place of p in [-1, 1].
static Result<Values> ImportAffineGrid(NodeContext& c) {
  const TensorType theta_type = c.Type(0);
  TRY_ASSIGN(auto sizes, c.Sizes(1));
  if (sizes.size() != 4 && sizes.size() != 5)
    return Error{"the size has " + std::to_string(sizes.size()) + " elements, not 4 or 5"};
  size_t spatial = sizes.size() - 2, rank = spatial + 2;
  bool fits = theta_type.rank() == 3 && theta_type.shape[1].Is(static_cast<int64_t>(spatial)) &&
              theta_type.shape[2].Is(static_cast<int64_t>(spatial) + 1);
  if (!fits || !IsFloat(theta_type.dtype)) return Error{"theta is " + Print(theta_type)};
  const Dim batch = theta_type.shape[0];
  if (batch != sizes[0]) {
    if (batch.IsConstant() && sizes[0].IsConstant())
      return Error{"theta has " + Print(batch) + " matrices for " + Print(sizes[0]) + " images"};
    c.AssumeEqual(batch, sizes[0]);
  }
  bool align = c.Int("align_corners", 0) != 0;
  DType real = RealType(theta_type.dtype);
  Formula f(c);
  Term theta = Cast(f(c[0]), real);
  // Column k of all matrices, for every place.
  auto column = [&](size_t k) {
    Shape shape = Along(rank, 0, batch);
    shape.back() = static_cast<int64_t>(spatial);
    return Reshape(Slice(theta, 2, static_cast<int64_t>(k), 1), shape);
  };
  Term grid = column(spatial);
  for (size_t k = 0; k < spatial; ++k) {
    // x is along the last dimension.
    size_t axis = rank - 2 - k;
    const Dim& size = sizes[axis + 1];
    Term positions = Reshape(NormalizedPositions(f, size, real, align), Along(rank, axis, size));
    grid = grid + column(k) * positions;
  }
  TRY_ASSIGN(auto result, f.Result(Cast(grid, theta_type.dtype)));
  return Values{result};
}

static Result<Values> ImportGridSample(NodeContext& c) {
  const TensorType x_type = c.Type(0), grid_type = c.Type(1);
  const Shape sizes = Spatial(x_type.shape);
  auto spatial = static_cast<int64_t>(sizes.size());
  bool fits = x_type.rank() >= 3 && grid_type.rank() == x_type.rank() &&
              grid_type.shape.back().Is(spatial) && IsFloat(grid_type.dtype);
  if (!fits) return Error{"a grid " + Print(grid_type) + " does not fit " + Print(x_type)};
  TRY(CheckHasElements(c, x_type));
  graph::Sample sample;
  std::string mode = c.String("mode", "linear"), padding = c.String("padding_mode", "zeros");
  bool align = c.Int("align_corners", 0) != 0;
  if (mode == "nearest") {
    sample.mode = SampleMode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    sample.mode = SampleMode::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    return Error{"the mode is " + mode};
  }
  if (padding == "border") {
    sample.padding = SamplePadding::kBorder;
  } else if (padding == "reflection") {
    sample.padding = SamplePadding::kReflection;
    sample.mirror_centers = align;
  } else if (padding != "zeros") {
    return Error{"the padding mode is " + padding};
  }
  Formula f(c);
  DType real = RealType(grid_type.dtype);
  // A grid has x first, which is along the last dimension.
  graph::Slice reversed{graph::Sizes1D(grid_type.shape.size(), 0), grid_type.shape,
                        Integers(grid_type.shape.size(), 1)};
  reversed.starts.back() = spatial - 1;
  reversed.steps.back() = -1;
  Term grid = Cast(f.Add(reversed, {f(c[1])}), real);
  Term lengths = Cast(f.Add(graph::Sizes{sizes, false}, {}), real);
  Term places = Unnormalized(grid, lengths, align);
  TRY_ASSIGN(auto result, f.Result(f.Add(sample, {f(c[0]), places})));
  return Values{result};
}

// ---- Regions of interest ----------------------------------------------------------------------

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

// ---- Deformable convolution -------------------------------------------------------------------

// A convolution whose taps are moved by offsets, and weighed by a mask. What is read between the
// elements of x becomes the columns of a product.
static Result<Values> ImportDeformConv(NodeContext& c) {
  const TensorType type = c.Type(0), filter = c.Type(1), offset_type = c.Type(2);
  TRY_ASSIGN(auto kernel, KernelOf(c));
  TRY_ASSIGN(auto window, ReadWindow(c, kernel));
  size_t spatial = kernel.size();
  int64_t groups = c.Int("group", 1), offset_groups = c.Int("offset_group", 1), taps = 1;
  for (int64_t size : kernel) taps *= size;
  auto parts = [&](const Dim& size, int64_t count) {
    return count > 0 ? ExactDiv(size, count) : std::nullopt;
  };
  auto per_offset = parts(type.shape[1], offset_groups), per_group = parts(type.shape[1], groups),
       results_per_group = parts(filter.shape[0], groups);
  auto dimensions = static_cast<int64_t>(spatial);
  bool fits = per_offset && results_per_group && per_group && *per_group == filter.shape[1] &&
              offset_type.rank() == type.rank() &&
              offset_type.shape[1].Is(offset_groups * taps * dimensions);
  if (!fits)
    return Error{"x " + Print(type) + ", the filter " + Print(filter) + " and offsets " +
                 Print(offset_type) + " do not fit each other"};
  TRY(CheckHasElements(c, type));
  DType real = RealType(type.dtype);
  const Dim batch = type.shape[0];
  Shape places;
  for (size_t d = 0; d < spatial; ++d) {
    int64_t reach = (kernel[d] - 1) * window.dilations[d] + 1;
    places.push_back(
        FloorDiv(type.shape[2 + d] + (window.pads_begin[d] + window.pads_end[d] - reach),
                 window.strides[d]) +
        1);
  }
  auto with = [](Shape shape, const Shape& rest) {
    shape.insert(shape.end(), rest.begin(), rest.end());
    return shape;
  };
  Formula f(c);
  // [n, offset groups, kernel..., spatial, places...], and with the numbers of a place last.
  Term offsets = Reshape(Cast(f(c[2]), real),
                         with(with({batch * offset_groups, taps, dimensions}, places), {}));
  Integers order{0, 1};
  for (int64_t d = 0; d < dimensions; ++d) order.push_back(3 + d);
  order.push_back(2);
  Term moved = Transpose(offsets, order);
  // Where the taps are without offsets: [1, taps, places..., spatial].
  size_t rank = spatial + 3;
  std::vector<Term> bases;
  for (size_t d = 0; d < spatial; ++d) {
    int64_t inner = 1;
    for (size_t e = d + 1; e < spatial; ++e) inner *= kernel[e];
    std::vector<int64_t> steps;
    for (int64_t tap = 0; tap < taps; ++tap)
      steps.push_back(tap / inner % kernel[d] * window.dilations[d] - window.pads_begin[d]);
    Term tap = Cast(f.Take(c.IntegerConstant(DType::kI32, steps)), real);
    Term place = f.Iota(places[d], real) * static_cast<double>(window.strides[d]);
    Term base = Reshape(tap, Along(rank, 1, taps)) + Reshape(place, Along(rank, 2 + d, places[d]));
    bases.push_back(Expand(base, with(with({1, taps}, places), {1})));
  }
  Term at = moved + Concat(bases, static_cast<int64_t>(rank) - 1);
  Term x = Reshape(f(c[0]), with({batch * offset_groups, *per_offset}, Spatial(type.shape)));
  // [n * offset groups, channels, taps, places...]
  Term columns = f.Add(graph::Sample{SampleMode::kLinear, SamplePadding::kZeros}, {x, at});
  if (c.Has(4)) {
    Term mask = Reshape(f(c[4]), with({batch * offset_groups, 1, taps}, places));
    columns = columns * Cast(mask, type.dtype);
  }
  const Dim all = ElementCount(places);
  Term rows = Reshape(f(c[1]), {1, groups, *results_per_group, *per_group * taps});
  Term product =
      f.Add(graph::MatMul{}, {rows, Reshape(columns, {batch, groups, *per_group * taps, all})});
  Term image = Reshape(product, with({batch, filter.shape[0]}, places));
  TRY_ASSIGN(auto result, f.Result(image));
  if (c.Has(3)) {
    TRY_ASSIGN(result, AddBias(c, result, c[3]));
  }
  return Values{result};
}

// ---- Overlapping windows ----------------------------------------------------------------------

static Result<Values> ImportCol2Im(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto sizes, c.Sizes(1));
  TRY_ASSIGN(auto kernel, c.Integers(2));
  size_t spatial = kernel.size();
  Integers ones(spatial, 1), pads = c.Ints("pads", Integers(2 * spatial, 0));
  if (type.rank() != 3 || sizes.size() != spatial || pads.size() != 2 * spatial || spatial == 0)
    return Error{"blocks of " + std::to_string(spatial) + " dimensions do not fit " + Print(type)};
  auto middle = pads.begin() + static_cast<int64_t>(spatial);
  graph::Fold fold{sizes,
                   c.Ints("strides", ones),
                   c.Ints("dilations", ones),
                   {pads.begin(), middle},
                   {middle, pads.end()}};
  TRY(CheckSteps({&kernel, &fold.strides, &fold.dilations}));
  if (fold.strides.size() != spatial || fold.dilations.size() != spatial)
    return Error{"strides or dilations do not fit " + std::to_string(spatial) + " dimensions"};
  int64_t taps = 1;
  Shape places;
  for (size_t d = 0; d < spatial; ++d) {
    if (taps > INT32_MAX / kernel[d]) return Error{"the block is too large"};
    taps *= kernel[d];
    int64_t reach = (kernel[d] - 1) * fold.dilations[d] + 1;
    places.push_back(
        FloorDiv(sizes[d] + (fold.pads_begin[d] + fold.pads_end[d] - reach), fold.strides[d]) + 1);
  }
  auto channels = ExactDiv(type.shape[1], taps);
  if (!channels)
    return Error{"blocks of " + std::to_string(taps) + " elements do not divide " +
                 Print(type.shape[1])};
  Shape windows{type.shape[0], *channels};
  windows.insert(windows.end(), kernel.begin(), kernel.end());
  windows.insert(windows.end(), places.begin(), places.end());
  TRY_ASSIGN(auto x, c.Reshape(c[0], windows));
  TRY_ASSIGN(auto result, c.Add(fold, {x}));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "AffineGrid", 2, ImportAffineGrid},
    {"", "Col2Im", 3, ImportCol2Im},
    {"", "DeformConv", 3, ImportDeformConv},
    {"", "GridSample", 2, ImportGridSample},
    {"", "MaxRoiPool", 2, ImportMaxRoiPool, kAnyOpset},
    {"", "RoiAlign", 3, ImportRoiAlign},
};

std::span<const Operator> SamplingOperators() { return kOperators; }

}  // namespace webnnc::onnx
