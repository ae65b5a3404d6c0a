// Products of quantised numbers: sums of products of integers, which are exact in i32, and what is
// made of them.

#include "onnx/operators.h"
#include "onnx/ops/quantization.h"
#include "onnx/ops/window_attributes.h"

namespace webnnc::onnx {

namespace {

// What belongs to the rows of a matrix, or to its columns, so that it broadcasts to both the matrix
// and a product that has these rows, or columns. A vector has one element for each.
enum class Along : uint8_t { kRows, kColumns };

Result<Term> Spread(Formula& f, size_t operand, size_t matrix, Along along) {
  NodeContext& c = f.context();
  const TensorType type = c.Type(operand), &of = c.Type(matrix);
  if (ElementCount(type.shape).Is(1)) return Reshape(f(c[operand]), {});
  if (type.rank() != 1) return f(c[operand]);
  bool rows = along == Along::kRows;
  if (of.rank() < 2) return Error{"operand " + std::to_string(operand) + " is " + Print(type)};
  TRY(c.CheckVector("scale or zero point", c[operand], of.shape[of.shape.size() - (rows ? 2 : 1)],
                    rows ? "row" : "column"));
  return Reshape(f(c[operand]), rows ? Shape{type.shape[0], 1} : type.shape);
}

Result<std::optional<Term>> SpreadZero(Formula& f, size_t operand, size_t matrix, Along along) {
  if (!f.context().Has(operand)) return std::optional<Term>();
  TRY_ASSIGN(auto zero, Spread(f, operand, matrix, along));
  return std::optional<Term>(zero);
}

Result<Quantization> SpreadQuantization(Formula& f, size_t scale, size_t zero, size_t matrix,
                                        Along along) {
  TRY_ASSIGN(auto spread, Spread(f, scale, matrix, along));
  TRY_ASSIGN(auto spread_zero, SpreadZero(f, zero, matrix, along));
  return Quantization{spread, spread_zero};
}

// That operands are integers of 8 bits.
Status CheckBytes(NodeContext& c, std::initializer_list<size_t> operands) {
  for (size_t i : operands) {
    const TensorType& type = c.Type(i);
    if (!IsInteger(type.dtype) || ByteSize(type.dtype) != 1)
      return Error{"operand " + std::to_string(i) + " is " + Print(type) +
                   ", but must be of integers of 8 bits"};
  }
  return kSuccess;
}

Term Real(Term x) { return Cast(x, DType::kF32); }

// What ONNX's operator of this name makes of two terms, with the node's attributes.
Term Product(Formula& f, const char* name, Term a, Term b) {
  if (!a.id.valid() || !b.id.valid()) return {&f, ValueId()};
  NodeContext with = f.context().WithOperands({a.id, b.id});
  auto results = FindOperator("", name)->import(with);
  return f.Take(results ? Result<ValueId>(results.value()[0]) : results.error());
}

// The sums of products of A, whose zero points belong to its rows, and B, to its columns.
Term MatrixProduct(Formula& f, Term a, const std::optional<Term>& a_zero, Term b,
                   const std::optional<Term>& b_zero) {
  return Product(f, "MatMul", Centered(a, a_zero), Centered(b, b_zero));
}

// A vector of channels, or a scalar, so that it broadcasts to something of `rank` dimensions that
// has them at dimension `at`.
Result<Term> SpreadChannels(Formula& f, size_t operand, size_t filter, size_t rank, size_t at) {
  NodeContext& c = f.context();
  const TensorType& type = c.Type(operand);
  if (ElementCount(type.shape).Is(1)) return Reshape(f(c[operand]), {});
  TRY(c.CheckVector("scale or zero point", c[operand], c.Type(filter).shape[0],
                    "channel of the result"));
  Shape shape(rank, 1);
  shape[at] = type.shape[0];
  return Reshape(f(c[operand]), shape);
}

// The sums of a convolution of x and filters with their zero points. What is padded is 0.
Result<Term> ImageProduct(Formula& f, size_t x, size_t filter, size_t x_zero, size_t filter_zero) {
  NodeContext& c = f.context();
  TRY(CheckBytes(c, {x, filter}));
  auto rank = static_cast<size_t>(c.Type(filter).rank());
  std::optional<Term> zero, filters_zero;
  if (c.Has(x_zero)) {
    if (!ElementCount(c.Type(x_zero).shape).Is(1)) return Error{"x has several zero points"};
    zero = Reshape(f(c[x_zero]), {});
  }
  if (c.Has(filter_zero)) {
    TRY_ASSIGN(filters_zero, SpreadChannels(f, filter_zero, filter, rank, 0));
  }
  return Product(f, "Conv", Centered(f(c[x]), zero), Centered(f(c[filter]), filters_zero));
}

Result<Values> One(Formula& f, Term term) {
  TRY_ASSIGN(auto result, f.Result(term));
  return Values{result};
}

// A float product, with the bias if there is one, of the type that the node's scales have.
Result<Values> WithBias(Formula& f, Term product, size_t bias, DType dtype) {
  NodeContext& c = f.context();
  if (c.Has(bias)) product = product + Real(f(c[bias]));
  TRY_ASSIGN(auto sum, f.Result(product));
  TRY_ASSIGN(auto result, c.CastExactly(sum, dtype));
  return Values{result};
}

}  // namespace

// ---- Sums as they are -------------------------------------------------------------------------

static Result<Values> ImportMatMulInteger(NodeContext& c) {
  Formula f(c);
  TRY(CheckBytes(c, {0, 1}));
  TRY_ASSIGN(auto a_zero, SpreadZero(f, 2, 0, Along::kRows));
  TRY_ASSIGN(auto b_zero, SpreadZero(f, 3, 1, Along::kColumns));
  return One(f, MatrixProduct(f, f(c[0]), a_zero, f(c[1]), b_zero));
}

static Result<Values> ImportConvInteger(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto sum, ImageProduct(f, 0, 1, 2, 3));
  return One(f, sum);
}

// ---- Quantised sums ---------------------------------------------------------------------------

static Result<Values> ImportQLinearMatMul(NodeContext& c) {
  Formula f(c);
  TRY(CheckBytes(c, {0, 3, 7}));
  TRY_ASSIGN(auto a, SpreadQuantization(f, 1, 2, 0, Along::kRows));
  TRY_ASSIGN(auto b, SpreadQuantization(f, 4, 5, 3, Along::kColumns));
  TRY_ASSIGN(auto by, SpreadQuantization(f, 6, 7, 0, Along::kRows));
  Term sum = MatrixProduct(f, f(c[0]), a.zero, f(c[3]), b.zero);
  return One(f, Requantized(sum, Real(a.scale) * Real(b.scale), by, c.Type(7).dtype));
}

// The bias is of i32, in units of the product's scale.
static Result<Values> ImportQLinearConv(NodeContext& c) {
  Formula f(c);
  TRY(CheckBytes(c, {7}));
  TRY_ASSIGN(auto sum, ImageProduct(f, 0, 3, 2, 5));
  if (c.Has(8)) {
    TRY_ASSIGN(auto image, f.Result(sum));
    sum = f.Take(AddBias(c, image, c[8]));
  }
  auto rank = static_cast<size_t>(c.Type(3).rank());
  TRY_ASSIGN(auto x, WholeQuantization(f, 1, 2));
  TRY_ASSIGN(auto by, WholeQuantization(f, 6, 7));
  TRY_ASSIGN(auto scale, SpreadChannels(f, 4, 3, rank, 1));
  return One(f, Requantized(sum, Real(x.scale) * Real(scale), by, c.Type(7).dtype));
}

// ---- ONNX Runtime's ---------------------------------------------------------------------------

// Gemm of quantised A and B; C is of i32, in units of the product's scale. Without a scale for the
// result it is of f32.
static Result<Values> ImportQGemm(NodeContext& c) {
  NodeContext turned = c;
  for (auto [attribute, operand] : {std::pair("transA", size_t{0}), {"transB", size_t{3}}}) {
    if (c.Type(operand).rank() != 2) return Error{"A or B is " + Print(c.Type(operand))};
    if (c.Int(attribute, 0) == 0) continue;
    TRY_ASSIGN(auto transposed, c.Transpose(c[operand], {1, 0}));
    turned.SetOperand(operand, transposed);
  }
  Formula f(turned);
  TRY(CheckBytes(c, {0, 3}));
  TRY_ASSIGN(auto a, SpreadQuantization(f, 1, 2, 0, Along::kRows));
  TRY_ASSIGN(auto b, SpreadQuantization(f, 4, 5, 3, Along::kColumns));
  Term sum = MatrixProduct(f, f(turned[0]), a.zero, f(turned[3]), b.zero);
  if (c.Has(6)) sum = sum + f(c[6]);
  Term scale = Real(a.scale) * Real(b.scale) * c.Float("alpha", 1);
  if (!c.Has(7)) return One(f, Real(sum) * scale);
  TRY_ASSIGN(auto by, WholeQuantization(f, 7, 8));
  return One(f, Requantized(sum, scale, by, c.Has(8) ? c.Type(8).dtype : c.Type(0).dtype));
}

static Result<Values> ImportMatMulIntegerToFloat(NodeContext& c) {
  Formula f(c);
  TRY(CheckBytes(c, {0, 1}));
  TRY_ASSIGN(auto a, SpreadQuantization(f, 2, 4, 0, Along::kRows));
  TRY_ASSIGN(auto b, SpreadQuantization(f, 3, 5, 1, Along::kColumns));
  Term sum = MatrixProduct(f, f(c[0]), a.zero, f(c[1]), b.zero);
  return WithBias(f, Real(sum) * (Real(a.scale) * Real(b.scale)), 6, c.Type(2).dtype);
}

static Result<Values> ImportDynamicQuantizeMatMul(NodeContext& c) {
  Formula f(c);
  TRY(CheckBytes(c, {1}));
  TRY_ASSIGN(auto b, SpreadQuantization(f, 2, 3, 1, Along::kColumns));
  Dynamic a = QuantizedByRange(f(c[0]));
  Term sum = MatrixProduct(f, a.quantized, a.by.zero, f(c[1]), b.zero);
  return WithBias(f, Real(sum) * (a.by.scale * Real(b.scale)), 4, DType::kF32);
}

static constexpr Operator kOperators[] = {
    {"", "ConvInteger", 2, ImportConvInteger},
    {"", "MatMulInteger", 2, ImportMatMulInteger},
    {"", "QLinearConv", 8, ImportQLinearConv},
    {"", "QLinearMatMul", 8, ImportQLinearMatMul},
    {"com.microsoft", "DynamicQuantizeMatMul", 3, ImportDynamicQuantizeMatMul},
    {"com.microsoft", "MatMulIntegerToFloat", 4, ImportMatMulIntegerToFloat},
    {"com.microsoft", "QGemm", 5, ImportQGemm},
};

std::span<const Operator> IntegerProductOperators() { return kOperators; }

}  // namespace webnnc::onnx
