#include "wasm/rounding.h"

#include <cmath>

#include "loop/integer_ranges.h"
#include "wasm/functions.h"

namespace webnnc::wasm {

using loop::BinaryOp;
using loop::ExprId;

// Whether it is a whole number that `to` has: a constant, or what was an integer of such a type. Of
// 16 bits, its integer has bits behind 1.5 * 2^23.
static bool IsWhole(const loop::Kernel& kernel, ExprId id, DType to) {
  if (auto* splat = std::get_if<loop::Splat>(&kernel.exprs[id].node)) id = splat->a;
  const loop::IntegerRange range = loop::RangeOf(to);
  if (auto* convert = std::get_if<loop::Convert>(&kernel.exprs[id].node)) {
    DType from = kernel.exprs[convert->a].dtype;
    return IsInteger(from) && range.Holds(loop::RangeOf(from));
  }
  auto* constant = std::get_if<loop::Constant>(&kernel.exprs[id].node);
  if (!constant) return false;
  double value = constant->value.AsReal();
  return value == std::nearbyint(value) && static_cast<double>(range.low) <= value &&
         value <= static_cast<double>(range.high);
}

// Whether a float is a whole number, or none.
static bool IsWhole(const loop::Kernel& kernel, ExprId id) {
  const loop::Expr& expr = kernel.exprs[id];
  if (auto* splat = std::get_if<loop::Splat>(&expr.node)) return IsWhole(kernel, splat->a);
  if (auto* unary = std::get_if<loop::Unary>(&expr.node)) return unary->op == loop::UnaryOp::kRound;
  if (auto* convert = std::get_if<loop::Convert>(&expr.node))
    return IsInteger(kernel.exprs[convert->a].dtype);
  auto* binary = std::get_if<loop::Binary>(&expr.node);
  return binary && (binary->op == BinaryOp::kAdd || binary->op == BinaryOp::kSub) &&
         IsWhole(kernel, binary->a) && IsWhole(kernel, binary->b);
}

std::optional<Rounded> RoundedOf(const loop::Kernel& kernel, ExprId a, DType to) {
  const loop::Expr& narrow = kernel.exprs[a];
  auto* convert = std::get_if<loop::Convert>(&narrow.node);
  bool widens =
      convert && IsInteger(narrow.dtype) && IsSigned(to) && ByteSize(narrow.dtype) < ByteSize(to);
  if (widens) {
    to = narrow.dtype;
    a = convert->a;
  }
  if (kernel.exprs[a].dtype != DType::kF32) return std::nullopt;
  Rounded rounded{to};
  for (auto [op, bound] :
       {std::pair(BinaryOp::kMin, &rounded.high), {BinaryOp::kMax, &rounded.low}}) {
    auto* binary = std::get_if<loop::Binary>(&kernel.exprs[a].node);
    if (!binary || binary->op != op || !IsWhole(kernel, binary->b, to)) continue;
    *bound = binary->b;
    a = binary->a;
  }
  // NaN becomes the lower bound, and of a type that has negative numbers it is 0.
  bool is_bounded = rounded.low.valid() || !IsSigned(to);
  if (!is_bounded || !IsWhole(kernel, a)) return std::nullopt;
  auto* round = std::get_if<loop::Unary>(&kernel.exprs[a].node);
  rounded.value = round ? round->a : a;
  return rounded;
}

// Vectors of integers within the bounds of half as many bits, as these: by the instruction that
// would also see to the bounds. Any other needs a table of places.
static llvm::Value* Halved(llvm::IRBuilder<>& b, llvm::Value* whole, DType to) {
  constexpr int kFour = 4;
  auto lanes =
      static_cast<int>(llvm::cast<llvm::FixedVectorType>(whole->getType())->getNumElements());
  if (to != DType::kI16 || (lanes != kFour && lanes != 2 * kFour))
    return b.CreateTrunc(whole, ValueType(b.getContext(), to, lanes));
  auto* halves = llvm::FixedVectorType::get(b.getInt16Ty(), 2 * kFour);
  auto* words = llvm::FixedVectorType::get(b.getInt32Ty(), kFour);
  auto part = [&](int from) {
    return b.CreateShuffleVector(whole, {from, from + 1, from + 2, from + 3});
  };
  llvm::Value* both = b.CreateIntrinsic(llvm::Intrinsic::wasm_narrow_signed, {halves, words},
                                        {part(0), part(lanes - kFour)});
  return lanes == kFour ? b.CreateShuffleVector(both, {0, 1, 2, 3}) : both;
}

llvm::Value* EmitRounded(llvm::IRBuilder<>& b, const Rounded& rounded, DType to,
                         const std::function<llvm::Value*(ExprId)>& emit) {
  constexpr double kShift = 12582912;
  constexpr uint32_t kShiftBits = 0x4b400000;
  llvm::Value* value = emit(rounded.value);
  llvm::Type* type = value->getType();
  auto bound = [&](ExprId given, const Scalar& otherwise) {
    return given.valid() ? emit(given) : llvm::ConstantFP::get(type, otherwise.AsReal());
  };
  llvm::Value *low = bound(rounded.low, Lowest(rounded.type)),
              *high = bound(rounded.high, Highest(rounded.type));
  value = b.CreateSelect(b.CreateFCmpOLT(low, value), value, low);
  value = b.CreateSelect(b.CreateFCmpOLT(high, value), high, value);
  value = b.CreateFAdd(value, llvm::ConstantFP::get(type, kShift));
  auto lanes = llvm::cast<llvm::FixedVectorType>(type)->getNumElements();
  auto* words = llvm::FixedVectorType::get(b.getInt32Ty(), lanes);
  value = b.CreateSub(b.CreateBitCast(value, words), llvm::ConstantInt::get(words, kShiftBits));
  return Halved(b, value, to);
}

}  // namespace webnnc::wasm
