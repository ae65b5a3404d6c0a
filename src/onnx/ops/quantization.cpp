#include "onnx/ops/quantization.h"

#include "onnx/operators.h"

namespace webnnc::onnx {

using graph::Function;
using graph::ReduceKind;

namespace {

// The scalar that an operand of one element is.
Result<Term> OneElement(Formula& f, size_t operand) {
  NodeContext& c = f.context();
  if (!c.Has(operand)) return Error{"operand " + std::to_string(operand) + " is missing"};
  if (!ElementCount(c.Type(operand).shape).Is(1))
    return Error{"operand " + std::to_string(operand) + " is " + Print(c.Type(operand)) +
                 ", but must have one element"};
  return Reshape(f(c[operand]), {});
}

// Operand `by` of the node, so that it broadcasts to x.
Result<Term> Spread(Formula& f, size_t by, const TensorType& x, int64_t axis, int64_t block) {
  NodeContext& c = f.context();
  const TensorType& type = c.Type(by);
  if (block == 0 && ElementCount(type.shape).Is(1)) return Reshape(f(c[by]), {});
  TRY_ASSIGN(axis, c.Axis(axis, x.rank()));
  auto d = static_cast<size_t>(axis);
  if (block == 0) {
    TRY(c.CheckVector("scale or zero point", c[by], x.shape[d], "index of its axis"));
    Shape shape(x.shape.size(), 1);
    shape[d] = type.shape[0];
    return Reshape(f(c[by]), shape);
  }
  Shape wanted = x.shape;
  wanted[d] = CeilDiv(wanted[d], block);
  bool differs = type.rank() != x.rank();
  for (size_t i = 0; i < wanted.size() && !differs; ++i) {
    bool known = wanted[i].IsConstant() && type.shape[i].IsConstant();
    differs = known && wanted[i] != type.shape[i];
    if (!known) c.AssumeEqual(type.shape[i], wanted[i]);
  }
  if (differs)
    return Error{"the scale or zero point is " + Print(type) + ", but must be " + Print(wanted) +
                 ": one for each block"};
  return Repeated(f(c[by]), d, block, x.shape[d]);
}

Result<int64_t> BlockSize(NodeContext& c) {
  int64_t block = c.Int("block_size", 0);
  if (block < 0 || block > INT32_MAX) return Error{"block_size is " + std::to_string(block)};
  return block;
}

Term Real(Term x) { return Cast(x, DType::kF32); }

}  // namespace

Term Repeated(Term blocks, size_t axis, int64_t block, const Dim& size) {
  if (!blocks.id.valid()) return blocks;
  Shape shape = blocks.formula->TypeOf(blocks).shape;
  auto at = static_cast<std::ptrdiff_t>(axis);
  Shape apart = shape, whole = shape;
  apart.insert(apart.begin() + at + 1, 1);
  Term parts = Reshape(blocks, apart);
  apart[axis + 1] = block;
  whole[axis] = shape[axis] * block;
  Term repeated = Reshape(Expand(parts, apart), whole);
  return whole[axis] == size ? repeated : Slice(repeated, static_cast<int64_t>(axis), 0, size);
}

Result<Quantization> WholeQuantization(Formula& f, size_t scale, size_t zero) {
  TRY_ASSIGN(auto whole, OneElement(f, scale));
  Quantization by{whole, std::nullopt};
  if (f.context().Has(zero)) {
    TRY_ASSIGN(by.zero, OneElement(f, zero));
  }
  return by;
}

Result<Quantization> QuantizationOf(Formula& f, size_t x, size_t scale, size_t zero, int64_t axis,
                                    int64_t block) {
  const TensorType type = f.context().Type(x);
  TRY_ASSIGN(auto spread, Spread(f, scale, type, axis, block));
  Quantization by{spread, std::nullopt};
  if (f.context().Has(zero)) {
    TRY_ASSIGN(by.zero, Spread(f, zero, type, axis, block));
  }
  return by;
}

Term Centered(Term x, const std::optional<Term>& zero) {
  Term wide = Cast(x, DType::kI32);
  return zero ? wide - Cast(*zero, DType::kI32) : wide;
}

Term Dequantized(Term x, const Quantization& by) {
  // Floats of few bits have no zero point but 0.
  if (IsFloat(x.formula->TypeOf(x).dtype)) return x * Real(by.scale);
  return Real(Centered(x, by.zero)) * Real(by.scale);
}

static Term Shifted(Term quotient, const Quantization& by) {
  Term rounded = Unary(Function::kRound, quotient);
  return by.zero ? rounded + Real(*by.zero) : rounded;
}

Term Quantized(Term x, const Quantization& by, DType to) {
  return Cast(Shifted(Real(x) / Real(by.scale), by), to);
}

Term Quantized(Term x, const Quantization& by, const Narrow& to, bool saturate) {
  Term quotient = Real(x) / Real(by.scale);
  if (to.IsFloat()) return Rounded(quotient, to, {saturate});
  Term shifted = Shifted(quotient, by);
  double lowest = Lowest(to.stored).AsReal(), highest = Highest(to.stored).AsReal();
  return Cast(Min(Max(shifted, lowest), highest), to.carried);
}

Term Requantized(Term x, Term scale, const Quantization& by, DType to) {
  return Cast(Shifted(Real(x) * (scale / Real(by.scale)), by), to);
}

Dynamic QuantizedByRange(Term x) {
  Formula& f = *x.formula;
  constexpr double kLargest = 255;
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < f.TypeOf(x).rank(); ++d) axes.push_back(d);
  Term low = Min(Reduce(ReduceKind::kMin, x, axes), 0.0);
  Term high = Max(Reduce(ReduceKind::kMax, x, axes), 0.0);
  // Where all elements are 0, so is what they become.
  Term scale = Where(low == high, f.Number(1, DType::kF32), (high - low) / kLargest);
  Term zero = Cast(Unary(Function::kRound, -low / scale), DType::kU8);
  const Quantization by{scale, zero};
  return {Quantized(x, by, DType::kU8), by};
}

// ---- Operators --------------------------------------------------------------------------------

// An attribute that may name an element type: 0 if it does not.
static int32_t OutputType(NodeContext& c) { return static_cast<int32_t>(c.Int("output_dtype", 0)); }

static Result<Values> ImportQuantizeLinear(NodeContext& c) {
  Formula f(c);
  // What numbers are quantised to is said by the zero point, by an attribute, or by nothing.
  const Narrow* narrow = c.Has(2) ? c.NarrowOf(2) : NarrowType(OutputType(c));
  DType dtype = c.Has(2) ? c.Type(2).dtype : DType::kU8;
  if (!c.Has(2) && OutputType(c) != 0) {
    TRY_ASSIGN(dtype, ElementType(OutputType(c)));
  }
  if (!narrow && (!IsInteger(dtype) || ByteSize(dtype) > 2))
    return Error{"numbers are not quantised to " + std::string(Name(dtype))};
  TRY_ASSIGN(auto block, BlockSize(c));
  TRY_ASSIGN(auto by, QuantizationOf(f, 0, 1, 2, c.Int("axis", 1), block));
  bool saturate = c.Int("saturate", 1) != 0;
  TRY_ASSIGN(auto result, f.Result(narrow ? Quantized(f(c[0]), by, *narrow, saturate)
                                          : Quantized(f(c[0]), by, dtype)));
  c.scope().SetNarrow(result, narrow);
  return Values{result};
}

static Result<Values> ImportDequantizeLinear(NodeContext& c) {
  Formula f(c);
  DType from = c.Type(0).dtype, to = c.Type(1).dtype;
  bool is_float = c.NarrowOf(0) && c.NarrowOf(0)->IsFloat();
  if (!is_float && (!IsInteger(from) || ByteSize(from) > 4))
    return Error{"x is " + Print(c.Type(0)) + ", which is not quantised"};
  const Narrow* narrow = OutputType(c) != 0 ? NarrowType(OutputType(c)) : c.NarrowOf(1);
  if (OutputType(c) != 0) {
    TRY_ASSIGN(to, ElementType(OutputType(c)));
  }
  if (!IsFloat(to)) return Error{"the result is of " + std::string(Name(to))};
  TRY_ASSIGN(auto block, BlockSize(c));
  TRY_ASSIGN(auto by, QuantizationOf(f, 0, 1, 2, c.Int("axis", 1), block));
  Term real = Dequantized(f(c[0]), by);
  if (narrow) real = Rounded(real, *narrow, {false});
  TRY_ASSIGN(auto wide, f.Result(real));
  TRY_ASSIGN(auto result, c.CastExactly(wide, to));
  c.scope().SetNarrow(result, narrow);
  return Values{result};
}

static Result<Values> ImportDynamicQuantizeLinear(NodeContext& c) {
  Formula f(c);
  if (c.Type(0).dtype != DType::kF32) return Error{"x is " + Print(c.Type(0))};
  Dynamic dynamic = QuantizedByRange(f(c[0]));
  Values results;
  for (Term term : {dynamic.quantized, dynamic.by.scale, *dynamic.by.zero}) {
    TRY_ASSIGN(auto result, f.Result(term));
    results.push_back(result);
  }
  return results;
}

static constexpr Operator kOperators[] = {
    {"", "DequantizeLinear", 2, ImportDequantizeLinear},
    {"", "DynamicQuantizeLinear", 1, ImportDynamicQuantizeLinear},
    {"", "QuantizeLinear", 2, ImportQuantizeLinear},
    {"com.microsoft", "DequantizeLinear", 2, ImportDequantizeLinear},
    {"com.microsoft", "QuantizeLinear", 2, ImportQuantizeLinear},
};

std::span<const Operator> QuantizationOperators() { return kOperators; }

}  // namespace webnnc::onnx
