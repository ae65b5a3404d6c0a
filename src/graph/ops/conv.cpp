#include "graph/ops/window.h"

namespace webnnc::graph {

namespace {

// The filter's sizes under a layout.
struct FilterDims {
  size_t output, input, kernel;
};
FilterDims FilterDimsOf(Layout layout, size_t rank) {
  if (layout == Layout::kChannelsFirst) return {0, 1, 2};
  return {rank - 1, rank - 2, 0};
}

Result<Window> WindowOf(const Conv& conv, const TensorType& filter) {
  size_t spatial = filter.shape.size() - 2;
  FilterDims dims = FilterDimsOf(conv.layout, filter.shape.size());
  Window window{{}, conv.strides, conv.dilations, conv.pads_begin, conv.pads_end, false};
  for (size_t d = 0; d < spatial; ++d) {
    const Dim& size = filter.shape[dims.kernel + d];
    if (!size.IsConstant()) return Error{"conv: the filter's size must be known: " + Print(filter)};
    window.kernel.push_back(size.value());
  }
  TRY(CheckWindow(Conv::kName, window, spatial));
  return window;
}

}  // namespace

Result<Types> Conv::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &filter = operands[1];
  std::string what = Describe(kName, operands);
  if (x.dtype != filter.dtype || x.dtype == DType::kBool) {
    return Error{what + ": it takes numbers of one type"};
  }
  if (x.rank() < 3 || filter.rank() != x.rank()) {
    return Error{what + ": both need the same number of dimensions, at least 3"};
  }
  TRY_ASSIGN(auto window, WindowOf(*this, filter));
  ImageDims image = DimsOf(layout, x.shape.size());
  FilterDims dims = FilterDimsOf(layout, x.shape.size());
  const Dim &outputs = filter.shape[dims.output], &inputs = filter.shape[dims.input];
  if (groups < 1 || inputs * groups != x.shape[image.channel]) {
    return Error{what + ": the filter takes " + Print(inputs * groups) + " channels, x has " +
                 Print(x.shape[image.channel])};
  }
  if (!ExactDiv(outputs, groups)) {
    return Error{what + ": " + std::to_string(groups) + " groups do not divide the filter's " +
                 Print(outputs)};
  }
  TensorType result = x;
  result.shape[image.channel] = outputs;
  for (size_t d = 0; d + 2 < x.shape.size(); ++d) {
    TRY(CheckPlaces(kName, window, d, x.shape[image.spatial + d]));
    result.shape[image.spatial + d] = OutputSize(window, d, x.shape[image.spatial + d]);
    const Dim& size = result.shape[image.spatial + d];
    if (size.IsConstant() && size.value() < 0) {
      return Error{what + ": the filter is larger than the padded x"};
    }
  }
  return Types{result};
}

std::vector<EqualSizes> Conv::Equal(std::span<const TensorType> operands) const {
  const Shape &x = operands[0].shape, &filter = operands[1].shape;
  if (x.size() < 3 || filter.size() != x.size()) return {};
  const Dim& inputs = filter[FilterDimsOf(layout, x.size()).input];
  return {{{{0, DimsOf(layout, x.size()).channel}}, false, inputs * groups}};
}

void Conv::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const TensorType x = to.Operand(0), filter = to.Operand(1);
  size_t rank = x.shape.size(), spatial = rank - 2;
  ImageDims image = DimsOf(layout, rank);
  FilterDims dims = FilterDimsOf(layout, rank);
  Window window = WindowOf(*this, filter).value();
  loop::BufferId sum = AccumulatorFor(to);
  DType dtype = AccumulatorType(to.Result().dtype);

  std::vector<std::string> names(rank);
  names[0] = "n";
  names[image.channel] = "o";
  for (size_t d = 0; d < spatial; ++d) names[image.spatial + d] = "p" + std::to_string(d);
  Shape domain = to.Result().shape;
  for (size_t d = 0; d < spatial; ++d) {
    domain.push_back(filter.shape[dims.kernel + d]);
    names.push_back("k" + std::to_string(d));
  }
  domain.push_back(filter.shape[dims.input]);
  names.push_back("c");
  Dim outputs_per_group = *ExactDiv(filter.shape[dims.output], groups);
  b.ForEach(
      domain,
      [&](const loop::Index& at) {
        loop::Index result(at.begin(), at.begin() + static_cast<int64_t>(rank));
        loop::Index x_index = result, filter_index(rank);
        loop::ExprId output = at[image.channel], input = at.back();
        loop::ExprId inside = b.Constant(Scalar::Bool(true));
        for (size_t d = 0; d < spatial; ++d) {
          loop::ExprId tap = at[rank + d];
          Touch touch =
              TouchAt(b, window, d, x.shape[image.spatial + d], at[image.spatial + d], tap);
          x_index[image.spatial + d] = touch.position;
          filter_index[dims.kernel + d] = tap;
          inside = b.And(inside, touch.inside);
        }
        filter_index[dims.output] = output;
        filter_index[dims.input] = input;
        loop::ExprId group = b.Int(0);
        if (groups > 1) group = b.FloorDiv(output, b.Size(outputs_per_group));
        x_index[image.channel] = b.Add(b.Mul(group, b.Size(filter.shape[dims.input])), input);
        loop::ExprId value = b.Convert(b.Load(to.operands[0], x_index), dtype);
        value = b.Select(inside, value, b.Real(dtype, static_cast<double>(outside)));
        loop::ExprId weight = b.Convert(b.Load(to.operands[1], filter_index), dtype);
        b.Reduce(sum, result, b.Mul(value, weight), loop::Update::kAdd);
      },
      names);
  Finish(to, sum);
}

// ---- Transposed -------------------------------------------------------------------------------

namespace {

FilterDims TransposedFilterDimsOf(Layout layout, size_t rank) {
  if (layout == Layout::kChannelsFirst) return {1, 0, 2};
  return {rank - 1, rank - 2, 0};
}

Result<Window> WindowOf(const ConvTranspose& conv, const TensorType& filter) {
  size_t spatial = filter.shape.size() - 2;
  FilterDims dims = TransposedFilterDimsOf(conv.layout, filter.shape.size());
  Window window{{}, conv.strides, conv.dilations, conv.pads_begin, conv.pads_end, false};
  for (size_t d = 0; d < spatial; ++d) {
    const Dim& size = filter.shape[dims.kernel + d];
    if (!size.IsConstant()) {
      return Error{"conv_transpose: the filter's size must be known: " + Print(filter)};
    }
    window.kernel.push_back(size.value());
  }
  TRY(CheckWindow(ConvTranspose::kName, window, spatial));
  if (conv.extra.size() != spatial) return Error{"conv_transpose: output padding does not fit"};
  for (int64_t extra : conv.extra) {
    if (extra < 0 || extra > INT32_MAX)
      return Error{"conv_transpose: output padding of " + std::to_string(extra)};
  }
  return window;
}

}  // namespace

Result<Types> ConvTranspose::Infer(std::span<const TensorType> operands) const {
  const TensorType &x = operands[0], &filter = operands[1];
  std::string what = Describe(kName, operands);
  if (x.dtype != filter.dtype || x.dtype == DType::kBool) {
    return Error{what + ": it takes numbers of one type"};
  }
  if (x.rank() < 3 || filter.rank() != x.rank()) {
    return Error{what + ": both need the same number of dimensions, at least 3"};
  }
  TRY_ASSIGN(auto window, WindowOf(*this, filter));
  ImageDims image = DimsOf(layout, x.shape.size());
  FilterDims dims = TransposedFilterDimsOf(layout, x.shape.size());
  if (groups < 1 || filter.shape[dims.input] != x.shape[image.channel] ||
      !ExactDiv(x.shape[image.channel], groups)) {
    return Error{what + ": the filter takes " + Print(filter.shape[dims.input]) +
                 " channels, x has " + Print(x.shape[image.channel]) + ", in " +
                 std::to_string(groups) + " groups"};
  }
  TensorType result = x;
  result.shape[image.channel] = filter.shape[dims.output] * groups;
  for (size_t d = 0; d + 2 < x.shape.size(); ++d) {
    int64_t reach = (window.kernel[d] - 1) * dilations[d] + 1;
    result.shape[image.spatial + d] = (x.shape[image.spatial + d] - 1) * strides[d] +
                                      (reach + extra[d] - pads_begin[d] - pads_end[d]);
    TRY(CheckPlaces(kName, window, d, result.shape[image.spatial + d]));
  }
  return Types{result};
}

std::vector<EqualSizes> ConvTranspose::Equal(std::span<const TensorType> operands) const {
  const Shape &x = operands[0].shape, &filter = operands[1].shape;
  if (x.size() < 3 || filter.size() != x.size()) return {};
  const Dim& inputs = filter[TransposedFilterDimsOf(layout, x.size()).input];
  return {{{{0, DimsOf(layout, x.size()).channel}}, false, inputs}};
}

// Each element of the result gathers what reaches it, so that no two iterations add to one place.
void ConvTranspose::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const TensorType x = to.Operand(0), filter = to.Operand(1);
  size_t rank = x.shape.size(), spatial = rank - 2;
  ImageDims image = DimsOf(layout, rank);
  FilterDims dims = TransposedFilterDimsOf(layout, rank);
  Window window = WindowOf(*this, filter).value();
  loop::BufferId sum = AccumulatorFor(to);
  DType dtype = AccumulatorType(to.Result().dtype);

  std::vector<std::string> names(rank);
  names[0] = "n";
  names[image.channel] = "o";
  for (size_t d = 0; d < spatial; ++d) names[image.spatial + d] = "p" + std::to_string(d);
  Shape domain = to.Result().shape;
  for (size_t d = 0; d < spatial; ++d) {
    domain.push_back(filter.shape[dims.kernel + d]);
    names.push_back("k" + std::to_string(d));
  }
  Dim inputs_per_group = *ExactDiv(x.shape[image.channel], groups);
  domain.push_back(inputs_per_group);
  names.push_back("c");
  b.ForEach(
      domain,
      [&](const loop::Index& at) {
        loop::Index result(at.begin(), at.begin() + static_cast<int64_t>(rank));
        loop::Index x_index = result, filter_index(rank);
        loop::ExprId output = at[image.channel];
        loop::ExprId inside = b.Constant(Scalar::Bool(true));
        for (size_t d = 0; d < spatial; ++d) {
          loop::ExprId tap = at[rank + d], stride = b.Int(strides[d]);
          // The element of x, times the stride.
          loop::ExprId scaled = b.Sub(b.Add(at[image.spatial + d], b.Int(pads_begin[d])),
                                      b.Mul(tap, b.Int(dilations[d])));
          loop::ExprId position = b.FloorDiv(scaled, stride);
          loop::ExprId hits = b.Equal(b.FloorMod(scaled, stride), b.Int(0));
          loop::ExprId within = b.Within(position, b.Int(0), b.Size(x.shape[image.spatial + d]));
          inside = b.And(inside, b.And(hits, within));
          x_index[image.spatial + d] = position;
          filter_index[dims.kernel + d] = tap;
        }
        const Dim& per_group = filter.shape[dims.output];
        loop::ExprId group = b.Int(0), own = output;
        if (groups > 1) {
          group = b.FloorDiv(output, b.Size(per_group));
          own = b.FloorMod(output, b.Size(per_group));
        }
        loop::ExprId input = b.Add(b.Mul(group, b.Size(inputs_per_group)), at.back());
        x_index[image.channel] = input;
        filter_index[dims.input] = input;
        filter_index[dims.output] = own;
        loop::ExprId value = b.Convert(b.Load(to.operands[0], x_index), dtype);
        value = b.Select(inside, value, b.Real(dtype, 0));
        loop::ExprId weight = b.Convert(b.Load(to.operands[1], filter_index), dtype);
        b.Reduce(sum, result, b.Mul(value, weight), loop::Update::kAdd);
      },
      names);
  Finish(to, sum);
}

}  // namespace webnnc::graph
