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

// A tensor with one element for each block of an axis, as one of `size` elements along it.
Term Repeated(Term blocks, size_t axis, int64_t block, const Dim& size) {
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
  if (type.shape != wanted)
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
  return Real(Centered(x, by.zero)) * Real(by.scale);
}

static Term Shifted(Term quotient, const Quantization& by, DType to) {
  Term rounded = Unary(Function::kRound, quotient);
  return Cast(by.zero ? rounded + Real(*by.zero) : rounded, to);
}

Term Quantized(Term x, const Quantization& by, DType to) {
  return Shifted(Real(x) / Real(by.scale), by, to);
}

Term Requantized(Term x, Term scale, const Quantization& by, DType to) {
  return Shifted(Real(x) * (scale / Real(by.scale)), by, to);
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

// What a number quantised is of: said by its zero point, an attribute, or nothing.
static Result<DType> QuantizedType(NodeContext& c) {
  auto said = static_cast<int32_t>(c.Int("output_dtype", 0));
  DType dtype = c.Has(2) ? c.Type(2).dtype : DType::kU8;
  if (said != 0 && !c.Has(2)) {
    TRY_ASSIGN(dtype, ElementType(said));
  }
  if (IsInteger(dtype) && ByteSize(dtype) <= 2) return dtype;
  return Error{"elements of " + std::string(Name(dtype)) +
               " are not what numbers are quantised to"};
}

static Result<Values> ImportQuantizeLinear(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto dtype, QuantizedType(c));
  TRY_ASSIGN(auto block, BlockSize(c));
  TRY_ASSIGN(auto by, QuantizationOf(f, 0, 1, 2, c.Int("axis", 1), block));
  TRY_ASSIGN(auto result, f.Result(Quantized(f(c[0]), by, dtype)));
  return Values{result};
}

static Result<Values> ImportDequantizeLinear(NodeContext& c) {
  Formula f(c);
  if (!IsInteger(c.Type(0).dtype) || ByteSize(c.Type(0).dtype) > 4)
    return Error{"x is " + Print(c.Type(0)) + ", which is not quantised"};
  DType dtype = c.Type(1).dtype;
  if (c.Int("output_dtype", 0) != 0) {
    TRY_ASSIGN(dtype, ElementType(static_cast<int32_t>(c.Int("output_dtype", 0))));
  }
  if (!IsFloat(dtype)) return Error{"the result is of " + std::string(Name(dtype))};
  TRY_ASSIGN(auto block, BlockSize(c));
  TRY_ASSIGN(auto by, QuantizationOf(f, 0, 1, 2, c.Int("axis", 1), block));
  TRY_ASSIGN(auto real, f.Result(Dequantized(f(c[0]), by)));
  TRY_ASSIGN(auto result, c.CastExactly(real, dtype));
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
