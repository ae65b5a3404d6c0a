#include "wasm/pairs.h"

#include "wasm/functions.h"
#include "wasm/quads.h"

namespace webnnc::wasm {

using loop::ExprId;

// Types whose numbers are i16's, too.
static bool FitsHalf(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
}

llvm::Value* Pairs::Sum(ExprId value) {
  const loop::Expr& expr = kernel_.exprs[value];
  constexpr int32_t kLanes = 4;
  if (expr.dtype != DType::kI32 || expr.lanes % kLanes != 0) return nullptr;
  if (auto* product = BinaryOf(kernel_, value, loop::BinaryOp::kMul)) return One(*product);
  auto* sum = BinaryOf(kernel_, value, loop::BinaryOp::kAdd);
  auto* first = sum ? BinaryOf(kernel_, sum->a, loop::BinaryOp::kMul) : nullptr;
  auto* second = sum ? BinaryOf(kernel_, sum->b, loop::BinaryOp::kMul) : nullptr;
  if (!first || !second) return nullptr;
  auto is_one = [&](ExprId id) {
    return std::holds_alternative<loop::Splat>(kernel_.exprs[id].node);
  };
  // The sides of a product have no order.
  bool turned = is_one(first->a) != is_one(second->a);
  ExprId other_a = turned ? second->b : second->a, other_b = turned ? second->a : second->b;
  // What comes first in memory is first, so that one load has both.
  bool later = Apart(first->a, other_a).value_or(0) < 0 || Apart(first->b, other_b).value_or(0) < 0;
  auto interleaved = [&](ExprId one, ExprId other) {
    return later ? Interleaved(other, one) : Interleaved(one, other);
  };
  llvm::Value* x = interleaved(first->a, other_a);
  llvm::Value* y = x ? interleaved(first->b, other_b) : nullptr;
  return y ? Dot(x, y) : nullptr;
}

std::optional<int64_t> Pairs::Apart(ExprId x, ExprId y) const {
  const loop::Expr &a = kernel_.exprs[x], &c = kernel_.exprs[y];
  bool same = a.node.index() == c.node.index() && loop::Operands(a).size() > 0;
  bool made = std::holds_alternative<loop::Splat>(a.node) ||
              std::holds_alternative<loop::Convert>(a.node) ||
              std::holds_alternative<loop::Binary>(a.node);
  return same && made ? Apart(loop::Operands(a)[0], loop::Operands(c)[0])
                      : DistanceOf(kernel_, x, y);
}

// Beside each number of one side stands a zero.
llvm::Value* Pairs::One(const loop::Binary& product) {
  if (!IsNarrow(product.a) || !IsNarrow(product.b)) return nullptr;
  llvm::Value *x = of_.emit(product.a), *y = of_.emit(product.b);
  auto lanes = llvm::cast<llvm::FixedVectorType>(x->getType())->getNumElements();
  auto* halves = llvm::FixedVectorType::get(b_.getInt16Ty(), lanes);
  auto* pairs = llvm::FixedVectorType::get(b_.getInt16Ty(), 2 * lanes);
  llvm::Value* alone = b_.CreateZExt(b_.CreateTrunc(x, halves), x->getType());
  return Dot(b_.CreateBitCast(alone, pairs), b_.CreateBitCast(y, pairs));
}

bool Pairs::IsNarrow(ExprId id) const {
  const loop::Expr& expr = kernel_.exprs[id];
  if (FitsHalf(expr.dtype)) return true;
  if (auto* splat = std::get_if<loop::Splat>(&expr.node)) return IsNarrow(splat->a);
  if (auto* either = UnaryOf(kernel_, id, loop::UnaryOp::kDotByte)) return IsNarrow(either->a);
  auto* convert = std::get_if<loop::Convert>(&expr.node);
  return convert && FitsHalf(kernel_.exprs[convert->a].dtype);
}

llvm::Value* Pairs::Interleaved(ExprId x, ExprId y) {
  const loop::Expr &a = kernel_.exprs[x], &c = kernel_.exprs[y];
  if (llvm::Value* words = Words(x, y)) return words;
  if (!IsNarrow(x) || !IsNarrow(y)) return nullptr;
  // Vectors are as long as registers once they are widened: the instructions that interleave two of
  // 16 bits need no table of places.
  bool alike = a.node.index() == c.node.index() && a.dtype == c.dtype;
  auto* splat = std::get_if<loop::Splat>(&a.node);
  if (!alike || (a.lanes > 1 && !splat)) return InterleavedLeaves(x, y);
  if (splat) {
    llvm::Value* pair = Interleaved(splat->a, std::get<loop::Splat>(c.node).a);
    return pair ? Repeated(pair, a.lanes) : nullptr;
  }
  if (auto* convert = std::get_if<loop::Convert>(&a.node)) {
    ExprId other = std::get<loop::Convert>(c.node).a;
    DType from = kernel_.exprs[convert->a].dtype;
    bool widens = ByteSize(from) < ByteSize(a.dtype) && FitsHalf(from);
    if (!widens || kernel_.exprs[other].dtype != from) return InterleavedLeaves(x, y);
    return EmitConvert(b_, from, DType::kI16, Interleaved(convert->a, other));
  }
  if (auto* either = UnaryOf(kernel_, x, loop::UnaryOp::kDotByte)) {
    auto* other = UnaryOf(kernel_, y, loop::UnaryOp::kDotByte);
    llvm::Value* numbers = other ? Interleaved(either->a, other->a) : nullptr;
    return numbers ? EmitDotByte(b_, numbers) : nullptr;
  }
  if (auto* binary = std::get_if<loop::Binary>(&a.node)) {
    auto& other = std::get<loop::Binary>(c.node);
    bool same = other.op == binary->op &&
                (binary->op == loop::BinaryOp::kSub || binary->op == loop::BinaryOp::kAdd);
    if (!same) return InterleavedLeaves(x, y);
    return EmitBinary(b_, binary->op, a.dtype, Interleaved(binary->a, other.a),
                      Interleaved(binary->b, other.b));
  }
  return InterleavedLeaves(x, y);
}

llvm::Value* Pairs::Words(ExprId x, ExprId y) {
  using loop::BinaryOp;
  auto is_half = [&](ExprId id) {
    auto* splat = std::get_if<loop::Splat>(&kernel_.exprs[id].node);
    auto* bits = std::get_if<loop::Constant>(&kernel_.exprs[splat ? splat->a : id].node);
    return bits && bits->value.integer == 16;
  };
  auto *low = BinaryOf(kernel_, x, BinaryOp::kShiftRight),
       *high = BinaryOf(kernel_, y, BinaryOp::kShiftRight);
  auto* raised = low ? BinaryOf(kernel_, low->a, BinaryOp::kShiftLeft) : nullptr;
  bool of_one_word = raised && high && raised->a == high->a && is_half(raised->b) &&
                     is_half(low->b) && is_half(high->b);
  if (!of_one_word || kernel_.exprs[x].dtype != DType::kI32) return nullptr;
  auto lanes = static_cast<unsigned>(kernel_.exprs[x].lanes);
  return b_.CreateBitCast(of_.emit(high->a),
                          llvm::FixedVectorType::get(b_.getInt16Ty(), 2 * lanes));
}

llvm::Value* Pairs::InterleavedLeaves(ExprId x, ExprId y) {
  const int32_t lanes = kernel_.exprs[x].lanes;
  if (lanes == 1 && DistanceOf(kernel_, x, y) == 1) {
    if (llvm::Value* both = of_.load(x, 2)) return both;
  }
  auto narrow = [&](ExprId id) {
    auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[id].node);
    ExprId from = convert ? convert->a : id;
    return EmitConvert(b_, kernel_.exprs[from].dtype, DType::kI16, of_.emit(from));
  };
  llvm::Value *first = narrow(x), *second = narrow(y);
  if (lanes > 1) {
    std::vector<int> order;
    for (int32_t lane = 0; lane < lanes; ++lane) order.insert(order.end(), {lane, lane + lanes});
    return b_.CreateShuffleVector(first, second, order);
  }
  auto* type = llvm::FixedVectorType::get(first->getType(), 2);
  llvm::Value* pair = b_.CreateInsertElement(llvm::PoisonValue::get(type), first, uint64_t{0});
  return b_.CreateInsertElement(pair, second, uint64_t{1});
}

// As one number of twice the bits, which is loaded into all lanes by one instruction.
llvm::Value* Pairs::Repeated(llvm::Value* pair, int32_t times) {
  unsigned bits = pair->getType()->getScalarSizeInBits();
  auto count = static_cast<unsigned>(times);
  llvm::Value* word = b_.CreateBitCast(pair, b_.getIntNTy(2 * bits));
  auto* type = llvm::FixedVectorType::get(b_.getIntNTy(bits), 2 * count);
  return b_.CreateBitCast(b_.CreateVectorSplat(count, word), type);
}

// Of vectors twice as long as the result.
llvm::Value* Pairs::Dot(llvm::Value* x, llvm::Value* y) {
  constexpr int32_t kPairs = 4;
  unsigned count = llvm::cast<llvm::FixedVectorType>(x->getType())->getNumElements();
  auto widened = [&](llvm::Value* v) {
    return v->getType()->getScalarSizeInBits() == 16
               ? v
               : b_.CreateSExt(v, llvm::FixedVectorType::get(b_.getInt16Ty(), count));
  };
  std::vector<llvm::Value*> xs = PartsOf(b_, widened(x), 2 * kPairs),
                            ys = PartsOf(b_, widened(y), 2 * kPairs), sums;
  for (size_t i = 0; i < xs.size(); ++i)
    sums.push_back(b_.CreateIntrinsic(llvm::Intrinsic::wasm_dot, {}, {xs[i], ys[i]}));
  return Joined(b_, sums);
}

}  // namespace webnnc::wasm
