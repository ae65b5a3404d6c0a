// Images read at places that are computed.
#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/places.h"
#include "onnx/ops/window_attributes.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;
using graph::SampleMode;
using graph::SamplePadding;

namespace {

// A shape of `rank` ones, with `size` at dimension `axis`.
Shape Along(size_t rank, size_t axis, const Dim& size) {
  Shape shape(rank, 1);
  shape[axis] = size;
  return shape;
}

Shape Spatial(const Shape& image) { return {image.begin() + 2, image.end()}; }

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

namespace {

// The same where blocks have a size that only a run knows: x[batch, channels, block..., places...]
// is added up element by element.
Result<ValueId> ScatterBlocks(NodeContext& c, ValueId x, const graph::Fold& fold) {
  const TensorType type = c.TypeOf(x);
  const size_t spatial = fold.sizes.size(), rank = type.shape.size();
  const Dim images = type.shape[0] * type.shape[1], elements = ElementCount(fold.sizes);
  Formula f(c);
  auto along = [&](size_t d) {
    return Reshape(f.Iota(type.shape[d], DType::kI64), Along(rank, d, type.shape[d]));
  };
  Term image = along(0) * f.Size(type.shape[1], DType::kI64) + along(1), place = image;
  Term inside = image <= image;
  for (size_t d = 0; d < spatial; ++d) {
    Term at = along(2 + spatial + d) * static_cast<double>(fold.strides[d]) +
              along(2 + d) * static_cast<double>(fold.dilations[d]) -
              static_cast<double>(fold.pads_begin[d]);
    Term size = f.Size(fold.sizes[d], DType::kI64);
    inside = inside & (f.Number(0, DType::kI64) <= at) & (at < size);
    place = place * size + at;
  }
  // What is outside goes behind all images.
  const Dim all = images * elements;
  Term flat = Reshape(Where(inside, place, f.Size(all, DType::kI64)), {ElementCount(type.shape)});
  Term zeros = Expand(f.Number(0, type.dtype), {all + 1});
  Term sums = f.Add(graph::ScatterElements{0, loop::Update::kAdd},
                    {zeros, flat, Reshape(f(x), {ElementCount(type.shape)})});
  Shape shape{type.shape[0], type.shape[1]};
  shape.insert(shape.end(), fold.sizes.begin(), fold.sizes.end());
  return f.Result(Reshape(Slice(sums, 0, 0, all), shape));
}

}  // namespace

static Result<Values> ImportCol2Im(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto sizes, c.Sizes(1));
  TRY_ASSIGN(auto kernel, c.Sizes(2));
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
  TRY(CheckSteps({&fold.strides, &fold.dilations}));
  if (fold.strides.size() != spatial || fold.dilations.size() != spatial)
    return Error{"strides or dilations do not fit " + std::to_string(spatial) + " dimensions"};
  Dim taps = 1;
  Shape places;
  for (size_t d = 0; d < spatial; ++d) {
    if (kernel[d].IsConstant() && kernel[d].value() < 1)
      return Error{"a block has the size " + Print(kernel[d])};
    taps = taps * kernel[d];
    Dim reach = (kernel[d] - 1) * fold.dilations[d] + 1;
    places.push_back(
        FloorDiv(sizes[d] + (fold.pads_begin[d] + fold.pads_end[d]) - reach, fold.strides[d]) + 1);
  }
  if (IsAbsurd(taps)) return Error{"the block is too large"};
  auto channels = ExactDiv(type.shape[1], taps);
  if (!channels && taps.IsConstant())
    return Error{"blocks of " + Print(taps) + " elements do not divide " + Print(type.shape[1])};
  // Of a block whose size is open it is assumed.
  if (!channels) channels = FloorDiv(type.shape[1], taps);
  Shape windows{type.shape[0], *channels};
  windows.insert(windows.end(), kernel.begin(), kernel.end());
  windows.insert(windows.end(), places.begin(), places.end());
  TRY_ASSIGN(auto x, c.Reshape(c[0], windows));
  TRY_ASSIGN(auto result, IsStatic(kernel) ? c.Add(fold, {x}) : ScatterBlocks(c, x, fold));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "AffineGrid", 2, ImportAffineGrid},
    {"", "Col2Im", 3, ImportCol2Im},
    {"", "DeformConv", 3, ImportDeformConv},
    {"", "GridSample", 2, ImportGridSample},
    {"com.microsoft", "GridSample", 2, ImportGridSample},
};

std::span<const Operator> SamplingOperators() { return kOperators; }

}  // namespace webnnc::onnx
