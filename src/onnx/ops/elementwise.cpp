#include <cmath>

#include "onnx/formula.h"
#include "onnx/narrow.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

using graph::Function;
using loop::BinaryOp;

template <Function function>
static Result<Values> ImportUnary(NodeContext& c) {
  // Rounding and sign tests of integers and NaN tests exist in ONNX for floats only; an identity
  // for those that leave integers alone is what newer opsets mean.
  TRY_ASSIGN(auto result, c.Unary(function, c[0]));
  return Values{result};
}

// Opset 6 broadcasts by attributes: b lies along a's dimensions from `axis` on, at the end by
// default.
static Result<ValueId> Aligned(NodeContext& c) {
  if (c.opset() >= 7 || !c.HasAttribute("axis")) return c[1];
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  Shape shape = c.Type(1).shape;
  while (axis + static_cast<int64_t>(shape.size()) < c.Type(0).rank()) shape.push_back(1);
  return c.Reshape(c[1], shape);
}

template <BinaryOp op>
static Result<Values> ImportBinary(NodeContext& c) {
  TRY_ASSIGN(auto b, Aligned(c));
  TRY_ASSIGN(auto result, c.Binary(op, c[0], b));
  return Values{result};
}

template <BinaryOp op>
static Result<Values> ImportVariadic(NodeContext& c) {
  ValueId result = c[0];
  for (size_t i = 1; i < c.count(); ++i) {
    TRY_ASSIGN(result, c.Binary(op, result, c[i]));
  }
  return Values{result};
}

static Result<Values> ImportGreater(NodeContext& c) {
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kLess, c[1], c[0]));
  return Values{result};
}

static Result<Values> ImportGreaterOrEqual(NodeContext& c) {
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kLessEqual, c[1], c[0]));
  return Values{result};
}

static Result<Values> ImportBitShift(NodeContext& c) {
  std::string direction = c.String("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") return Error{"direction is LEFT or RIGHT"};
  BinaryOp op = direction == "LEFT" ? BinaryOp::kShiftLeft : BinaryOp::kShiftRight;
  TRY_ASSIGN(auto result, c.Binary(op, c[0], c[1]));
  return Values{result};
}

static Result<Values> ImportMod(NodeContext& c) {
  bool c_style = c.Int("fmod", 0) != 0;
  if (!c_style && IsFloat(c.Type(0).dtype)) return Error{"floats need fmod=1"};
  BinaryOp op = c_style ? BinaryOp::kMod : BinaryOp::kFloorMod;
  TRY_ASSIGN(auto result, c.Binary(op, c[0], c[1]));
  return Values{result};
}

// The result has the base's type. Between types, the power is computed in the base's type where
// that is a float, else in the exponent's.
static Result<Values> ImportPow(NodeContext& c) {
  DType base = c.Type(0).dtype, exponent = c.Type(1).dtype;
  DType common = IsFloat(base) || !IsFloat(exponent) ? base : exponent;
  TRY_ASSIGN(auto a, c.Cast(c[0], common));
  TRY_ASSIGN(auto b, c.Cast(c[1], common));
  TRY_ASSIGN(auto power, c.Binary(BinaryOp::kPow, a, b));
  TRY_ASSIGN(auto result, c.Cast(power, base));
  return Values{result};
}

static Result<Values> ImportMean(NodeContext& c) {
  TRY_ASSIGN(auto sum, ImportVariadic<BinaryOp::kAdd>(c));
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kDiv, sum[0], static_cast<double>(c.count())));
  return Values{result};
}

static Result<Values> ImportWhere(NodeContext& c) {
  TRY_ASSIGN(auto result, c.Add(graph::Where{}, {c[0], c[1], c[2]}));
  return Values{result};
}

static Result<Values> ImportIdentity(NodeContext& c) { return Values{c[0]}; }

// How the node's attributes say that floats are rounded.
static Result<Rounding> RoundingOf(const NodeContext& c) {
  using Powers = Rounding::Powers;
  const std::string mode = c.String("round_mode", "up");
  Rounding rounding{c.Int("saturate", 1) != 0};
  for (auto [name, powers] :
       {std::pair("up", Powers::kUp), {"down", Powers::kDown}, {"nearest", Powers::kNearest}}) {
    rounding.powers = powers;
    if (mode == name) return rounding;
  }
  return Error{"round_mode is " + Quote(mode) + ", but must be up, down or nearest"};
}

static Result<Values> CastTo(NodeContext& c, DType to, const Narrow* narrow) {
  if (!narrow) {
    TRY_ASSIGN(auto result, c.CastExactly(c[0], to));
    return Values{result};
  }
  Formula f(c);
  TRY_ASSIGN(auto rounding, RoundingOf(c));
  Term numbers = Rounded(f(c[0]), *narrow, rounding);
  TRY_ASSIGN(auto result, f.Result(numbers));
  c.scope().SetNarrow(result, narrow);
  return Values{result};
}

static Result<Values> ImportCast(NodeContext& c) {
  auto onnx_type = static_cast<int32_t>(c.Int("to", 0));
  TRY_ASSIGN(auto to, ElementType(onnx_type));
  return CastTo(c, to, NarrowType(onnx_type));
}

namespace {

// The bits of f16 as i32, from those of the f32 that it is: five bits of exponent instead of eight.
Term HalfBits(Formula& f, Term x) {
  // Only a number that f16 has has bits in f16.
  Term half = f.Add(graph::Cast{DType::kF16, true}, {x});
  Term wide = Cast(half, DType::kF32), bits = Unary(Function::kBits, wide);
  auto part = [&](int shift, int mask) { return (bits >> shift) & f.Number(mask, DType::kI32); };
  Term sign = part(16, 0x8000), exponent = part(23, 0xff), fraction = part(13, 0x3ff);
  // Smaller numbers than 2^-14 are multiples of 2^-24.
  Term small = Cast(Abs(wide) * 0x1p24, DType::kI32);
  Term usual = Min(exponent - 112, 31) * 1024 + fraction;
  return sign + Where(exponent < 113, small, usual);
}

Term HalfOfBits(Formula& f, Term bits) {
  auto part = [&](int shift, int mask) { return (bits >> shift) & f.Number(mask, DType::kI32); };
  Term exponent = part(10, 31), fraction = part(0, 0x3ff);
  Term widened = Where(exponent == 31, f.Number(255, DType::kI32), exponent + 112);
  Term usual = Unary(Function::kFromBits, widened * (1 << 23) + fraction * (1 << 13));
  Term magnitude = Where(exponent == 0, Cast(fraction, DType::kF32) * 0x1p-24, usual);
  Term negative = f.Number(0, DType::kI32) < part(15, 1);
  return Cast(Where(negative, -magnitude, magnitude), DType::kF16);
}

}  // namespace

// The same bits as another type of the same size.
static Result<Values> ImportBitCast(NodeContext& c) {
  DType from = c.Type(0).dtype;
  auto onnx_type = static_cast<int32_t>(c.Int("to", 0));
  TRY_ASSIGN(auto to, ElementType(onnx_type));
  if (c.NarrowOf(0) || NarrowType(onnx_type))
    return Error{"the bits of types narrower than a byte or f16 are not supported"};
  if (ByteSize(from) != ByteSize(to))
    return Error{"elements of " + std::string(Name(from)) + " and " + std::string(Name(to)) +
                 " have different sizes"};
  Formula f(c);
  Term x = f(c[0]);
  if (IsFloat(from) && !IsFloat(to)) {
    x = Cast(from == DType::kF16 ? HalfBits(f, x) : Unary(Function::kBits, x), to);
  } else if (!IsFloat(from) && IsFloat(to)) {
    x = Cast(x, to == DType::kF64 ? DType::kI64 : DType::kI32);
    x = to == DType::kF16 ? HalfOfBits(f, x) : Unary(Function::kFromBits, x);
  } else {
    x = Cast(x, to);
  }
  TRY_ASSIGN(auto result, f.Result(x));
  return Values{result};
}

static Result<Values> ImportCastLike(NodeContext& c) {
  return CastTo(c, c.Type(1).dtype, c.NarrowOf(1));
}

// Bounds are attributes up to opset 10 and operands since.
static Result<Values> ImportClip(NodeContext& c) {
  DType dtype = c.Type(0).dtype;
  ValueId result = c[0];
  struct Bound {
    const char* attribute;
    size_t operand;
    BinaryOp op;
    Scalar none;
  };
  const Bound bounds[] = {{"min", 1, BinaryOp::kMax, Lowest(dtype)},
                          {"max", 2, BinaryOp::kMin, Highest(dtype)}};
  for (const Bound& bound : bounds) {
    ValueId limit;
    if (c.HasAttribute(bound.attribute)) {
      double value = c.Float(bound.attribute, 0);
      // The largest float, which older exporters write for "no bound", bounds nothing.
      bool none =
          bound.op == BinaryOp::kMax ? value <= bound.none.AsReal() : value >= bound.none.AsReal();
      if (none) continue;
      TRY_ASSIGN(limit, c.Scalar(dtype, value));
    } else if (c.Has(bound.operand)) {
      TRY_ASSIGN(limit, c.Reshape(c[bound.operand], {}));
    } else {
      continue;
    }
    TRY_ASSIGN(result, c.Binary(bound.op, result, limit));
  }
  return Values{result};
}

static Result<Values> ImportIsInf(NodeContext& c) {
  bool negative = c.Int("detect_negative", 1) != 0, positive = c.Int("detect_positive", 1) != 0;
  TRY_ASSIGN(auto infinite, c.Unary(Function::kIsInf, c[0]));
  if (negative && positive) return Values{infinite};
  TRY_ASSIGN(auto zero, c.Scalar(c.Type(0).dtype, 0));
  TRY_ASSIGN(auto side, positive ? c.Binary(BinaryOp::kLess, zero, c[0])
                                 : c.Binary(BinaryOp::kLess, c[0], zero));
  if (!negative && !positive) {
    TRY_ASSIGN(side, c.Binary(BinaryOp::kNotEqual, side, side));
  }
  TRY_ASSIGN(auto result, c.Binary(BinaryOp::kAnd, infinite, side));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Abs", 1, ImportUnary<Function::kAbs>},
    {"", "Acos", 1, ImportUnary<Function::kAcos>},
    {"", "Acosh", 1, ImportUnary<Function::kAcosh>},
    {"", "Add", 2, ImportBinary<BinaryOp::kAdd>},
    {"", "And", 2, ImportBinary<BinaryOp::kAnd>},
    {"", "Asin", 1, ImportUnary<Function::kAsin>},
    {"", "Asinh", 1, ImportUnary<Function::kAsinh>},
    {"", "Atan", 1, ImportUnary<Function::kAtan>},
    {"", "Atanh", 1, ImportUnary<Function::kAtanh>},
    {"", "BitCast", 1, ImportBitCast},
    {"", "BitShift", 2, ImportBitShift},
    {"", "BitwiseAnd", 2, ImportBinary<BinaryOp::kAnd>},
    {"", "BitwiseNot", 1, ImportUnary<Function::kBitNot>},
    {"", "BitwiseOr", 2, ImportBinary<BinaryOp::kOr>},
    {"", "BitwiseXor", 2, ImportBinary<BinaryOp::kXor>},
    {"", "Cast", 1, ImportCast},
    {"", "CastLike", 2, ImportCastLike},
    {"", "Ceil", 1, ImportUnary<Function::kCeil>},
    {"", "Clip", 1, ImportClip},
    {"", "Cos", 1, ImportUnary<Function::kCos>},
    {"", "Cosh", 1, ImportUnary<Function::kCosh>},
    {"", "Div", 2, ImportBinary<BinaryOp::kDiv>},
    {"", "Equal", 2, ImportBinary<BinaryOp::kEqual>},
    {"", "Erf", 1, ImportUnary<Function::kErf>},
    {"", "Exp", 1, ImportUnary<Function::kExp>},
    {"", "Floor", 1, ImportUnary<Function::kFloor>},
    {"", "Greater", 2, ImportGreater},
    {"", "GreaterOrEqual", 2, ImportGreaterOrEqual},
    {"", "Identity", 1, ImportIdentity, kAnyOpset, true},
    {"", "IsInf", 1, ImportIsInf},
    {"", "IsNaN", 1, ImportUnary<Function::kIsNan>},
    {"", "Less", 2, ImportBinary<BinaryOp::kLess>},
    {"", "LessOrEqual", 2, ImportBinary<BinaryOp::kLessEqual>},
    {"", "Log", 1, ImportUnary<Function::kLog>},
    {"", "Max", 1, ImportVariadic<BinaryOp::kMax>},
    {"", "Mean", 1, ImportMean},
    {"", "Min", 1, ImportVariadic<BinaryOp::kMin>},
    {"", "Mod", 2, ImportMod},
    {"", "Mul", 2, ImportBinary<BinaryOp::kMul>},
    {"", "Neg", 1, ImportUnary<Function::kNegate>},
    {"", "Not", 1, ImportUnary<Function::kNot>, kAnyOpset},
    {"", "Or", 2, ImportBinary<BinaryOp::kOr>},
    {"", "Pow", 2, ImportPow},
    {"", "Reciprocal", 1, ImportUnary<Function::kReciprocal>},
    {"", "Relu", 1, ImportUnary<Function::kRelu>},
    {"", "Round", 1, ImportUnary<Function::kRound>},
    {"", "Sigmoid", 1, ImportUnary<Function::kSigmoid>},
    {"", "Sign", 1, ImportUnary<Function::kSign>},
    {"", "Sin", 1, ImportUnary<Function::kSin>},
    {"", "Sinh", 1, ImportUnary<Function::kSinh>},
    {"", "Softplus", 1, ImportUnary<Function::kSoftplus>, kAnyOpset},
    {"", "Sqrt", 1, ImportUnary<Function::kSqrt>},
    {"", "Sub", 2, ImportBinary<BinaryOp::kSub>},
    {"", "Sum", 1, ImportVariadic<BinaryOp::kAdd>},
    {"", "Tan", 1, ImportUnary<Function::kTan>},
    {"", "Tanh", 1, ImportUnary<Function::kTanh>},
    {"", "Where", 3, ImportWhere},
    {"", "Xor", 2, ImportBinary<BinaryOp::kXor>},
};

std::span<const Operator> ElementwiseOperators() { return kOperators; }

}  // namespace webnnc::onnx
