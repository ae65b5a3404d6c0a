// The vocabulary of the graph IR: every operation, its attributes and its meaning.
//
// To add an operation: write its struct here, add it to Op, and write src/graph/ops/<name>.cpp.
// The C++ compiler and the linker name whatever is still missing. docs/adding-an-operator.md has an
// example.
//
// Everywhere below, operands broadcast as NumPy's where it says so and not elsewhere; axes count
// from the front (importers resolve negative ones).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/fields.h"
#include "base/result.h"
#include "loop/kernel.h"
#include "tensor/data.h"
#include "tensor/type.h"

namespace webnnc::loop {
struct Lowering;
}

namespace webnnc::graph {

using Types = std::vector<TensorType>;
using Sizes1D = std::vector<Dim>;
using Integers = std::vector<int64_t>;

// Sizes of operands that must be equal; where they broadcast, those that are 1 need not.
struct EqualSizes {
  struct Place {
    size_t operand, dimension;
  };
  std::vector<Place> places;
  bool broadcast = false;
  // One more size, which no operand has.
  std::optional<Dim> fixed = {};
};

// What every operation struct has:
//   kName, kMinOperands, kMaxOperands   checked before Infer
//   Infer    the results' types, or why the operands do not fit
//   Lower    the definition as loops (loop/lowering.h)
// and one whose operands' sizes depend on each other:
//   Equal    which sizes Infer wants equal. Where they cannot be told now, importers make them so.
#define WEBNNC_OPERATION(name, min, max)                  \
  static constexpr std::string_view kName = name;         \
  static constexpr size_t kMinOperands = min;             \
  static constexpr size_t kMaxOperands = max;             \
  Result<Types> Infer(std::span<const TensorType>) const; \
  void Lower(loop::Lowering&) const

#define WEBNNC_EQUAL_SIZES std::vector<EqualSizes> Equal(std::span<const TensorType>) const

inline constexpr size_t kAnyNumber = SIZE_MAX;

// ---- Sources ----------------------------------------------------------------------------------

// A tensor known at compile time.
struct Constant {
  Tensor value;
  // The initialiser it came from, for people.
  std::string name;

  static constexpr auto kFields = Fields();
  WEBNNC_OPERATION("constant", 0, 0);
};

// Sizes as elements: i64[k], or i64[] with `scalar`. What an ONNX model computes with Shape.
struct Sizes {
  Sizes1D values;
  bool scalar = false;

  static constexpr auto kFields =
      Fields(Field("values", &Sizes::values), Field("scalar", &Sizes::scalar));
  WEBNNC_OPERATION("sizes", 0, 0);
};

// 0, 1, ..., count - 1 as i64[count].
struct Iota {
  Dim count;

  static constexpr auto kFields = Fields(Field("count", &Iota::count));
  WEBNNC_OPERATION("iota", 0, 0);
};

// ---- Elementwise ------------------------------------------------------------------------------

// Functions of one element. The first are loop::UnaryOp, by the same names and in the same order.
enum class Function : uint8_t {
  kNegate,
  kAbs,
  kSign,
  kNot,
  kBitNot,
  kFloor,
  kCeil,
  kRound,
  kTrunc,
  kExp,
  kLog,
  kSqrt,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kTanh,
  kAsinh,
  kAcosh,
  kAtanh,
  kErf,
  kIsNan,
  kIsInf,
  kBits,
  kFromBits,
  kDotByte,
  kDotBytes,
  kRelu,        // max(x, 0)
  kSigmoid,     // 1 / (1 + exp(-x))
  kSoftplus,    // log(1 + exp(x))
  kReciprocal,  // 1 / x
};
inline constexpr int kFunctionCount = 35;
std::string_view Name(Function function);

// result[i...] = function(x[i...]). In text, the function's name is the operation's.
struct Unary {
  Function function = Function::kNegate;

  static constexpr auto kFields = Fields();
  WEBNNC_OPERATION("unary", 1, 1);
};

// result[i...] = a[i...] op b[i...], broadcast. In text: add, sub, mul, div, mod, floordiv,
// floormod, pow, min, max, and, or, xor, shl, shr, equal, notequal, less, lessequal.
struct Binary {
  loop::BinaryOp op = loop::BinaryOp::kAdd;

  static constexpr auto kFields = Fields();
  WEBNNC_OPERATION("binary", 2, 2);
  WEBNNC_EQUAL_SIZES;
};
std::string_view OperationName(loop::BinaryOp op);

// result[i...] = condition[i...] ? a[i...] : b[i...], broadcast.
struct Where {
  static constexpr auto kFields = Fields();
  WEBNNC_OPERATION("where", 3, 3);
  WEBNNC_EQUAL_SIZES;
};

// Elements converted as tensor/scalar.h says. `rounded` is for those of f16: they are numbers that
// f16 has, also where a target keeps f16 in more bits (loop::Convert).
struct Cast {
  DType to = DType::kF32;
  bool rounded = false;

  static constexpr auto kFields = Fields(Field("to", &Cast::to), Field("rounded", &Cast::rounded));
  WEBNNC_OPERATION("cast", 1, 1);
};

// ---- Products ---------------------------------------------------------------------------------

// result[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; the leading dimensions broadcast.
struct MatMul {
  bool transpose_a = false;  // a[..., k, i]
  bool transpose_b = false;  // b[..., j, k]

  static constexpr auto kFields = Fields(Field("transpose_a", &MatMul::transpose_a),
                                         Field("transpose_b", &MatMul::transpose_b));
  WEBNNC_OPERATION("matmul", 2, 2);
  WEBNNC_EQUAL_SIZES;
};

// A sum of products over labels, one letter a dimension: "bij,bjk->bik". Each operand has as many
// letters as dimensions, every letter of the result is in an operand, and the result repeats none.
struct Einsum {
  std::string equation;

  static constexpr auto kFields = Fields(Field("equation", &Einsum::equation));
  WEBNNC_OPERATION("einsum", 1, kAnyNumber);
  WEBNNC_EQUAL_SIZES;
};

// What a query gets that no key counts for: softmax makes NaN of it.
enum class NoKeys : uint8_t {
  kNan,        // that
  kZero,       // zeros; what is NaN for another reason stays NaN
  kNanIsZero,  // zeros, and every weight that is NaN counts as 0
};

// What queries find among keys, for each head h:
//
//   score[b..., h, i, j] = cap(scale * sum over d of q[b..., h, i, d] * k[b..., h/g, j, d])
//   result[b..., h, i, e] = sum over j of softmax(score)[b..., h, i, j] * v[b..., h/g, j, e]
//
// g heads of q share one of k and v. cap(x) is softcap * tanh(x / softcap), or x if softcap is 0.
// Operands: q, k, v; perhaps a bias, floats that broadcast to the scores and are added to them;
// perhaps a mask, bools that broadcast, too: where it is false the score is `masked`. With `causal`
// key j counts for query i only if j <= i + offset.
struct Attention {
  double scale = 1;
  double softcap = 0;
  double masked = -std::numeric_limits<double>::infinity();
  bool causal = false;
  Dim offset;
  NoKeys no_keys = NoKeys::kNan;

  static constexpr auto kFields =
      Fields(Field("scale", &Attention::scale), Field("softcap", &Attention::softcap),
             Field("masked", &Attention::masked), Field("causal", &Attention::causal),
             Field("offset", &Attention::offset), Field("no_keys", &Attention::no_keys));
  WEBNNC_OPERATION("attention", 3, 5);
  WEBNNC_EQUAL_SIZES;

  // Which operands bias and mask are; 0 for none.
  struct Extras {
    size_t bias = 0, mask = 0;
  };
  static Extras ExtrasOf(std::span<const TensorType> operands);
};

// Where the channels of images and filters are.
//   first: x[n, c, s...]   filter[o, c/groups, k...]   (ConvTranspose: filter[c, o/groups, k...])
//   last:  x[n, s..., c]   filter[k..., c/groups, o]   (ConvTranspose: filter[k..., c, o/groups])
enum class Layout : uint8_t { kChannelsFirst, kChannelsLast };

// result[n, o, p...] = sum over c, k... of x[n, c, p*stride + k*dilation - pad...] * filter[o, c,
// k...] with a number, zero mostly, outside x. Operands: x, filter. Of `groups` groups, each sees
// its share of channels.
struct Conv {
  Integers strides, dilations, pads_begin, pads_end;  // one a spatial dimension
  int64_t groups = 1;
  Layout layout = Layout::kChannelsFirst;
  int64_t outside = 0;

  static constexpr auto kFields =
      Fields(Field("strides", &Conv::strides), Field("dilations", &Conv::dilations),
             Field("pads_begin", &Conv::pads_begin), Field("pads_end", &Conv::pads_end),
             Field("groups", &Conv::groups), Field("layout", &Conv::layout),
             Field("outside", &Conv::outside));
  WEBNNC_OPERATION("conv", 2, 2);
  WEBNNC_EQUAL_SIZES;
};

// The transpose of Conv with respect to x: each element of x adds filter*x to the result at
// p*stride + k*dilation - pad. The result's size is
// (in - 1)*stride + (k - 1)*dilation + 1 + extra - pads_begin - pads_end.
struct ConvTranspose {
  Integers strides, dilations, pads_begin, pads_end, extra;
  int64_t groups = 1;
  Layout layout = Layout::kChannelsFirst;

  static constexpr auto kFields = Fields(
      Field("strides", &ConvTranspose::strides), Field("dilations", &ConvTranspose::dilations),
      Field("pads_begin", &ConvTranspose::pads_begin), Field("pads_end", &ConvTranspose::pads_end),
      Field("extra", &ConvTranspose::extra), Field("groups", &ConvTranspose::groups),
      Field("layout", &ConvTranspose::layout));
  WEBNNC_OPERATION("conv_transpose", 2, 2);
  WEBNNC_EQUAL_SIZES;
};

// ---- Windows and reductions -------------------------------------------------------------------

enum class PoolKind : uint8_t {
  kMax,
  kMaxIndex,  // i64: where kMax found its element, counted through the whole of x in row-major
              // order
  kAverage,   // over the elements of x, or of x with its padding if count_pads
  kSum,
};

// Slides a window over dimensions first, first + 1, ... of x. Outside x there is nothing: -inf for
// kMax, 0 for sums. With `ceil`, a last window that starts inside x or its left padding counts even
// if it sticks out.
struct Pool {
  PoolKind kind = PoolKind::kMax;
  int64_t first = 2;
  Integers kernel, strides, dilations, pads_begin, pads_end;
  bool ceil = false;
  bool count_pads = false;
  bool column_major = false;  // of kMaxIndex: indices count the last two window dimensions swapped

  static constexpr auto kFields =
      Fields(Field("kind", &Pool::kind), Field("first", &Pool::first),
             Field("kernel", &Pool::kernel), Field("strides", &Pool::strides),
             Field("dilations", &Pool::dilations), Field("pads_begin", &Pool::pads_begin),
             Field("pads_end", &Pool::pads_end), Field("ceil", &Pool::ceil),
             Field("count_pads", &Pool::count_pads), Field("column_major", &Pool::column_major));
  WEBNNC_OPERATION("pool", 1, 1);
};

enum class ReduceKind : uint8_t { kSum, kProd, kMax, kMin };

// Combines the elements along `axes`, which stay as 1 with keep.
struct Reduce {
  ReduceKind kind = ReduceKind::kSum;
  Integers axes;
  bool keep = true;

  static constexpr auto kFields = Fields(Field("kind", &Reduce::kind), Field("axes", &Reduce::axes),
                                         Field("keep", &Reduce::keep));
  WEBNNC_OPERATION("reduce", 1, 1);
};

// i64: where along `axis` the largest (smallest) element is; the first of equals, or the last.
struct ArgReduce {
  bool min = false;
  int64_t axis = 0;
  bool keep = true;
  bool last = false;

  static constexpr auto kFields =
      Fields(Field("min", &ArgReduce::min), Field("axis", &ArgReduce::axis),
             Field("keep", &ArgReduce::keep), Field("last", &ArgReduce::last));
  WEBNNC_OPERATION("arg_reduce", 1, 1);
};

// result[i...] = exp(x[i...] - max) / sum, with max and sum taken along `axes` together; its
// logarithm if `log`.
struct Softmax {
  Integers axes;
  bool log = false;

  static constexpr auto kFields =
      Fields(Field("axes", &Softmax::axes), Field("log", &Softmax::log));
  WEBNNC_OPERATION("softmax", 1, 1);
};

// result = (x - mean) / sqrt(variance + epsilon) with both taken along `axes`. Not centred: the
// mean is left in, and the mean square takes the variance's place. Computed in f32 or wider.
struct Normalize {
  Integers axes;
  double epsilon = 1e-5;
  bool center = true;

  static constexpr auto kFields =
      Fields(Field("axes", &Normalize::axes), Field("epsilon", &Normalize::epsilon),
             Field("center", &Normalize::center));
  WEBNNC_OPERATION("normalize", 1, 1);
};

// ---- Moving elements --------------------------------------------------------------------------

// Dimension d of the result is dimension order[d] of x.
struct Transpose {
  Integers order;

  static constexpr auto kFields = Fields(Field("order", &Transpose::order));
  WEBNNC_OPERATION("transpose", 1, 1);
};

// The same elements in row-major order under another shape.
struct Reshape {
  Sizes1D shape;

  static constexpr auto kFields = Fields(Field("shape", &Reshape::shape));
  WEBNNC_OPERATION("reshape", 1, 1);
};

// x, whose sizes are those of `shape` in every run: the graph's assumptions say so where it cannot
// be told (Graph::assumptions).
struct Refine {
  Sizes1D shape;

  static constexpr auto kFields = Fields(Field("shape", &Refine::shape));
  WEBNNC_OPERATION("refine", 1, 1);
};

// x broadcast to `shape`. A size that is not known may become another one: it is that one or 1 in
// every run, as the graph's assumptions say.
struct Expand {
  Sizes1D shape;

  static constexpr auto kFields = Fields(Field("shape", &Expand::shape));
  WEBNNC_OPERATION("expand", 1, 1);
  WEBNNC_EQUAL_SIZES;
};

// result[i...] = x[starts + i*steps...], of the given sizes; all inside x. Steps may be negative.
struct Slice {
  Sizes1D starts, sizes;
  Integers steps;

  static constexpr auto kFields =
      Fields(Field("starts", &Slice::starts), Field("sizes", &Slice::sizes),
             Field("steps", &Slice::steps));
  WEBNNC_OPERATION("slice", 1, 1);
};

enum class PadMode : uint8_t { kConstant, kReflect, kEdge, kWrap };

// x with `begin` elements before and `end` after it in each dimension. Operands: x and, for
// kConstant, the scalar that fills.
struct Pad {
  Sizes1D begin, end;
  PadMode mode = PadMode::kConstant;

  static constexpr auto kFields =
      Fields(Field("begin", &Pad::begin), Field("end", &Pad::end), Field("mode", &Pad::mode));
  WEBNNC_OPERATION("pad", 1, 2);
};

// The operands behind each other along `axis`.
struct Concat {
  int64_t axis = 0;

  static constexpr auto kFields = Fields(Field("axis", &Concat::axis));
  WEBNNC_OPERATION("concat", 1, kAnyNumber);
  WEBNNC_EQUAL_SIZES;
};

// result[a..., i..., b...] = x[a..., indices[i...], b...] with indices at dimension `axis` of x.
// Negative indices count from the end; those outside x are moved to its nearest end.
struct Gather {
  int64_t axis = 0;

  static constexpr auto kFields = Fields(Field("axis", &Gather::axis));
  WEBNNC_OPERATION("gather", 2, 2);
};

// result[i...] = x[i...] with dimension `axis` replaced by indices[i...], as in Gather.
struct GatherElements {
  int64_t axis = 0;

  static constexpr auto kFields = Fields(Field("axis", &GatherElements::axis));
  WEBNNC_OPERATION("gather_elements", 2, 2);
};

// result[b..., i..., s...] = x[b..., indices[b..., i..., :], s...] with `batch` dimensions b.
struct GatherND {
  int64_t batch = 0;

  static constexpr auto kFields = Fields(Field("batch", &GatherND::batch));
  WEBNNC_OPERATION("gather_nd", 2, 2);
  WEBNNC_EQUAL_SIZES;
};

// x repeated `repeats` times along each dimension.
struct Tile {
  Sizes1D repeats;

  static constexpr auto kFields = Fields(Field("repeats", &Tile::repeats));
  WEBNNC_OPERATION("tile", 1, 1);
};

enum class ResizeMode : uint8_t { kNearest, kLinear, kCubic };
// Where element i of the result lies in x, with scale = result size / x size.
enum class CoordinateMode : uint8_t {
  kHalfPixel,           // (i + 0.5) / scale - 0.5
  kHalfPixelSymmetric,  // the same, about the middle of x
  kPytorchHalfPixel,    // the same, 0 where the result's size is 1
  kAlignCorners,        // i * (x size - 1) / (result size - 1)
  kAsymmetric,          // i / scale
  kTfHalfPixelForNn,    // (i + 0.5) / scale
  kTfCropAndResize,     // within the region of interest roi
};
enum class NearestMode : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

// x sampled at other points. The vectors have an entry for each dimension; a dimension whose size
// stays and whose scale is 1 is left alone.
struct Resize {
  ResizeMode mode = ResizeMode::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  Sizes1D sizes;
  std::vector<double> scales;              // 0: the ratio of the sizes
  std::vector<double> roi_begin, roi_end;  // of kTfCropAndResize: fractions of x
  double cubic_coefficient = -0.75;
  bool exclude_outside = false;    // of kCubic: samples outside x get weight 0
  double extrapolation_value = 0;  // of kTfCropAndResize: the result outside x

  static constexpr auto kFields = Fields(
      Field("mode", &Resize::mode), Field("coordinates", &Resize::coordinates),
      Field("nearest", &Resize::nearest), Field("sizes", &Resize::sizes),
      Field("scales", &Resize::scales), Field("roi_begin", &Resize::roi_begin),
      Field("roi_end", &Resize::roi_end), Field("cubic_coefficient", &Resize::cubic_coefficient),
      Field("exclude_outside", &Resize::exclude_outside),
      Field("extrapolation_value", &Resize::extrapolation_value));
  WEBNNC_OPERATION("resize", 1, 1);
};

// result[..., i, ...] = sum over k of taps[i, 1 + k] * x[..., taps[i, 0] + k, ...] at dimension
// `axis`; all inside x. Operands: x and taps, which are f32.
struct Resample {
  int64_t axis = 0;

  static constexpr auto kFields = Fields(Field("axis", &Resample::axis));
  WEBNNC_OPERATION("resample", 2, 2);
};

// ---- In order ---------------------------------------------------------------------------------

// result[..., i, ...] = the sum or product of x[..., 0, ...] to x[..., i, ...] along `axis`,
// without the last with `exclusive`; from the other end with `reverse`. Kinds: kSum and kProd.
struct Cumulate {
  ReduceKind kind = ReduceKind::kSum;
  int64_t axis = 0;
  bool exclusive = false;
  bool reverse = false;

  static constexpr auto kFields =
      Fields(Field("kind", &Cumulate::kind), Field("axis", &Cumulate::axis),
             Field("exclusive", &Cumulate::exclusive), Field("reverse", &Cumulate::reverse));
  WEBNNC_OPERATION("cumulate", 1, 1);
};

// x, and then, for each i..., in row-major order, at i with dimension `axis` replaced by
// indices[i...]: what is there is set to updates[i...], or added to it, ... Operands: x, indices,
// updates. Indices as in Gather.
//
// With `whole`, x has two dimensions instead of one of that size, as parts of so many elements:
// each part looks through all indices for its own, side by side with the others (PartScatters).
struct ScatterElements {
  int64_t axis = 0;
  loop::Update update = loop::Update::kSet;
  Sizes1D whole;

  static constexpr auto kFields =
      Fields(Field("axis", &ScatterElements::axis), Field("update", &ScatterElements::update),
             Field("whole", &ScatterElements::whole));
  WEBNNC_OPERATION("scatter_elements", 3, 3);
  WEBNNC_EQUAL_SIZES;
};

// x, and then, for each i..., in row-major order, x[indices[i..., :], s...] set to
// updates[i..., s...], or added to it, ... Operands and indices as above; so is `whole`, which
// stands for all dimensions that are looked up.
struct ScatterND {
  loop::Update update = loop::Update::kSet;
  Sizes1D whole;

  static constexpr auto kFields =
      Fields(Field("update", &ScatterND::update), Field("whole", &ScatterND::whole));
  WEBNNC_OPERATION("scatter_nd", 3, 3);
  WEBNNC_EQUAL_SIZES;
};

// How rows are sorted (graph/passes/choose_sorts.h).
enum class SortMethod : uint8_t {
  kDigits,   // digit by digit of keys, the lowest first: as many steps as there are elements
  kNetwork,  // by steps that each compare all pairs of places, side by side
  kRanks,    // each element's rank is counted, by comparing all with all
};

// The `count` largest (smallest) elements along `axis`, in order, and where they were, as i64; of
// equal ones the first comes first. NaN is larger than all numbers.
struct TopK {
  int64_t axis = 0;
  Dim count;
  bool smallest = false;
  SortMethod method = SortMethod::kDigits;

  static constexpr auto kFields =
      Fields(Field("axis", &TopK::axis), Field("count", &TopK::count),
             Field("smallest", &TopK::smallest), Field("method", &TopK::method));
  WEBNNC_OPERATION("top_k", 1, 1);
};

enum class Cell : uint8_t { kRnn, kGru, kLstm };

// A function of a recurrence; alpha and beta are used by those that say so.
enum class Activation : uint8_t {
  kRelu,
  kTanh,
  kSigmoid,
  kAffine,           // alpha * x + beta
  kLeakyRelu,        // x, or alpha * x below 0
  kThresholdedRelu,  // x above alpha, else 0
  kScaledTanh,       // alpha * tanh(beta * x)
  kHardSigmoid,      // min(max(alpha * x + beta, 0), 1)
  kElu,              // x, or alpha * (exp(x) - 1) below 0
  kSoftsign,         // x / (1 + |x|)
  kSoftplus,         // log(1 + exp(x))
};

// One direction of a recurrent layer, as ONNX's RNN, GRU and LSTM define it, whose input has been
// multiplied already. Operands:
//
//   x        [seq, batch, gates*h]   the input's part of the gates, all biases included but GRU's
//                                    recurrent one of the hidden gate with `reset_after`
//   weights  [h, gates*h]            of the state
//   state    [batch, h]              initial; kLstm: [batch, 2*h], the state and the cell
//   peephole [3*h]                   with `peepholes`: of gates i, o, f
//   bias     [h]                     with `reset_after`: the recurrent one of the hidden gate
//   lengths  [batch]                 with `lengths`: i32, how long each sequence is
//
// Gates are those of ONNX in its order: kGru z r h, kLstm i o f c. Results: the states
// [seq, batch, h], which are 0 behind a sequence's end, the last state [batch, h] and, of kLstm,
// the last cell. With `reverse` a sequence is run through from its end.
struct Recurrence {
  Cell kind = Cell::kRnn;
  // kRnn: f; kGru: f g; kLstm: f g h.
  std::vector<Activation> activations;
  std::vector<double> alpha, beta;  // one an activation
  double clip = 0;                  // of what activations are given; 0: none
  bool reverse = false;
  bool peepholes = false;
  bool coupled = false;      // kLstm: the forget gate is 1 - i
  bool reset_after = false;  // kGru: linear_before_reset
  bool lengths = false;

  static constexpr auto kFields = Fields(
      Field("kind", &Recurrence::kind), Field("activations", &Recurrence::activations),
      Field("alpha", &Recurrence::alpha), Field("beta", &Recurrence::beta),
      Field("clip", &Recurrence::clip), Field("reverse", &Recurrence::reverse),
      Field("peepholes", &Recurrence::peepholes), Field("coupled", &Recurrence::coupled),
      Field("reset_after", &Recurrence::reset_after), Field("lengths", &Recurrence::lengths));
  WEBNNC_OPERATION("recurrence", 3, 6);
  WEBNNC_EQUAL_SIZES;
};

// A memory of keys and values that is read and written step by step. For each head h of each
// sequence n, with S[d, e] = state[n, h, d, e] at first and a sum over d where it says so:
//
//   S[d, e] *= decay[n, t, h, d]                                      with `decays`
//   write[e] = v[n, t, h, e]
//   write[e] = beta[n, t, h] * (v[n, t, h, e] - sum k[n, t, h, d] * S[d, e])   with `delta`
//   S[d, e] += k[n, t, h, d] * write[e]
//   result[n, t, h, g, e] = scale * sum q[n, t, h, g, d] * S[d, e]    for each of g queries
//
// Operands: q [batch, seq, heads, g, d], k [batch, seq, heads, d], v [batch, seq, heads, e], state,
// then decay, whose d may be 1 for all, and beta, whose h may, where they are used. Results: the
// one above and the last state. Computed in f32 or wider.
struct LinearAttention {
  double scale = 1;
  bool decays = false;
  bool delta = false;

  static constexpr auto kFields =
      Fields(Field("scale", &LinearAttention::scale), Field("decays", &LinearAttention::decays),
             Field("delta", &LinearAttention::delta));
  WEBNNC_OPERATION("linear_attention", 4, 6);
  WEBNNC_EQUAL_SIZES;

  size_t OperandCount() const {
    return 4 + static_cast<size_t>(decays) + static_cast<size_t>(delta);
  }
};

enum class SampleMode : uint8_t { kNearest, kLinear, kCubic };
// What is outside x: zeros, its nearest element, or x mirrored.
enum class SamplePadding : uint8_t { kZeros, kBorder, kReflection };

// x between its elements: result[n, c, p...] = x[n, c, at...] with at = places[n, p..., :], one
// number a spatial dimension, in elements from the first one. Operands: x[n, c, s...], places,
// which are f32 or f64, and perhaps images[n]: which of x's images each result is made of.
struct Sample {
  SampleMode mode = SampleMode::kLinear;
  SamplePadding padding = SamplePadding::kZeros;
  bool mirror_centers =
      false;  // of kReflection: about the outermost elements, not their outer ends

  static constexpr auto kFields =
      Fields(Field("mode", &Sample::mode), Field("padding", &Sample::padding),
             Field("mirror_centers", &Sample::mirror_centers));
  WEBNNC_OPERATION("sample", 2, 3);
  WEBNNC_EQUAL_SIZES;
};

// What a window would have taken from an image, put back and added up: result[n, c, p*stride +
// k*dilation - pad...] += x[n, c, k..., p...]. `sizes` are those of the result's spatial
// dimensions.
struct Fold {
  Sizes1D sizes;
  Integers strides, dilations, pads_begin, pads_end;

  static constexpr auto kFields =
      Fields(Field("sizes", &Fold::sizes), Field("strides", &Fold::strides),
             Field("dilations", &Fold::dilations), Field("pads_begin", &Fold::pads_begin),
             Field("pads_end", &Fold::pads_end));
  WEBNNC_OPERATION("fold", 1, 1);
};

// Random bits, u32: word 0 or 1 of element i, counted in row-major order, is the hash of 2*i + word
// by a key. The hash is triple32 (Wellons, "Hash function prospector", 2018) with the key mixed in.
struct RandomBits {
  Sizes1D shape;
  int64_t key0 = 0, key1 = 0;  // u32
  int64_t word = 0;

  static constexpr auto kFields =
      Fields(Field("shape", &RandomBits::shape), Field("key0", &RandomBits::key0),
             Field("key1", &RandomBits::key1), Field("word", &RandomBits::word));
  WEBNNC_OPERATION("random_bits", 0, 0);
};

// ---- What decides while a model runs ----------------------------------------------------------

// The elements of an integer tensor, i64[k] or one i64[], become the values of symbols. What
// mentions these comes behind it: symbols are variables, and a size means their values of now. The
// result are the elements.
struct Define {
  std::vector<std::string> symbols;
  Sizes1D most;  // upper bounds of the values, or none

  static constexpr auto kFields =
      Fields(Field("symbols", &Define::symbols), Field("most", &Define::most));
  WEBNNC_OPERATION("define", 1, 1);
};

// One of two bodies, which have the operands behind the first as inputs: the first if the
// condition, a bool of one element, is true. Results are the body's outputs. A size in which these
// differ is one of `symbols`, in the order of results and their dimensions: it takes the value that
// it has in the body that ran.
struct If {
  std::vector<std::string> symbols;

  static constexpr auto kFields = Fields(Field("symbols", &If::symbols));
  WEBNNC_OPERATION("if", 1, kAnyNumber);
};

// Runs a body while fewer than `trips` iterations have run and the condition holds.
//
//   operands       trips: i64 of one element?   condition: bool of one element?
//                  carried values at the start ...   what the body reads from around it ...
//   body's inputs  iteration: i64[]   carried values ...   what it reads from around it ...
//   its outputs    condition: bool of one element?   carried values ...   slices ...
//   results        carried values at the end ...   slices of all iterations, one behind the other
//   ...
//
// Where a carried value's size changes, the body's input and the result have a symbol, which takes
// the size of the initial value at the start and of the body's output after each iteration. A
// result made of slices has `count` as its first size: how many iterations there are, if that is
// known, or a symbol. `symbols` are all that the loop sets.
struct Loop {
  bool trips = false, condition = false;
  int64_t carried = 0;
  Dim count;
  std::vector<std::string> symbols;

  static constexpr auto kFields =
      Fields(Field("trips", &Loop::trips), Field("condition", &Loop::condition),
             Field("carried", &Loop::carried), Field("count", &Loop::count),
             Field("symbols", &Loop::symbols));
  WEBNNC_OPERATION("loop", 0, kAnyNumber);

  // Where among the operands the first of the carried values is.
  size_t first_carried() const { return size_t{trips} + size_t{condition}; }
};

#undef WEBNNC_OPERATION

// A type of its own, since how an operation is copied and moved is much code: it is compiled once,
// in graph.cpp, and not in each file that has a node.
struct Op
    : std::variant<Constant, Sizes, Iota, Unary, Binary, Where, Cast, MatMul, Einsum, Attention,
                   Conv, ConvTranspose, Pool, Reduce, ArgReduce, Softmax, Normalize, Transpose,
                   Reshape, Refine, Expand, Slice, Pad, Concat, Gather, GatherElements, GatherND,
                   Tile, Resize, Resample, Cumulate, ScatterElements, ScatterND, TopK, Recurrence,
                   LinearAttention, Sample, Fold, RandomBits, Define, If, Loop> {
  using variant::variant;
  Op() = default;
  Op(const Op&);
  Op(Op&&) noexcept;
  Op& operator=(const Op&);
  Op& operator=(Op&&) noexcept;
  ~Op();
};

}  // namespace webnnc::graph
