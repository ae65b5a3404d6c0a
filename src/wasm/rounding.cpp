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

std::optional<Rounded> RoundedOf(const loop::Kernel& kernel, ExprId a, DType to) {
  Rounded rounded;
  for (auto [op, bound] :
       {std::pair(BinaryOp::kMin, &rounded.high), {BinaryOp::kMax, &rounded.low}}) {
    auto* binary = std::get_if<loop::Binary>(&kernel.exprs[a].node);
    if (!binary || binary->op != op || !IsWhole(kernel, binary->b, to)) return std::nullopt;
    *bound = binary->b;
    a = binary->a;
  }
  auto* round = std::get_if<loop::Unary>(&kernel.exprs[a].node);
  if (!round || round->op != loop::UnaryOp::kRound || kernel.exprs[a].dtype != DType::kF32)
    return std::nullopt;
  rounded.value = round->a;
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

llvm::Value* EmitRounded(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* low,
                         llvm::Value* high, DType to) {
  constexpr double kShift = 12582912;
  constexpr uint32_t kShiftBits = 0x4b400000;
  llvm::Type* type = value->getType();
  value = b.CreateSelect(b.CreateFCmpOLT(low, value), value, low);
  value = b.CreateSelect(b.CreateFCmpOLT(high, value), high, value);
  value = b.CreateFAdd(value, llvm::ConstantFP::get(type, kShift));
  auto lanes = llvm::cast<llvm::FixedVectorType>(type)->getNumElements();
  auto* words = llvm::FixedVectorType::get(b.getInt32Ty(), lanes);
  value = b.CreateSub(b.CreateBitCast(value, words), llvm::ConstantInt::get(words, kShiftBits));
  return Halved(b, value, to);
}

}  // namespace webnnc::wasm
