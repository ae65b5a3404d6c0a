#include "wasm/quads.h"

#include <array>

#include "loop/passes/words_in_memory.h"
#include "wasm/functions.h"

namespace webnnc::wasm {

using loop::ExprId;

namespace {

constexpr int32_t kWords = 4, kBytesInWord = 4;

llvm::Value* Multiplied(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y, llvm::Value* old) {
  auto* bytes = llvm::FixedVectorType::get(b.getInt8Ty(), kWords * kBytesInWord);
  return b.CreateIntrinsic(llvm::Intrinsic::wasm_relaxed_dot_i8x16_i7x16_add_signed, {},
                           {b.CreateBitCast(x, bytes), b.CreateBitCast(y, bytes), old});
}

// Four words, all bits of which are set where the engine takes bytes with a sign. They are computed
// once a function.
llvm::Value* TakesSigns(llvm::IRBuilder<>& b) {
  auto words = [&](uint32_t bits) { return b.CreateVectorSplat(kWords, b.getInt32(bits)); };
  constexpr uint32_t kOnes = 0x01010101;
  return b.CreateAShr(Multiplied(b, words(kOnes), words(0x80 * kOnes), words(0)), words(31));
}

// `bits` where the engine takes bytes with a sign, else 0, for vectors of type `like`.
llvm::Value* BitsOfSign(llvm::IRBuilder<>& b, llvm::Type* like, uint32_t bits) {
  llvm::Value* all = b.CreateAnd(TakesSigns(b), b.CreateVectorSplat(kWords, b.getInt32(bits)));
  if (all->getType() == like) return all;
  llvm::Value* one = b.CreateTrunc(b.CreateExtractElement(all, uint64_t{0}), like->getScalarType());
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(like);
  return vector ? b.CreateVectorSplat(vector->getNumElements(), one) : one;
}

}  // namespace

llvm::Value* EmitDotByte(llvm::IRBuilder<>& b, llvm::Value* x) {
  return b.CreateSub(x, BitsOfSign(b, x->getType(), 0x80));
}

llvm::Value* EmitDotBytes(llvm::IRBuilder<>& b, llvm::Value* words) {
  return b.CreateXor(words, BitsOfSign(b, words->getType(), 0x80808080));
}

const loop::Unary* Quads::SecondOf(ExprId id) const {
  if (auto* splat = std::get_if<loop::Splat>(&kernel_.exprs[id].node)) id = splat->a;
  return UnaryOf(kernel_, id, loop::UnaryOp::kDotBytes);
}

llvm::Value* Quads::Sum(ExprId value, llvm::Value* old) {
  const loop::Expr& expr = kernel_.exprs[value];
  auto* product = BinaryOf(kernel_, value, loop::BinaryOp::kDot4);
  if (!product || expr.lanes % kWords != 0) return nullptr;
  const loop::Unary *a = SecondOf(product->a), *b = SecondOf(product->b);
  if (!a == !b) return nullptr;
  llvm::Value* first = of_.emit(a ? product->b : product->a);
  // As vectors of the processor's length, so that what makes bytes of them is one instruction.
  llvm::Value* second = of_.emit(a ? a->a : b->a);
  const bool is_one = !second->getType()->isVectorTy();
  if (is_one) second = EmitDotBytes(b_, b_.CreateVectorSplat(kWords, second));
  const std::vector<llvm::Value*> ys = PartsOf(b_, first, kWords), olds = PartsOf(b_, old, kWords);
  std::vector<llvm::Value*> xs(ys.size(), second), sums;
  if (!is_one) {
    xs = PartsOf(b_, second, kWords);
    for (llvm::Value*& x : xs) x = EmitDotBytes(b_, x);
  }
  for (size_t i = 0; i < ys.size(); ++i) sums.push_back(Multiplied(b_, ys[i], xs[i], olds[i]));
  return Joined(b_, sums);
}

llvm::Value* Quads::Word(ExprId value) {
  auto parts = loop::BytesOfWord(kernel_, value);
  if (!parts) return nullptr;
  const int32_t lanes = kernel_.exprs[value].lanes;
  if (lanes == 1) {
    for (ExprId& part : *parts) {
      auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[part].node);
      if (!convert || ByteSize(kernel_.exprs[convert->a].dtype) != 1) return nullptr;
      part = convert->a;
    }
    for (size_t n = 1; n < kBytesInWord; ++n) {
      if (DistanceOf(kernel_, (*parts)[0], (*parts)[n]) != static_cast<int64_t>(n)) return nullptr;
    }
    llvm::Value* all = of_.load((*parts)[0], kBytesInWord);
    return all ? b_.CreateBitCast(all, b_.getInt32Ty()) : nullptr;
  }
  std::vector<llvm::Value*> rows;
  auto* bytes = llvm::FixedVectorType::get(b_.getInt8Ty(), static_cast<unsigned>(lanes));
  for (ExprId part : *parts) rows.push_back(b_.CreateTrunc(of_.emit(part), bytes));
  std::vector<int> by_turns;
  for (int32_t lane = 0; lane < lanes; ++lane) {
    for (int32_t n = 0; n < static_cast<int32_t>(kBytesInWord); ++n)
      by_turns.push_back(n * lanes + lane);
  }
  return b_.CreateBitCast(
      b_.CreateShuffleVector(Joined(b_, rows), by_turns),
      llvm::FixedVectorType::get(b_.getInt32Ty(), static_cast<unsigned>(lanes)));
}

}  // namespace webnnc::wasm
