// unary, binary, where, cast.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

static bool Takes(Function function, DType dtype) {
  switch (function) {
    case Function::kNot: return dtype == DType::kBool;
    case Function::kBitNot: return IsInteger(dtype);
    case Function::kNegate:
    case Function::kAbs:
    case Function::kSign:
    case Function::kRelu: return dtype != DType::kBool;
    case Function::kBits: return dtype == DType::kF32 || dtype == DType::kF64;
    case Function::kDotByte:
    case Function::kDotBytes: return dtype == DType::kI32;
    case Function::kFromBits: return dtype == DType::kI32 || dtype == DType::kI64;
    default: return IsFloat(dtype);
  }
}

Result<Types> Unary::Infer(std::span<const TensorType> operands) const {
  TensorType result = operands[0];
  if (!Takes(function, result.dtype)) {
    return Error{std::string(Name(function)) + " does not take " + std::string(Name(result.dtype))};
  }
  if (static_cast<int>(function) < loop::kUnaryOpCount)
    result.dtype = loop::ResultType(static_cast<loop::UnaryOp>(function), result.dtype);
  return Types{result};
}

// Of numbers below -11, where f16 has results and does not hold the exponentials of 1/(1 +
// exp(-x)).
static loop::ExprId SmallSigmoid(loop::Builder& b, loop::ExprId x) {
  loop::ExprId zero = b.Real(b.dtype(x), 0), one = b.Real(b.dtype(x), 1);
  loop::ExprId magnitude = b.Apply(loop::UnaryOp::kAbs, x);
  loop::ExprId power = b.Apply(loop::UnaryOp::kExp, b.Apply(loop::UnaryOp::kNegate, magnitude));
  return b.Div(b.Select(b.Less(x, zero), power, one), b.Add(one, power));
}

void Unary::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  DType dtype = to.Operand(0).dtype;
  LowerMap(to, [&](const loop::Index& index) {
    loop::ExprId x = b.Load(to.operands[0], index);
    auto constant = [&](double value) { return b.Real(dtype, value); };
    switch (function) {
      case Function::kRelu: return b.Max(x, constant(0));
      case Function::kSigmoid: {
        if (dtype == DType::kF16) return SmallSigmoid(b, x);
        loop::ExprId power = b.Apply(loop::UnaryOp::kExp, b.Apply(loop::UnaryOp::kNegate, x));
        return b.Div(constant(1), b.Add(constant(1), power));
      }
      case Function::kSoftplus: return Softplus(b, x);
      case Function::kReciprocal: return b.Div(constant(1), x);
      default: return b.Apply(static_cast<loop::UnaryOp>(function), x);
    }
  });
}

static bool Takes(loop::BinaryOp op, DType dtype) {
  using loop::BinaryOp;
  bool bits = op == BinaryOp::kAnd || op == BinaryOp::kOr || op == BinaryOp::kXor;
  if (op == BinaryOp::kDot4) return dtype == DType::kI32;
  if (dtype == DType::kBool) return bits || op == BinaryOp::kEqual || op == BinaryOp::kNotEqual;
  if (!IsFloat(dtype)) return true;
  bool shifts = op == BinaryOp::kShiftLeft || op == BinaryOp::kShiftRight;
  return !bits && !shifts && op != BinaryOp::kFloorDiv && op != BinaryOp::kFloorMod;
}

Result<Types> Binary::Infer(std::span<const TensorType> operands) const {
  std::string_view name = OperationName(op);
  if (operands[0].dtype != operands[1].dtype) {
    return Error{Describe(name, operands) + ": the element types differ"};
  }
  if (!Takes(op, operands[0].dtype)) {
    return Error{std::string(name) + " does not take " + std::string(Name(operands[0].dtype))};
  }
  TRY_ASSIGN(auto shape, BroadcastAll(name, operands));
  return Types{{IsComparison(op) ? DType::kBool : operands[0].dtype, shape}};
}

std::vector<EqualSizes> Binary::Equal(std::span<const TensorType> operands) const {
  return BroadcastSizes(operands, 0);
}

void Binary::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  LowerMap(to, [&](const loop::Index& index) {
    return b.Apply(op, b.LoadBroadcast(to.operands[0], index),
                   b.LoadBroadcast(to.operands[1], index));
  });
}

Result<Types> Where::Infer(std::span<const TensorType> operands) const {
  bool fits = operands[0].dtype == DType::kBool && operands[1].dtype == operands[2].dtype;
  if (!fits) return Error{Describe(kName, operands) + ": it takes a bool and two of one type"};
  TRY_ASSIGN(auto shape, BroadcastAll(kName, operands));
  return Types{{operands[1].dtype, shape}};
}

std::vector<EqualSizes> Where::Equal(std::span<const TensorType> operands) const {
  return BroadcastSizes(operands, 0);
}

void Where::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  LowerMap(to, [&](const loop::Index& index) {
    return b.Select(b.LoadBroadcast(to.operands[0], index), b.LoadBroadcast(to.operands[1], index),
                    b.LoadBroadcast(to.operands[2], index));
  });
}

Result<Types> Cast::Infer(std::span<const TensorType> operands) const {
  if (rounded && to != DType::kF16) return Error{"only what becomes f16 is rounded"};
  return Types{{to, operands[0].shape}};
}

void Cast::Lower(loop::Lowering& lowering) const {
  LowerMap(lowering, [&](const loop::Index& index) {
    loop::ExprId x = lowering.build.Load(lowering.operands[0], index);
    return rounded ? lowering.build.RoundToHalf(x) : lowering.build.Convert(x, to);
  });
}

}  // namespace webnnc::graph
