#include <algorithm>
#include <cmath>

#include "base/overloaded.h"
#include "wasm/emission.h"
#include "wasm/emitter.h"
#include "wasm/functions.h"
#include "wasm/quads.h"
#include "wasm/rounding.h"
#include "webnnc/abi.h"

namespace webnnc::wasm {

void Emitter::StartStatement() {
  values_.clear();
  guard_ = nullptr;
}

llvm::Value* Emitter::SizeValue(const Dim& dim) {
  if (dim.IsConstant()) return b_.getInt32(static_cast<uint32_t>(dim.value()));
  for (const auto& [size, value] : sizes_) {
    if (size == dim) return value;
  }
  CHECK(false);
  return nullptr;
}

llvm::Value* Emitter::Address(loop::BufferId buffer, loop::ExprId index) {
  llvm::Type* element = MemoryType(context_, kernel_.buffers[buffer].type.dtype, 1);
  bool outside = std::exchange(in_index_, true);
  int64_t constant = guard_ ? 0 : TakeConstant(index);
  llvm::Value* i = Emit(index);
  in_index_ = outside;
  // Where a load is only made under a condition, its index is made harmless otherwise.
  if (guard_) i = b_.CreateSelect(guard_, i, b_.getInt32(0));
  llvm::Value* address =
      b_.CreateInBoundsGEP(element, buffers_[static_cast<size_t>(buffer.index)], i);
  return constant == 0
             ? address
             : b_.CreateInBoundsGEP(element, address, b_.getInt32(static_cast<uint32_t>(constant)));
}

int64_t Emitter::TakeConstant(loop::ExprId& index) {
  auto* sum = std::get_if<loop::Binary>(&kernel_.exprs[index].node);
  if (!sum || sum->op != loop::BinaryOp::kAdd) return 0;
  auto* constant = std::get_if<loop::Constant>(&kernel_.exprs[sum->b].node);
  if (!constant || constant->value.integer < 0) return 0;
  int64_t value = constant->value.integer;
  index = sum->a;
  return value;
}

llvm::Value* Emitter::LoadFrom(llvm::Value* address, DType dtype, int32_t lanes) {
  llvm::Type* type = MemoryType(context_, dtype, lanes);
  llvm::Value* value =
      b_.CreateAlignedLoad(type, address, llvm::Align(static_cast<uint64_t>(ByteSize(dtype))));
  if (dtype != DType::kBool) return value;
  return b_.CreateICmpNE(value, llvm::Constant::getNullValue(type));
}

llvm::Value* Emitter::Emit(loop::ExprId id) {
  // What was computed without a guard, or behind fewer, is there behind more.
  for (llvm::Value* guard : around_) {
    auto known = values_.find({id, guard, in_index_});
    if (known != values_.end()) return known->second;
  }
  auto key = std::tuple(id, guard_, in_index_);
  auto found = values_.find(key);
  if (found != values_.end()) return found->second;
  // Of four bytes, as products take them.
  bool may_be_word = features_.Has(Feature::kDots) && BinaryOf(kernel_, id, loop::BinaryOp::kOr);
  llvm::Value* value = may_be_word ? Quads(emission_).Word(id) : nullptr;
  if (!value) value = Compute(kernel_.exprs[id]);
  values_[key] = value;
  return value;
}

llvm::Value* Emitter::EmitConstant(const Scalar& value) {
  llvm::Type* type = ValueType(context_, value.dtype, 1);
  if (value.dtype == DType::kF16)
    return EmitConvert(b_, DType::kF32, DType::kF16,
                       llvm::ConstantFP::get(b_.getFloatTy(), value.real));
  if (IsFloat(value.dtype)) return llvm::ConstantFP::get(type, value.real);
  return llvm::ConstantInt::get(type, static_cast<uint64_t>(value.integer), IsSigned(value.dtype));
}

llvm::Value* Emitter::Compute(const loop::Expr& expr) {
  return std::visit(
      Overloaded{
          [&](const loop::Constant& node) {
            llvm::Value* value = EmitConstant(node.value);
            return expr.lanes == 1 ? value
                                   : b_.CreateVectorSplat(static_cast<unsigned>(expr.lanes), value);
          },
          [&](const loop::Variable& node) { return vars_[static_cast<size_t>(node.var.index)]; },
          [&](const loop::Size& node) { return SizeValue(node.dim); },
          [&](const loop::Load& node) {
            return LoadFrom(Address(node.buffer, node.index.back()), expr.dtype, expr.lanes);
          },
          [&](const loop::Unary& node) {
            return EmitUnary(b_, node.op, kernel_.exprs[node.a].dtype, EmitArgument(node));
          },
          [&](const loop::Binary& node) { return ComputeBinary(node, expr); },
          [&](const loop::Select& node) { return ComputeSelect(node); },
          [&](const loop::Convert& node) {
            bool narrows = IsInteger(expr.dtype) && ByteSize(expr.dtype) <= 2 && expr.lanes > 1;
            if (auto rounded = narrows ? RoundedOf(kernel_, node.a, expr.dtype) : std::nullopt)
              return EmitRounded(b_, *rounded, expr.dtype,
                                 [&](loop::ExprId id) { return Emit(id); });
            return EmitConvert(b_, kernel_.exprs[node.a].dtype, expr.dtype, Emit(node.a));
          },
          [&](const loop::Splat& node) {
            return b_.CreateVectorSplat(static_cast<unsigned>(expr.lanes), Emit(node.a));
          },
          [&](const loop::Ramp& node) { return ComputeRamp(node, expr); },
          [&](const loop::Pack& node) { return ComputePack(node, expr); },
      },
      expr.node);
}

llvm::Value* Emitter::ComputePack(const loop::Pack& node, const loop::Expr& expr) {
  if (llvm::Value* apart = LoadInSteps(node)) return apart;
  llvm::Value* vector = llvm::PoisonValue::get(ValueType(context_, expr.dtype, expr.lanes));
  for (size_t lane = 0; lane < node.lanes.size(); ++lane) {
    vector = b_.CreateInsertElement(vector, Emit(node.lanes[lane]), lane);
  }
  return vector;
}

// Lanes that are two or three elements apart, as two vectors: one from the first lane's element on,
// and one up to the last lane's, so that nothing beyond these is read. Null if they are not.
llvm::Value* Emitter::LoadInSteps(const loop::Pack& node) {
  constexpr int64_t kLanes = Machine::kLanes;
  if (node.lanes.size() != kLanes || in_index_) return nullptr;
  const loop::Load* first = nullptr;
  int64_t step = 0;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const loop::Expr& expr = kernel_.exprs[node.lanes[static_cast<size_t>(lane)]];
    auto* load = std::get_if<loop::Load>(&expr.node);
    if (!load || ByteSize(expr.dtype) != 4) return nullptr;
    if (!first) first = load;
    auto [from, begin] = WithoutConstant(kernel_, first->index.back());
    auto [index, at] = WithoutConstant(kernel_, load->index.back());
    if (lane == 1) step = at - begin;
    if (load->buffer != first->buffer || index != from || at - begin != lane * step) return nullptr;
  }
  if (step != 2 && step != 3) return nullptr;
  const DType dtype = kernel_.exprs[node.lanes[0]].dtype;
  const int64_t second = (kLanes - 1) * (step - 1);
  llvm::Value* address = Address(first->buffer, first->index.back());
  llvm::Value* low = LoadFrom(address, dtype, kLanes);
  llvm::Value* high =
      LoadFrom(b_.CreateConstInBoundsGEP1_32(MemoryType(context_, dtype, 1), address,
                                             static_cast<unsigned>(second)),
               dtype, kLanes);
  std::vector<int> take;
  for (int64_t at = 0; at < kLanes * step; at += step)
    take.push_back(static_cast<int>(at < kLanes ? at : kLanes + at - second));
  return b_.CreateShuffleVector(low, high, take);
}

llvm::Value* Emitter::EmitArgument(const loop::Unary& node) {
  const loop::Expr& a = kernel_.exprs[node.a];
  auto* quotient = std::get_if<loop::Binary>(&a.node);
  bool divides = node.op == loop::UnaryOp::kErf && a.dtype == DType::kF32 && quotient &&
                 quotient->op == loop::BinaryOp::kDiv;
  if (!divides) return Emit(node.a);
  loop::ExprId by = quotient->b;
  if (auto* splat = std::get_if<loop::Splat>(&kernel_.exprs[by].node)) by = splat->a;
  auto* divisor = std::get_if<loop::Constant>(&kernel_.exprs[by].node);
  if (!divisor || std::fabs(divisor->value.real) < 1) return Emit(node.a);
  llvm::Value* x = Emit(quotient->a);
  return b_.CreateFMul(x, llvm::ConstantFP::get(x->getType(), 1 / divisor->value.real));
}

llvm::Value* Emitter::ComputeBinary(const loop::Binary& node, const loop::Expr& expr) {
  const loop::Expr& a = kernel_.exprs[node.a];
  llvm::Value *x = Emit(node.a), *y = Emit(node.b);
  // Indices do not overflow, and saying so lets addresses be folded. Data may.
  bool index = in_index_ && a.dtype == DType::kI32 && expr.lanes == 1;
  if (index && node.op == loop::BinaryOp::kAdd) return b_.CreateNSWAdd(x, y);
  if (index && node.op == loop::BinaryOp::kMul) return b_.CreateNSWMul(x, y);
  if (index && node.op == loop::BinaryOp::kSub) return b_.CreateNSWSub(x, y);
  return EmitBinary(b_, node.op, a.dtype, x, y);
}

llvm::Value* Emitter::SumOf(const std::vector<loop::ExprId>& terms) {
  llvm::Value* sum = nullptr;
  for (loop::ExprId term : terms) sum = sum ? b_.CreateNSWAdd(sum, Emit(term)) : Emit(term);
  return sum ? sum : b_.getInt32(0);
}

bool Emitter::IsPositiveZero(const Scalar& value) {
  return IsFloat(value.dtype) ? value.real == 0 && !std::signbit(value.real) : value.integer == 0;
}

llvm::Value* Emitter::EmitPaddedLoad(const loop::Select& node, int32_t lanes) {
  // Zero is so in all types: what is loaded may be converted.
  if (auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[node.yes].node)) {
    llvm::Value* narrow = EmitPaddedLoad({node.condition, convert->a, node.no}, lanes);
    const DType from = kernel_.exprs[convert->a].dtype, to = kernel_.exprs[node.yes].dtype;
    return narrow ? EmitConvert(b_, from, to, narrow) : nullptr;
  }
  auto* load = std::get_if<loop::Load>(&kernel_.exprs[node.yes].node);
  loop::ExprId other = node.no;
  if (auto* splat = std::get_if<loop::Splat>(&kernel_.exprs[other].node)) other = splat->a;
  auto* zero = std::get_if<loop::Constant>(&kernel_.exprs[other].node);
  if (!load || !zero || !IsPositiveZero(zero->value) || in_index_) return nullptr;
  // Lanes that differ cannot share an address.
  if (kernel_.exprs[node.condition].lanes != 1) return nullptr;
  const loop::Expr& expr = kernel_.exprs[node.yes];
  int64_t zeros = abi::kZeroBytes / ByteSize(expr.dtype) - lanes;
  SplitIndex split = SplitAt(kernel_, loops_, load->index.back(), node.condition, zeros);
  llvm::Value* condition = Emit(node.condition);
  if (guard_) condition = b_.CreateAnd(guard_, condition);
  llvm::Type* element = MemoryType(context_, expr.dtype, 1);
  bool outside = std::exchange(in_index_, true);
  // Where the condition does not hold, what the index looks up may be outside as well. Other
  // terms are computed once for all guards.
  auto looks_up = [&](loop::ExprId term) { return HasLoad(term); };
  bool guards = std::any_of(split.guarded.begin(), split.guarded.end(), looks_up) ||
                std::any_of(split.taken_off.begin(), split.taken_off.end(), looks_up);
  auto offset_of_row = [&] {
    llvm::Value* offset = SumOf(split.guarded);
    for (loop::ExprId term : split.taken_off) offset = b_.CreateNSWSub(offset, Emit(term));
    return offset;
  };
  llvm::Value* offset = guards ? Behind(condition, offset_of_row) : offset_of_row();
  llvm::Value* row =
      b_.CreateGEP(element, buffers_[static_cast<size_t>(load->buffer.index)], offset);
  row = b_.CreateSelect(condition, row, Zeros());
  llvm::Value* address = b_.CreateInBoundsGEP(element, row, SumOf(split.inner));
  in_index_ = outside;
  return LoadFrom(address, expr.dtype, lanes);
}

llvm::Value* Emitter::Zeros() {
  return module_.getOrInsertGlobal("webnnc_zeros",
                                   llvm::ArrayType::get(b_.getInt8Ty(), abi::kZeroBytes));
}

llvm::Value* Emitter::Behind(llvm::Value* guard, const std::function<llvm::Value*()>& emit) {
  around_.push_back(guard_);
  guard_ = guard;
  llvm::Value* value = emit();
  guard_ = around_.back();
  around_.pop_back();
  return value;
}

llvm::Value* Emitter::ComputeSelect(const loop::Select& node) {
  if (llvm::Value* padded = EmitPaddedLoad(node, kernel_.exprs[node.yes].lanes)) return padded;
  llvm::Value* condition = Emit(node.condition);
  // Lanes that choose one by one load what their condition has loaded (loop::Vectorize).
  bool by_lane = kernel_.exprs[node.condition].lanes > 1;
  auto side = [&](loop::ExprId id, bool holds) {
    // Only loads need care; what has none is computed either way.
    if (by_lane || !HasLoad(id)) return Emit(id);
    llvm::Value* guard = holds ? condition : b_.CreateNot(condition);
    if (guard_) guard = b_.CreateAnd(guard_, guard);
    return Behind(guard, [&] { return Emit(id); });
  };
  llvm::Value* yes = side(node.yes, true);
  llvm::Value* no = side(node.no, false);
  return b_.CreateSelect(condition, yes, no);
}

bool Emitter::HasLoad(loop::ExprId id) {
  auto found = has_load_.find(id);
  if (found != has_load_.end()) return found->second;
  bool has = std::holds_alternative<loop::Load>(kernel_.exprs[id].node);
  for (loop::ExprId operand : Operands(kernel_.exprs[id])) has |= HasLoad(operand);
  return has_load_[id] = has;
}

llvm::Value* Emitter::ComputeRamp(const loop::Ramp& node, const loop::Expr& expr) {
  std::vector<llvm::Constant*> steps;
  llvm::Type* type = ValueType(context_, expr.dtype, 1);
  for (int32_t lane = 0; lane < expr.lanes; ++lane) {
    steps.push_back(llvm::ConstantInt::get(type, static_cast<uint64_t>(lane)));
  }
  llvm::Value* base = b_.CreateVectorSplat(static_cast<unsigned>(expr.lanes), Emit(node.base));
  return b_.CreateAdd(base, llvm::ConstantVector::get(steps));
}

}  // namespace webnnc::wasm
