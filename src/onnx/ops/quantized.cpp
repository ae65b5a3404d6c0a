// ONNX Runtime's operators whose operands and results are quantised: what they are of numbers, of
// what the operands stand for.

#include "onnx/operators.h"
#include "onnx/ops/quantization.h"

namespace webnnc::onnx {

using loop::BinaryOp;

namespace {

constexpr std::string_view kPrefix = "QLinear";

// A quantised operand and what it stands for: its scale and zero point are the operands behind it.
struct Operand {
  DType dtype;
  Term real;
};

Result<Operand> OperandAt(Formula& f, size_t i) {
  NodeContext& c = f.context();
  if (!c.Has(i)) return Error{"operand " + std::to_string(i) + " is missing"};
  DType dtype = c.Type(i).dtype;
  if (!IsInteger(dtype) || ByteSize(dtype) > 2)
    return Error{"operand " + std::to_string(i) + " is " + Print(c.Type(i)) +
                 ", which is not quantised"};
  TRY_ASSIGN(auto by, WholeQuantization(f, i + 1, i + 2));
  return Operand{dtype, Dequantized(f(c[i]), by)};
}

// A result quantised by operands `scale` and the one behind it.
Result<Values> QuantizedResult(Formula& f, Term real, size_t scale, DType dtype) {
  TRY_ASSIGN(auto by, WholeQuantization(f, scale, scale + 1));
  TRY_ASSIGN(auto result, f.Result(Quantized(real, by, dtype)));
  return Values{result};
}

}  // namespace

template <BinaryOp op>
static Result<Values> ImportQLinearBinary(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto a, OperandAt(f, 0));
  TRY_ASSIGN(auto b, OperandAt(f, 3));
  return QuantizedResult(f, Binary(op, a.real, b.real), 6, a.dtype);
}

// ONNX's operator that is called so behind "QLinear", with the node's attributes.
static Result<Values> ImportQLinear(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto x, OperandAt(f, 0));
  TRY_ASSIGN(auto real, f.Result(x.real));
  NodeContext numbers = c.WithOperands({real});
  std::string_view name = c.op_type();
  name.remove_prefix(kPrefix.size());
  TRY_ASSIGN(auto results, FindOperator("", name)->import(numbers));
  return QuantizedResult(f, f(results[0]), 3, x.dtype);
}

// The same of images, whose channels may be last.
static Result<Values> ImportQLinearPool(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  if (c.Int("channels_last", 0) == 0) return ImportQLinear(c);
  if (rank < 3) return Error{"x is " + Print(c.Type(0))};
  std::vector<int64_t> first{0, rank - 1}, last{0};
  for (int64_t d = 1; d + 1 < rank; ++d) first.push_back(d);
  for (int64_t d = 2; d < rank; ++d) last.push_back(d);
  last.push_back(1);
  TRY_ASSIGN(auto x, c.Transpose(c[0], first));
  NodeContext turned = c.WithOperand(0, x);
  TRY_ASSIGN(auto results, ImportQLinear(turned));
  TRY_ASSIGN(auto result, c.Transpose(results[0], last));
  return Values{result};
}

// Up to opset 12, softmax takes all dimensions from `axis` on as one.
static Result<Values> ImportQLinearSoftmax(NodeContext& c) {
  constexpr int64_t kOneAxis = 13;
  Formula f(c);
  TRY_ASSIGN(auto x, OperandAt(f, 0));
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), rank));
  graph::Softmax softmax{{axis}};
  for (int64_t d = axis + 1; c.Int("opset", 0) < kOneAxis && d < rank; ++d)
    softmax.axes.push_back(d);
  return QuantizedResult(f, f.Add(softmax, {x.real}), 3, x.dtype);
}

// The result's scale and zero point come first.
static Result<Values> ImportQLinearConcat(NodeContext& c) {
  Formula f(c);
  constexpr size_t kFirst = 2, kEach = 3;
  if ((c.count() - kFirst) % kEach != 0) return Error{"an operand has no scale or zero point"};
  std::vector<Term> parts;
  for (size_t i = kFirst; i < c.count(); i += kEach) {
    TRY_ASSIGN(auto part, OperandAt(f, i));
    parts.push_back(part.real);
  }
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(kFirst).rank()));
  return QuantizedResult(f, Concat(parts, axis), 0, c.Type(1).dtype);
}

// Each side has a scale and a zero point of its own.
static Result<Values> ImportQLinearWhere(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto yes, OperandAt(f, 1));
  TRY_ASSIGN(auto no, OperandAt(f, 4));
  return QuantizedResult(f, Where(f(c[0]), yes.real, no.real), 7, yes.dtype);
}

// EmbedLayerNormalization with quantised tables, gamma and beta. Their scales are behind all
// operands, in the order of these, and zero points behind the scales.
static Result<Values> ImportQEmbedLayerNormalization(NodeContext& c) {
  constexpr size_t kFirst = 2, kEnd = 7, kMask = 7, kFirstScale = 8, kFirstZero = 13;
  Formula f(c);
  auto at = [&](size_t i) { return c.Has(i) ? c[i] : ValueId(); };
  std::vector<ValueId> operands{at(0), at(1)};
  for (size_t i = kFirst; i < kEnd; ++i) {
    operands.emplace_back();
    if (!c.Has(i)) continue;
    const size_t scale = kFirstScale + i - kFirst, zero = kFirstZero + i - kFirst;
    if (!c.Has(scale)) return Error{"operand " + std::to_string(scale) + " is missing"};
    TRY_ASSIGN(auto by, WholeQuantization(f, scale, zero));
    TRY_ASSIGN(operands.back(), f.Result(Dequantized(f(c[i]), by)));
  }
  operands.push_back(at(kMask));
  NodeContext numbers = c.WithOperands(operands);
  return FindOperator("com.microsoft", "EmbedLayerNormalization")->import(numbers);
}

// LSTM with quantised weights, which lie [directions, inputs, gates] here. ONNX Runtime quantises
// what they are multiplied by, too, before each product; this is not done, so results are more
// exact.
static Result<Values> ImportDynamicQuantizeLSTM(NodeContext& c) {
  constexpr size_t kFirstScale = 8;
  Formula f(c);
  std::vector<ValueId> operands;
  for (size_t i = 0; i < kFirstScale; ++i) operands.push_back(c.Has(i) ? c[i] : ValueId());
  for (size_t i : {1, 2}) {
    const size_t scale = kFirstScale + 2 * (i - 1);
    const TensorType& type = c.Type(i);
    if (type.rank() != 3) return Error{"operand " + std::to_string(i) + " is " + Print(type)};
    auto spread = [&](size_t by) {
      const Shape shape = c.Type(by).shape;
      return Reshape(f(c[by]), {shape[0], 1, shape.size() == 2 ? shape[1] : Dim(1)});
    };
    for (size_t by : {scale, scale + 1}) {
      if (!c.Has(by) || c.Type(by).rank() < 1 || c.Type(by).rank() > 2)
        return Error{"operand " + std::to_string(by) + " is no vector or matrix"};
    }
    const Quantization by{spread(scale), spread(scale + 1)};
    TRY_ASSIGN(operands[i], f.Result(Transpose(Dequantized(f(c[i]), by), {0, 2, 1})));
  }
  NodeContext numbers = c.WithOperands(operands);
  return FindOperator("", "LSTM")->import(numbers);
}

static constexpr Operator kOperators[] = {
    {"com.microsoft", "DynamicQuantizeLSTM", 3, ImportDynamicQuantizeLSTM},
    {"com.microsoft", "QEmbedLayerNormalization", 1, ImportQEmbedLayerNormalization},
    {"com.microsoft", "QLinearAdd", 2, ImportQLinearBinary<BinaryOp::kAdd>},
    {"com.microsoft", "QLinearAveragePool", 2, ImportQLinearPool},
    {"com.microsoft", "QLinearConcat", 2, ImportQLinearConcat},
    {"com.microsoft", "QLinearGlobalAveragePool", 2, ImportQLinearPool},
    {"com.microsoft", "QLinearLeakyRelu", 2, ImportQLinear},
    {"com.microsoft", "QLinearMul", 2, ImportQLinearBinary<BinaryOp::kMul>},
    {"com.microsoft", "QLinearSigmoid", 2, ImportQLinear},
    {"com.microsoft", "QLinearSoftmax", 2, ImportQLinearSoftmax},
    {"com.microsoft", "QLinearWhere", 9, ImportQLinearWhere},
};

std::span<const Operator> QuantizedOperators() { return kOperators; }

}  // namespace webnnc::onnx
