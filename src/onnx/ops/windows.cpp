#include <algorithm>
#include <cmath>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/activations.h"
#include "onnx/ops/window_attributes.h"

namespace webnnc::onnx {

using loop::BinaryOp;
using Integers = std::vector<int64_t>;

namespace {

// Pads of a size that is open. They are never negative where the window reaches as far as a stride.
Status PadOpenToSame(NodeContext& c, WindowAttributes& window, size_t d, bool odd_at_end) {
  const Dim& in = c.Type(0).shape[d + 2];
  int64_t stride = window.strides[d], reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
  // A window of one element has nothing to pad.
  if (reach == 1) return kSuccess;
  if (reach < stride)
    return Error{"auto_pad needs to know the size " + Print(in), {}, {"fix it with --dim"}};
  window.open_begin.resize(window.kernel.size());
  window.open_end.resize(window.kernel.size());
  Dim total = (CeilDiv(in, stride) - 1) * stride + reach - in, half = FloorDiv(total, 2);
  window.open_begin[d] = odd_at_end ? half : total - half;
  window.open_end[d] = odd_at_end ? total - half : half;
  return kSuccess;
}

// x with what is padded apart, filled with `value`.
Result<ValueId> PadOpen(NodeContext& c, const WindowAttributes& window, ValueId x, double value) {
  if (window.open_begin.empty()) return x;
  graph::Pad pad{{0, 0}, {0, 0}, graph::PadMode::kConstant};
  pad.begin.insert(pad.begin.end(), window.open_begin.begin(), window.open_begin.end());
  pad.end.insert(pad.end.end(), window.open_end.begin(), window.open_end.end());
  TRY_ASSIGN(auto fill, c.Scalar(c.Type(0).dtype, value));
  return c.Add(pad, {x, fill});
}

// SAME pads so that the result's size is ceil(in / stride), an odd element on the named side.
Status PadToSame(NodeContext& c, WindowAttributes& window, bool odd_at_end) {
  for (size_t d = 0; d < window.kernel.size(); ++d) {
    const Dim& in = c.Type(0).shape[d + 2];
    int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1, total;
    if (in.IsConstant()) {
      int64_t places = (in.value() + window.strides[d] - 1) / window.strides[d];
      total = std::max<int64_t>(0, (places - 1) * window.strides[d] + reach - in.value());
    } else if (window.strides[d] == 1) {
      total = reach - 1;
    } else {
      TRY(PadOpenToSame(c, window, d, odd_at_end));
      continue;
    }
    int64_t small = total / 2, large = total - small;
    window.pads_begin[d] = odd_at_end ? small : large;
    window.pads_end[d] = odd_at_end ? large : small;
  }
  return kSuccess;
}

}  // namespace

Status CheckSteps(std::initializer_list<const Integers*> attributes) {
  for (const Integers* values : attributes) {
    for (int64_t value : *values) {
      if (value < 1 || value > INT32_MAX)
        return Error{"sizes, strides and dilations are from 1 to " + std::to_string(INT32_MAX) +
                     ", not " + std::to_string(value)};
    }
  }
  return kSuccess;
}

Result<WindowAttributes> ReadWindow(NodeContext& c, Integers kernel) {
  size_t rank = kernel.size();
  if (c.Type(0).rank() != static_cast<int64_t>(rank) + 2 || rank == 0) {
    return Error{"a window of " + std::to_string(rank) + " dimensions does not fit " +
                 Print(c.Type(0))};
  }
  WindowAttributes window{std::move(kernel), c.Ints("strides", Integers(rank, 1)),
                          c.Ints("dilations", Integers(rank, 1)), Integers(rank, 0),
                          Integers(rank, 0)};
  if (window.strides.size() != rank || window.dilations.size() != rank) {
    return Error{"strides or dilations do not fit " + std::to_string(rank) + " spatial dimensions"};
  }
  TRY(CheckSteps({&window.kernel, &window.strides, &window.dilations}));
  std::string automatic = c.String("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    TRY(PadToSame(c, window, automatic == "SAME_UPPER"));
  } else if (automatic == "NOTSET" || automatic.empty()) {
    Integers pads = c.Ints("pads", Integers(2 * rank, 0));
    if (pads.size() != 2 * rank)
      return Error{"pads do not fit " + std::to_string(rank) + " dimensions"};
    window.pads_begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
    window.pads_end.assign(pads.begin() + static_cast<int64_t>(rank), pads.end());
  } else if (automatic != "VALID") {
    return Error{"auto_pad is " + automatic};
  }
  return window;
}

Result<Integers> KernelOf(NodeContext& c) {
  const TensorType& filter = c.Type(1);
  if (filter.rank() < 3) return Error{"the filter is " + Print(filter)};
  Integers kernel;
  for (size_t d = 2; d < filter.shape.size(); ++d) {
    if (!filter.shape[d].IsConstant())
      return Error{"the filter's size must be known: " + Print(filter)};
    kernel.push_back(filter.shape[d].value());
  }
  if (c.Ints("kernel_shape", kernel) != kernel)
    return Error{"kernel_shape is not that of the filter"};
  return kernel;
}

Result<ValueId> AddBias(NodeContext& c, ValueId image, ValueId bias) {
  Shape shape(static_cast<size_t>(c.TypeOf(image).rank()) - 1, 1);
  TRY(c.CheckVector("bias", bias, c.TypeOf(image).shape[1], "channel of the result"));
  shape[0] = c.TypeOf(bias).shape[0];
  TRY_ASSIGN(auto upright, c.Reshape(bias, shape));
  return c.Binary(BinaryOp::kAdd, image, upright);
}

static Result<Values> ImportConv(NodeContext& c) {
  TRY_ASSIGN(auto kernel, KernelOf(c));
  TRY_ASSIGN(auto window, ReadWindow(c, kernel));
  graph::Conv conv{window.strides,  window.dilations,  window.pads_begin,
                   window.pads_end, c.Int("group", 1), graph::Layout::kChannelsFirst};
  TRY_ASSIGN(auto x, PadOpen(c, window, c[0], 0));
  TRY_ASSIGN(auto result, c.Add(conv, {x, c[1]}));
  if (c.Has(2)) {
    TRY_ASSIGN(result, AddBias(c, result, c[2]));
  }
  return Values{result};
}

// A convolution, another tensor that is added, an activation.
static Result<Values> ImportFusedConv(NodeContext& c) {
  TRY_ASSIGN(auto results, ImportConv(c));
  if (c.Has(3)) {
    TRY_ASSIGN(results[0], c.Binary(BinaryOp::kAdd, results[0], c[3]));
  }
  std::string activation = c.String("activation", "");
  if (activation.empty()) return results;
  TRY_ASSIGN(results[0], Activated(c, activation, c.Floats("activation_params"), results[0]));
  return results;
}

// Channels of x and of the result are last; those of a filter stay where they are.
template <auto import>
static Result<Values> ImportChannelsLast(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  if (rank < 3) return Error{"x is " + Print(c.Type(0))};
  Integers first{0, rank - 1}, last{0};
  for (int64_t d = 1; d + 1 < rank; ++d) first.push_back(d);
  for (int64_t d = 2; d < rank; ++d) last.push_back(d);
  last.push_back(1);
  TRY_ASSIGN(auto x, c.Transpose(c[0], first));
  NodeContext turned = c.WithOperand(0, x);
  TRY_ASSIGN(auto results, import(turned));
  TRY_ASSIGN(results[0], c.Transpose(results[0], last));
  return results;
}

// A convolution of each channel by itself, whose window ends at the element it makes. What is
// before x is the past, if there is one, or zeros; the last elements are the state that comes out.
static Result<Values> CausalConv(NodeContext& c, ValueId x, ValueId past) {
  const TensorType type = c.TypeOf(x);
  if (type.rank() != 3 || c.Type(1).rank() != 3)
    return Error{"x is " + Print(type) + ", the filter " + Print(c.Type(1))};
  std::string activation = c.String("activation", "none");
  bool swishes = activation == "silu" || activation == "swish";
  if (!swishes && activation != "none") return Error{"the activation is " + activation};
  TRY_ASSIGN(auto kernel, KernelOf(c));
  const Integers dilations{c.Int("dilation", 1)};
  TRY(CheckSteps({&kernel, &dilations}));
  if (!type.shape[1].IsConstant()) return Error{"the number of channels must be known"};
  const Dim before = (kernel[0] - 1) * dilations[0];
  if (past.valid()) {
    const TensorType& state = c.TypeOf(past);
    if (state.rank() != 3 || state.shape[2] != before)
      return Error{"the state is " + Print(state) + ", but must have " + Print(before) +
                   " elements a channel"};
    TRY_ASSIGN(x, c.Add(graph::Concat{2}, {past, x}));
  } else {
    TRY_ASSIGN(auto zero, c.Scalar(type.dtype, 0));
    graph::Pad pad{{0, 0, before}, {0, 0, 0}, graph::PadMode::kConstant};
    TRY_ASSIGN(x, c.Add(pad, {x, zero}));
  }
  graph::Conv conv{{1}, dilations, {0}, {0}, type.shape[1].value(), graph::Layout::kChannelsFirst};
  TRY_ASSIGN(auto result, c.Add(conv, {x, c[1]}));
  if (c.Has(2)) {
    TRY_ASSIGN(result, AddBias(c, result, c[2]));
  }
  if (swishes) {
    TRY_ASSIGN(result, Swish(c, result, 1));
  }
  if (!c.Wants(1)) return Values{result};
  const Shape padded = c.TypeOf(x).shape;
  graph::Slice last{{0, 0, padded[2] - before}, {padded[0], padded[1], before}, {1, 1, 1}};
  TRY_ASSIGN(auto state, c.Add(last, {x}));
  return Values{result, state};
}

// ONNX Runtime's has attributes besides: x and the states may have their channels last, and the
// elements of a window may be apart.
static Result<Values> ImportCausalConvWithState(NodeContext& c) {
  if (c.Int("ndim", 1) != 1 || c.Int("state_window", 0) != 0)
    return Error{"ndim is 1 and state_window 0; others are not supported"};
  ValueId x = c[0], past = c.Has(3) ? c[3] : ValueId();
  if (c.Int("channels_last", 0) == 0) return CausalConv(c, x, past);
  for (ValueId* operand : {&x, &past}) {
    if (!operand->valid()) continue;
    if (c.TypeOf(*operand).rank() != 3) return Error{"an operand is " + Print(c.TypeOf(*operand))};
    TRY_ASSIGN(*operand, c.Transpose(*operand, {0, 2, 1}));
  }
  TRY_ASSIGN(auto results, CausalConv(c, x, past));
  for (ValueId& result : results) {
    TRY_ASSIGN(result, c.Transpose(result, {0, 2, 1}));
  }
  return results;
}

static Result<Values> ImportConvTranspose(NodeContext& c) {
  TRY_ASSIGN(auto kernel, KernelOf(c));
  size_t rank = kernel.size();
  graph::ConvTranspose conv{c.Ints("strides", Integers(rank, 1)),
                            c.Ints("dilations", Integers(rank, 1)),
                            Integers(rank, 0),
                            Integers(rank, 0),
                            c.Ints("output_padding", Integers(rank, 0)),
                            c.Int("group", 1),
                            graph::Layout::kChannelsFirst};
  if (conv.strides.size() != rank || conv.dilations.size() != rank || conv.extra.size() != rank ||
      c.Type(0).rank() != static_cast<int64_t>(rank) + 2) {
    return Error{"an attribute does not fit " + std::to_string(rank) + " spatial dimensions"};
  }
  TRY(CheckSteps({&kernel, &conv.strides, &conv.dilations}));
  std::string automatic = c.String("auto_pad", "NOTSET");
  Integers wanted = c.Ints("output_shape");
  // Newer models may give the whole shape; its spatial part counts.
  if (wanted.size() == rank + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (!wanted.empty() || same) {
    if (!wanted.empty() && wanted.size() != rank) return Error{"output_shape does not fit"};
    for (size_t d = 0; d < rank; ++d) {
      const Dim& in = c.Type(0).shape[d + 2];
      Dim size = wanted.empty() ? in * conv.strides[d] : Dim(wanted[d]);
      int64_t reach = (kernel[d] - 1) * conv.dilations[d] + 1;
      Dim cut = (in - 1) * conv.strides[d] + reach + conv.extra[d] - size;
      if (!cut.IsConstant())
        return Error{"the size " + Print(in) + " must be known", {}, {"fix it with --dim"}};
      if (IsAbsurd(cut)) return Error{"the result's size would be " + Print(size)};
      int64_t total = cut.value();
      if (total < 0) {
        conv.extra[d] -= total;
        total = 0;
      }
      int64_t small = total / 2, large = total - small;
      conv.pads_begin[d] = automatic == "SAME_UPPER" ? small : large;
      conv.pads_end[d] = automatic == "SAME_UPPER" ? large : small;
    }
  } else {
    Integers pads = c.Ints("pads", Integers(2 * rank, 0));
    if (pads.size() != 2 * rank)
      return Error{"pads do not fit " + std::to_string(rank) + " dimensions"};
    conv.pads_begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
    conv.pads_end.assign(pads.begin() + static_cast<int64_t>(rank), pads.end());
  }
  TRY_ASSIGN(auto result, c.Add(conv, {c[0], c[1]}));
  if (c.Has(2)) {
    TRY_ASSIGN(result, AddBias(c, result, c[2]));
  }
  return Values{result};
}

namespace {

graph::Pool PoolOf(graph::PoolKind kind, const WindowAttributes& window, bool ceil) {
  graph::Pool pool;
  pool.kind = kind;
  pool.kernel = window.kernel;
  pool.strides = window.strides;
  pool.dilations = window.dilations;
  pool.pads_begin = window.pads_begin;
  pool.pads_end = window.pads_end;
  pool.ceil = ceil;
  return pool;
}

// What padding apart cannot express.
Error OpenPadsError(NodeContext& c) {
  return {"auto_pad needs to know the sizes of " + Print(c.Type(0)), {}, {"fix them with --dim"}};
}

double LowestOf(DType dtype) { return loop::Neutral(loop::Update::kMax, dtype).AsReal(); }

Result<WindowAttributes> ReadPoolWindow(NodeContext& c) {
  Integers kernel = c.Ints("kernel_shape");
  if (kernel.empty()) return Error{"kernel_shape is missing"};
  return ReadWindow(c, kernel);
}

}  // namespace

namespace {

// What counts through x with what is padded apart, as what counts through x alone. Where a window's
// elements are all as low as the pads, its first element may be a pad: it stands for the first
// that is in x, in each dimension by itself.
Result<ValueId> CountedWithoutPads(NodeContext& c, const WindowAttributes& window, ValueId index,
                                   const Shape& padded, bool column_major) {
  const Shape& shape = c.Type(0).shape;
  std::vector<size_t> fastest_first;
  for (size_t d = window.kernel.size(); d-- > 0;) fastest_first.push_back(d);
  if (column_major && window.kernel.size() >= 2) std::swap(fastest_first[0], fastest_first[1]);
  Formula f(c);
  Term rest = f(index), result = f.Number(0, DType::kI64);
  Dim step = 1;
  for (size_t d : fastest_first) {
    Term size = f.Size(padded[d + 2], DType::kI64);
    Term at = FloorMod(rest, size) - f.Size(window.open_begin[d], DType::kI64);
    Term first = FloorMod(at, f.Number(static_cast<double>(window.dilations[d]), DType::kI64));
    result = result + Where(at < 0, first, at) * f.Size(step, DType::kI64);
    rest = FloorDiv(rest, size);
    step = step * shape[d + 2];
  }
  return f.Result(result + rest * f.Size(step, DType::kI64));
}

}  // namespace

static Result<Values> ImportMaxPool(NodeContext& c) {
  TRY_ASSIGN(auto window, ReadPoolWindow(c));
  bool ceil = c.Int("ceil_mode", 0) != 0;
  TRY_ASSIGN(auto x, PadOpen(c, window, c[0], LowestOf(c.Type(0).dtype)));
  TRY_ASSIGN(auto result, c.Add(PoolOf(graph::PoolKind::kMax, window, ceil), {x}));
  if (!c.Wants(1)) return Values{result};
  graph::Pool index = PoolOf(graph::PoolKind::kMaxIndex, window, ceil);
  index.column_major = c.Int("storage_order", 0) != 0;
  TRY_ASSIGN(auto indices, c.Add(index, {x}));
  if (!window.open_begin.empty()) {
    const Shape padded = c.TypeOf(x).shape;
    TRY_ASSIGN(indices, CountedWithoutPads(c, window, indices, padded, index.column_major));
  }
  return Values{result, indices};
}

// Zeros, but for the elements of x at the places where MaxPool found them: these count through the
// whole of what was pooled, which output_shape may make larger.
static Result<Values> ImportMaxUnpool(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto window, ReadPoolWindow(c));
  if (!window.open_begin.empty()) return OpenPadsError(c);
  if (c.Type(1).dtype != DType::kI64 || c.Type(1).rank() != type.rank())
    return Error{"indices are " + Print(c.Type(1)) + " for " + Print(type)};
  Shape shape{type.shape[0], type.shape[1]};
  for (size_t d = 0; d < window.kernel.size(); ++d) {
    shape.push_back((type.shape[2 + d] - 1) * window.strides[d] +
                    (window.kernel[d] - window.pads_begin[d] - window.pads_end[d]));
    if (shape.back().IsConstant() && shape.back().value() < 0)
      return Error{"what was pooled would have " + Print(shape.back()) + " elements"};
  }
  Formula f(c);
  const Dim count = ElementCount(type.shape), all = ElementCount(shape);
  Term zeros = Expand(f.Number(0, type.dtype), {all});
  Term flat = f.Add(graph::ScatterElements{0},
                    {zeros, Reshape(f(c[1]), {count}), Reshape(f(c[0]), {count})});
  Term result = Reshape(flat, shape);
  if (c.Has(2)) {
    TRY_ASSIGN(auto wanted, c.Sizes(2));
    if (wanted.size() != shape.size()) return Error{"output_shape does not fit " + Print(type)};
    graph::Pad pad{graph::Sizes1D(shape.size(), 0), graph::Sizes1D(shape.size(), 0),
                   graph::PadMode::kConstant};
    for (size_t d = 0; d < shape.size(); ++d) {
      if (ProvablyLess(wanted[d], shape[d]))
        return Error{"output_shape is smaller than " + Print(shape)};
      if (!ProvablyLessEqual(shape[d], wanted[d])) c.AssumeLessEqual(shape[d], wanted[d]);
      pad.end[d] = wanted[d] - shape[d];
    }
    result = f.Add(pad, {result, f.Number(0, type.dtype)});
  }
  TRY_ASSIGN(auto id, f.Result(result));
  return Values{id};
}

static Result<Values> ImportAveragePool(NodeContext& c) {
  TRY_ASSIGN(auto window, ReadPoolWindow(c));
  graph::Pool pool = PoolOf(graph::PoolKind::kAverage, window, c.Int("ceil_mode", 0) != 0);
  const bool is_open = !window.open_begin.empty(), counts = c.Int("count_include_pad", 0) != 0;
  pool.count_pads = counts || is_open;
  TRY_ASSIGN(auto x, PadOpen(c, window, c[0], 0));
  TRY_ASSIGN(auto result, c.Add(pool, {x}));
  if (counts || !is_open) return Values{result};
  // Pads apart count as elements: the part of each window that is none of them is the average of
  // ones between zeros.
  Shape shape = c.Type(0).shape;
  shape[0] = shape[1] = 1;
  TRY_ASSIGN(auto one, c.Scalar(c.Type(0).dtype, 1));
  TRY_ASSIGN(auto ones, c.Add(graph::Expand{shape}, {one}));
  TRY_ASSIGN(auto between_zeros, PadOpen(c, window, ones, 0));
  TRY_ASSIGN(auto part, c.Add(pool, {between_zeros}));
  TRY_ASSIGN(result, c.Binary(BinaryOp::kDiv, result, part));
  return Values{result};
}

namespace {

// (sum of |x|^p)^(1/p), where `sum` adds up.
template <typename Sum>
Result<ValueId> Norm(NodeContext& c, ValueId x, int64_t p, Sum sum) {
  TRY_ASSIGN(auto magnitude, c.Unary(graph::Function::kAbs, x));
  if (p == 1) return sum(magnitude);
  ValueId power;
  if (p == 2) {
    TRY_ASSIGN(power, c.Binary(BinaryOp::kMul, x, x));
  } else {
    TRY_ASSIGN(power, c.Binary(BinaryOp::kPow, magnitude, static_cast<double>(p)));
  }
  TRY_ASSIGN(auto total, sum(power));
  if (p == 2) return c.Unary(graph::Function::kSqrt, total);
  return c.Binary(BinaryOp::kPow, total, 1.0 / static_cast<double>(p));
}

Integers SpatialAxes(NodeContext& c) {
  Integers axes;
  for (int64_t d = 2; d < c.Type(0).rank(); ++d) axes.push_back(d);
  return axes;
}

}  // namespace

static Result<Values> ImportLpPool(NodeContext& c) {
  TRY_ASSIGN(auto window, ReadPoolWindow(c));
  graph::Pool pool = PoolOf(graph::PoolKind::kSum, window, c.Int("ceil_mode", 0) != 0);
  TRY_ASSIGN(auto x, PadOpen(c, window, c[0], 0));
  TRY_ASSIGN(auto result,
             Norm(c, x, c.Int("p", 2), [&](ValueId power) { return c.Add(pool, {power}); }));
  return Values{result};
}

static Result<Values> ImportGlobalAveragePool(NodeContext& c) {
  TRY_ASSIGN(auto sum, c.Add(graph::Reduce{graph::ReduceKind::kSum, SpatialAxes(c), true}, {c[0]}));
  Dim count = 1;
  for (int64_t axis : SpatialAxes(c)) count = count * c.Type(0).shape[static_cast<size_t>(axis)];
  TRY_ASSIGN(auto size, c.Add(graph::Sizes{{count}, true}, {}));
  TRY_ASSIGN(auto divisor, c.Cast(size, c.Type(0).dtype));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, sum, divisor));
  return Values{result};
}

static Result<Values> ImportGlobalMaxPool(NodeContext& c) {
  TRY_ASSIGN(auto result,
             c.Add(graph::Reduce{graph::ReduceKind::kMax, SpatialAxes(c), true}, {c[0]}));
  return Values{result};
}

static Result<Values> ImportGlobalLpPool(NodeContext& c) {
  graph::Reduce reduce{graph::ReduceKind::kSum, SpatialAxes(c), true};
  TRY_ASSIGN(auto result,
             Norm(c, c[0], c.Int("p", 2), [&](ValueId x) { return c.Add(reduce, {x}); }));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "AveragePool", 1, ImportAveragePool, kAnyOpset},
    {"", "CausalConvWithState", 2, ImportCausalConvWithState},
    {"", "Conv", 2, ImportConv, kAnyOpset},
    {"", "ConvTranspose", 2, ImportConvTranspose, kAnyOpset},
    {"", "GlobalAveragePool", 1, InWide<ImportGlobalAveragePool>, kAnyOpset},
    {"", "GlobalLpPool", 1, InWide<ImportGlobalLpPool>},
    {"", "GlobalMaxPool", 1, ImportGlobalMaxPool, kAnyOpset},
    {"", "LpPool", 1, InWide<ImportLpPool>},
    {"", "MaxPool", 1, ImportMaxPool, kAnyOpset},
    {"", "MaxUnpool", 2, ImportMaxUnpool},
    {"com.microsoft", "CausalConvWithState", 2, ImportCausalConvWithState},
    {"com.microsoft", "FusedConv", 2, ImportFusedConv},
    {"com.microsoft", "NhwcConv", 2, ImportChannelsLast<ImportConv>},
    {"com.microsoft", "NhwcMaxPool", 1, ImportChannelsLast<ImportMaxPool>},
};

std::span<const Operator> WindowOperators() { return kOperators; }

}  // namespace webnnc::onnx
