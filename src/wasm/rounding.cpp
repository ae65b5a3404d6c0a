#include "wasm/rounding.h"

#include <cmath>

#include "wasm/functions.h"

namespace webnnc::wasm {

using loop::BinaryOp;
using loop::ExprId;

static std::optional<double> ConstantOf(const loop::Kernel& kernel, ExprId id) {
  if (auto* splat = std::get_if<loop::Splat>(&kernel.exprs[id].node)) id = splat->a;
  auto* constant = std::get_if<loop::Constant>(&kernel.exprs[id].node);
  return constant ? std::optional(constant->value.AsReal()) : std::nullopt;
}

std::optional<Rounded> RoundedOf(const loop::Kernel& kernel, ExprId a) {
  // Numbers up to here have bits for their integers behind 1.5 * 2^23.
  constexpr double kMost = 1 << 21;
  Rounded rounded;
  for (auto [op, bound] :
       {std::pair(BinaryOp::kMin, &rounded.high), {BinaryOp::kMax, &rounded.low}}) {
    auto* binary = std::get_if<loop::Binary>(&kernel.exprs[a].node);
    auto limit = binary && binary->op == op ? ConstantOf(kernel, binary->b) : std::nullopt;
    if (!limit || *limit != std::nearbyint(*limit) || std::fabs(*limit) > kMost)
      return std::nullopt;
    *bound = *limit;
    a = binary->a;
  }
  auto* round = std::get_if<loop::Unary>(&kernel.exprs[a].node);
  if (!round || round->op != loop::UnaryOp::kRound || rounded.low > rounded.high ||
      kernel.exprs[a].dtype != DType::kF32)
    return std::nullopt;
  rounded.value = round->a;
  return rounded;
}

// Vectors of integers within the bounds of half as many bits, as these.
static llvm::Value* Halved(llvm::IRBuilder<>& b, llvm::Value* whole, DType to) {
  constexpr unsigned kEight = 8;
  llvm::Value* value = whole;
  auto lanes = llvm::cast<llvm::FixedVectorType>(value->getType())->getNumElements();
  if (ByteSize(to) == 2 && lanes == kEight) {
    auto* halves = llvm::FixedVectorType::get(b.getInt16Ty(), kEight);
    auto* words = llvm::FixedVectorType::get(b.getInt32Ty(), kEight / 2);
    return b.CreateIntrinsic(
        llvm::Intrinsic::wasm_narrow_signed, {halves, words},
        {b.CreateShuffleVector(value, {0, 1, 2, 3}), b.CreateShuffleVector(value, {4, 5, 6, 7})});
  }
  return b.CreateTrunc(value, ValueType(b.getContext(), to, static_cast<int32_t>(lanes)));
}

llvm::Value* EmitRounded(llvm::IRBuilder<>& b, llvm::Value* value, const Rounded& rounded,
                         DType to) {
  constexpr double kShift = 12582912;
  constexpr uint32_t kShiftBits = 0x4b400000;
  llvm::Type* type = value->getType();
  llvm::Value *low = llvm::ConstantFP::get(type, rounded.low),
              *high = llvm::ConstantFP::get(type, rounded.high);
  value = b.CreateSelect(b.CreateFCmpOLT(low, value), value, low);
  value = b.CreateSelect(b.CreateFCmpOLT(high, value), high, value);
  value = b.CreateFAdd(value, llvm::ConstantFP::get(type, kShift));
  auto lanes = llvm::cast<llvm::FixedVectorType>(type)->getNumElements();
  auto* words = llvm::FixedVectorType::get(b.getInt32Ty(), lanes);
  value = b.CreateSub(b.CreateBitCast(value, words), llvm::ConstantInt::get(words, kShiftBits));
  return Halved(b, value, to);
}

}  // namespace webnnc::wasm
