#include "wasm/functions.h"

#include <numeric>

#include "wasm/quads.h"

namespace webnnc::wasm {

using llvm::Intrinsic::ID;

llvm::Type* ValueType(llvm::LLVMContext& context, DType dtype, int32_t lanes) {
  llvm::Type* type = nullptr;
  switch (dtype) {
    case DType::kBool: type = llvm::Type::getInt1Ty(context); break;
    case DType::kF32: type = llvm::Type::getFloatTy(context); break;
    case DType::kF64: type = llvm::Type::getDoubleTy(context); break;
    default: type = llvm::IntegerType::get(context, static_cast<unsigned>(ByteSize(dtype)) * 8);
  }
  if (lanes == 1) return type;
  return llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes));
}

llvm::Type* MemoryType(llvm::LLVMContext& context, DType dtype, int32_t lanes) {
  return ValueType(context, dtype == DType::kBool ? DType::kU8 : dtype, lanes);
}

static int32_t LanesOf(llvm::Value* value) {
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector ? static_cast<int32_t>(vector->getNumElements()) : 1;
}

// ---- Parts ------------------------------------------------------------------------------------

std::vector<llvm::Value*> PartsOf(llvm::IRBuilder<>& b, llvm::Value* vector, int32_t lanes) {
  if (LanesOf(vector) == lanes) return {vector};
  std::vector<llvm::Value*> parts;
  for (int32_t at = 0; at < LanesOf(vector); at += lanes) {
    if (lanes == 1) {
      parts.push_back(b.CreateExtractElement(vector, static_cast<uint64_t>(at)));
      continue;
    }
    std::vector<int> take(static_cast<size_t>(lanes));
    std::iota(take.begin(), take.end(), at);
    parts.push_back(b.CreateShuffleVector(vector, take));
  }
  return parts;
}

llvm::Value* Joined(llvm::IRBuilder<>& b, const std::vector<llvm::Value*>& parts) {
  if (parts.size() == 1) return parts[0];
  if (parts[0]->getType()->isVectorTy()) return llvm::concatenateVectors(b, parts);
  auto count = static_cast<unsigned>(parts.size());
  llvm::Value* vector =
      llvm::PoisonValue::get(llvm::FixedVectorType::get(parts[0]->getType(), count));
  for (size_t i = 0; i < parts.size(); ++i) vector = b.CreateInsertElement(vector, parts[i], i);
  return vector;
}

// ---- Calls ------------------------------------------------------------------------------------

// Calls a function of numbers that takes no vectors, lane by lane.
static llvm::Value* CallScalar(llvm::IRBuilder<>& b, const std::string& name,
                               llvm::ArrayRef<llvm::Value*> arguments) {
  int32_t lanes = LanesOf(arguments[0]);
  llvm::Type* element = arguments[0]->getType()->getScalarType();
  std::vector<llvm::Type*> types(arguments.size(), element);
  llvm::Module* module = b.GetInsertBlock()->getModule();
  auto* function_type = llvm::FunctionType::get(element, types, false);
  llvm::FunctionCallee callee = module->getOrInsertFunction(name, function_type);
  auto* function = llvm::cast<llvm::Function>(callee.getCallee());
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  if (lanes == 1) return b.CreateCall(callee, arguments);
  llvm::Value* result = llvm::PoisonValue::get(arguments[0]->getType());
  for (int32_t lane = 0; lane < lanes; ++lane) {
    std::vector<llvm::Value*> scalars;
    for (llvm::Value* argument : arguments)
      scalars.push_back(b.CreateExtractElement(argument, static_cast<uint64_t>(lane)));
    result =
        b.CreateInsertElement(result, b.CreateCall(callee, scalars), static_cast<uint64_t>(lane));
  }
  return result;
}

// Calls the function of that many vectors, which it has in memory: in registers, once it is
// inlined.
static std::vector<llvm::Value*> CallVectors(llvm::IRBuilder<>& b, const std::string& name,
                                             const std::vector<llvm::Value*>& vectors) {
  llvm::Function* kernel = b.GetInsertBlock()->getParent();
  llvm::BasicBlock& entry = kernel->getEntryBlock();
  llvm::Type* vector = vectors[0]->getType();
  auto* type = llvm::ArrayType::get(vector, vectors.size());
  llvm::Value* memory = llvm::IRBuilder<>(&entry, entry.begin()).CreateAlloca(type);
  auto place = [&](size_t i) {
    return b.CreateConstInBoundsGEP1_32(vector, memory, static_cast<unsigned>(i));
  };
  for (size_t i = 0; i < vectors.size(); ++i) b.CreateStore(vectors[i], place(i));
  b.CreateCall(kernel->getParent()->getOrInsertFunction(
                   name + "_" + std::to_string(vectors.size()),
                   llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy()}, false)),
               {memory});
  std::vector<llvm::Value*> results;
  for (size_t i = 0; i < vectors.size(); ++i) results.push_back(b.CreateLoad(vector, place(i)));
  return results;
}

// Functions that the runtime has for vectors of four (src/runtime/math.cpp): as many vectors at
// once as there is a function for.
static std::vector<llvm::Value*> CallAtOnce(llvm::IRBuilder<>& b, const std::string& name,
                                            const std::vector<llvm::Value*>& vectors) {
  std::vector<llvm::Value*> results;
  for (size_t at = 0, count = kVectorsAtOnce; at < vectors.size(); at += count) {
    while (count > vectors.size() - at) count /= 2;
    auto first = vectors.begin() + static_cast<int64_t>(at);
    std::vector<llvm::Value*> some(first, first + static_cast<int64_t>(count));
    if (count > 1) {
      some = CallVectors(b, name, some);
    } else {
      llvm::Type* type = some[0]->getType();
      llvm::FunctionCallee callee = b.GetInsertBlock()->getModule()->getOrInsertFunction(
          name, llvm::FunctionType::get(type, {type}, false));
      auto* function = llvm::cast<llvm::Function>(callee.getCallee());
      function->setDoesNotAccessMemory();
      function->setDoesNotThrow();
      function->setWillReturn();
      some = {b.CreateCall(callee, some)};
    }
    results.insert(results.end(), some.begin(), some.end());
  }
  return results;
}

// Those of fewer than four elements are the same for one, so that its results do not depend on
// where it stands.
static std::vector<llvm::Value*> CallVector(llvm::IRBuilder<>& b, const std::string& name,
                                            const std::vector<llvm::Value*>& values) {
  constexpr int32_t kLanes = 4;
  const int32_t lanes = LanesOf(values[0]), size = lanes % kLanes == 0 ? kLanes : 1;
  std::vector<llvm::Value*> vectors, results;
  for (llvm::Value* value : values) {
    for (llvm::Value* part : PartsOf(b, value, size))
      vectors.push_back(size == 1 ? b.CreateVectorSplat(kLanes, part) : part);
  }
  vectors = CallAtOnce(b, "webnnc_" + name + "_f32x4", vectors);
  for (auto part = vectors.begin(); part != vectors.end(); part += lanes / size) {
    std::vector<llvm::Value*> parts(part, part + lanes / size);
    for (llvm::Value*& each : parts)
      each = size == 1 ? b.CreateExtractElement(each, uint64_t{0}) : each;
    results.push_back(Joined(b, parts));
  }
  return results;
}

// ---- Unary ------------------------------------------------------------------------------------

static llvm::Value* EmitSign(llvm::IRBuilder<>& b, DType dtype, llvm::Value* a) {
  llvm::Type* type = a->getType();
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  if (IsFloat(dtype)) {
    llvm::Value* one = llvm::ConstantFP::get(type, 1);
    llvm::Value* negative = b.CreateFCmpOLT(a, zero);
    llvm::Value* positive = b.CreateFCmpOGT(a, zero);
    llvm::Value* sign =
        b.CreateSelect(positive, one, b.CreateSelect(negative, b.CreateFNeg(one), zero));
    return b.CreateSelect(b.CreateFCmpUNO(a, a), a, sign);
  }
  llvm::Value* one = llvm::ConstantInt::get(type, 1);
  llvm::Value* nonzero = b.CreateSelect(b.CreateICmpNE(a, zero), one, zero);
  if (!IsSigned(dtype)) return nonzero;
  return b.CreateSelect(b.CreateICmpSLT(a, zero), llvm::Constant::getAllOnesValue(type), nonzero);
}

static const char* MathName(loop::UnaryOp op) {
  switch (op) {
    case loop::UnaryOp::kExp: return "exp";
    case loop::UnaryOp::kLog: return "log";
    case loop::UnaryOp::kSin: return "sin";
    case loop::UnaryOp::kCos: return "cos";
    case loop::UnaryOp::kTan: return "tan";
    case loop::UnaryOp::kAsin: return "asin";
    case loop::UnaryOp::kAcos: return "acos";
    case loop::UnaryOp::kAtan: return "atan";
    case loop::UnaryOp::kSinh: return "sinh";
    case loop::UnaryOp::kCosh: return "cosh";
    case loop::UnaryOp::kTanh: return "tanh";
    case loop::UnaryOp::kAsinh: return "asinh";
    case loop::UnaryOp::kAcosh: return "acosh";
    case loop::UnaryOp::kAtanh: return "atanh";
    case loop::UnaryOp::kErf: return "erf";
    default: CHECK(false); return "";
  }
}

bool HasVectorFunction(loop::UnaryOp op, DType dtype) {
  return dtype == DType::kF32 && (op == loop::UnaryOp::kExp || op == loop::UnaryOp::kLog ||
                                  op == loop::UnaryOp::kTanh || op == loop::UnaryOp::kErf);
}

llvm::Value* EmitUnary(llvm::IRBuilder<>& b, loop::UnaryOp op, DType dtype, llvm::Value* a) {
  using loop::UnaryOp;
  llvm::Type* type = a->getType();
  bool real = IsFloat(dtype);
  switch (op) {
    case UnaryOp::kNegate: return real ? b.CreateFNeg(a) : b.CreateNeg(a);
    case UnaryOp::kAbs:
      if (real) return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
      if (!IsSigned(dtype)) return a;
      return b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, b.getFalse());
    case UnaryOp::kSign: return EmitSign(b, dtype, a);
    case UnaryOp::kNot:
    case UnaryOp::kBitNot: return b.CreateNot(a);
    case UnaryOp::kFloor: return b.CreateUnaryIntrinsic(llvm::Intrinsic::floor, a);
    case UnaryOp::kCeil: return b.CreateUnaryIntrinsic(llvm::Intrinsic::ceil, a);
    case UnaryOp::kRound: return b.CreateUnaryIntrinsic(llvm::Intrinsic::nearbyint, a);
    case UnaryOp::kTrunc: return b.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, a);
    case UnaryOp::kSqrt: return b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a);
    case UnaryOp::kDotByte: return EmitDotByte(b, a);
    case UnaryOp::kDotBytes: return EmitDotBytes(b, a);
    case UnaryOp::kBits: {
      llvm::Type* integer = b.getIntNTy(type->getScalarSizeInBits());
      return b.CreateBitCast(a, type->getWithNewType(integer));
    }
    case UnaryOp::kFromBits: {
      llvm::Type* number = dtype == DType::kI64 ? b.getDoubleTy() : b.getFloatTy();
      return b.CreateBitCast(a, type->getWithNewType(number));
    }
    case UnaryOp::kIsNan: return b.CreateFCmpUNO(a, a);
    case UnaryOp::kIsInf: {
      llvm::Value* magnitude = b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
      return b.CreateFCmpOEQ(magnitude, llvm::ConstantFP::getInfinity(type));
    }
    default: break;
  }
  std::string name = MathName(op);
  if (HasVectorFunction(op, dtype)) return CallVector(b, name, {a})[0];
  llvm::Value* result = CallScalar(b, dtype == DType::kF32 ? name + "f" : name, {a});
  if (op != UnaryOp::kAcosh) return result;
  // musl's gives numbers below 1 as well, where there is no result.
  llvm::Value* exists = b.CreateFCmpUGE(a, llvm::ConstantFP::get(type, 1));
  return b.CreateSelect(exists, result, llvm::ConstantFP::getNaN(type));
}

std::vector<llvm::Value*> EmitFunction(llvm::IRBuilder<>& b, loop::UnaryOp op,
                                       const std::vector<llvm::Value*>& values) {
  return CallVector(b, MathName(op), values);
}

// ---- Binary -----------------------------------------------------------------------------------

// Division of integers. wasm traps at a division by 0 and at the one signed quotient that does not
// fit; kernel.h says what these give. A constant divisor needs no care.
static llvm::Value* EmitIntegerDivision(llvm::IRBuilder<>& b, loop::BinaryOp op, DType dtype,
                                        llvm::Value* x, llvm::Value* y) {
  using loop::BinaryOp;
  llvm::Type* type = x->getType();
  bool is_signed = IsSigned(dtype);
  bool quotient = op == BinaryOp::kDiv || op == BinaryOp::kFloorDiv;
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  llvm::Value* one = llvm::ConstantInt::get(type, 1);
  llvm::Value* minus_one = llvm::Constant::getAllOnesValue(type);

  auto* constant = llvm::dyn_cast<llvm::Constant>(y);
  llvm::APInt divisor;
  bool safe = false;
  if (constant) {
    auto* scalar = llvm::dyn_cast_or_null<llvm::ConstantInt>(
        type->isVectorTy() ? constant->getSplatValue() : constant);
    safe = scalar && !scalar->isZero() && !scalar->isMinusOne();
  }
  llvm::Value* by_zero = safe ? nullptr : b.CreateICmpEQ(y, zero);
  llvm::Value* by_minus_one = safe || !is_signed ? nullptr : b.CreateICmpEQ(y, minus_one);
  llvm::Value* d = y;
  if (by_zero) d = b.CreateSelect(by_zero, one, d);
  if (by_minus_one) d = b.CreateSelect(by_minus_one, one, d);

  llvm::Value *q, *r;
  if (quotient) {
    q = is_signed ? b.CreateSDiv(x, d) : b.CreateUDiv(x, d);
    if (by_minus_one) q = b.CreateSelect(by_minus_one, b.CreateNeg(x), q);
  }
  r = is_signed ? b.CreateSRem(x, d) : b.CreateURem(x, d);
  if (by_minus_one) r = b.CreateSelect(by_minus_one, zero, r);
  bool floors = (op == BinaryOp::kFloorDiv || op == BinaryOp::kFloorMod) && is_signed;
  if (floors) {
    llvm::Value* signs_differ = b.CreateICmpSLT(b.CreateXor(r, d), zero);
    llvm::Value* adjust = b.CreateAnd(b.CreateICmpNE(r, zero), signs_differ);
    if (quotient) q = b.CreateSub(q, b.CreateZExt(adjust, type));
    r = b.CreateSelect(adjust, b.CreateAdd(r, d), r);
  }
  llvm::Value* result = quotient ? q : r;
  return by_zero ? b.CreateSelect(by_zero, zero, result) : result;
}

// By squaring. A negative exponent gives 0, but for bases 1 and -1.
static llvm::Value* EmitIntegerPower(llvm::IRBuilder<>& b, DType dtype, llvm::Value* x,
                                     llvm::Value* y) {
  llvm::LLVMContext& context = b.getContext();
  bool wide = ByteSize(dtype) == 8;
  DType common = wide ? dtype : (IsSigned(dtype) ? DType::kI64 : DType::kU64);
  llvm::Type* type = x->getType();
  llvm::Type* long_type = ValueType(context, common, LanesOf(x));
  x = b.CreateIntCast(x, long_type, IsSigned(dtype));
  y = b.CreateIntCast(y, long_type, IsSigned(dtype));
  std::string name = IsSigned(dtype) ? "webnnc_pow_i64" : "webnnc_pow_u64";
  return b.CreateTrunc(CallScalar(b, name, {x, y}), type);
}

static llvm::Value* EmitComparison(llvm::IRBuilder<>& b, loop::BinaryOp op, DType dtype,
                                   llvm::Value* x, llvm::Value* y) {
  using loop::BinaryOp;
  bool is_signed = IsSigned(dtype);
  if (IsFloat(dtype)) {
    switch (op) {
      case BinaryOp::kEqual: return b.CreateFCmpOEQ(x, y);
      case BinaryOp::kNotEqual: return b.CreateFCmpUNE(x, y);
      case BinaryOp::kLess: return b.CreateFCmpOLT(x, y);
      default: return b.CreateFCmpOLE(x, y);
    }
  }
  switch (op) {
    case BinaryOp::kEqual: return b.CreateICmpEQ(x, y);
    case BinaryOp::kNotEqual: return b.CreateICmpNE(x, y);
    case BinaryOp::kLess: return is_signed ? b.CreateICmpSLT(x, y) : b.CreateICmpULT(x, y);
    default: return is_signed ? b.CreateICmpSLE(x, y) : b.CreateICmpULE(x, y);
  }
}

static bool IsConstantNumber(llvm::Value* value) {
  auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (constant && constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  auto* number = llvm::dyn_cast_or_null<llvm::ConstantFP>(constant);
  return number && !number->isNaN();
}

// NaN if either is. With a number, as in relu, a comparison that keeps the other operand when it is
// NaN does: one instruction (f32x4.pmax), where the IEEE maximum of vectors takes eight on x64. Of
// two vectors it keeps a NaN of x, and is one where y is. One that was there longer is y, which is
// looked at while x is on its way.
static llvm::Value* EmitRealMinMax(llvm::IRBuilder<>& b, bool max, llvm::Value* x, llvm::Value* y) {
  if (IsConstantNumber(x)) std::swap(x, y);
  auto* vector = llvm::dyn_cast<llvm::VectorType>(x->getType());
  const bool is_number = IsConstantNumber(y);
  if (!is_number && !vector)
    return b.CreateBinaryIntrinsic(max ? llvm::Intrinsic::maximum : llvm::Intrinsic::minimum, x, y);
  llvm::Value* take_y = max ? b.CreateFCmpOLT(x, y) : b.CreateFCmpOLT(y, x);
  llvm::Value* chosen = b.CreateSelect(take_y, y, x);
  if (is_number) return chosen;
  // All bits are a NaN.
  auto* bits = llvm::VectorType::getInteger(vector);
  llvm::Value* is_nan = b.CreateSExt(b.CreateFCmpUNO(y, y), bits);
  return b.CreateBitCast(b.CreateOr(b.CreateBitCast(chosen, bits), is_nan), vector);
}

static llvm::Value* EmitReal(llvm::IRBuilder<>& b, loop::BinaryOp op, DType dtype, llvm::Value* x,
                             llvm::Value* y) {
  using loop::BinaryOp;
  std::string suffix = dtype == DType::kF32 ? "f" : "";
  switch (op) {
    case BinaryOp::kAdd: return b.CreateFAdd(x, y);
    case BinaryOp::kSub: return b.CreateFSub(x, y);
    case BinaryOp::kMul: return b.CreateFMul(x, y);
    case BinaryOp::kDiv: return b.CreateFDiv(x, y);
    case BinaryOp::kMod: return CallScalar(b, "fmod" + suffix, {x, y});
    case BinaryOp::kPow: return CallScalar(b, "pow" + suffix, {x, y});
    case BinaryOp::kMin: return EmitRealMinMax(b, false, x, y);
    case BinaryOp::kMax: return EmitRealMinMax(b, true, x, y);
    default: CHECK(false); return nullptr;
  }
}

// By the width or more gives 0, which wasm's shift does not.
static llvm::Value* EmitShift(llvm::IRBuilder<>& b, bool left, DType dtype, llvm::Value* x,
                              llvm::Value* y) {
  llvm::Type* type = x->getType();
  llvm::Value* width = llvm::ConstantInt::get(type, static_cast<uint64_t>(ByteSize(dtype)) * 8);
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  llvm::Value* fits = b.CreateICmpULT(y, width);
  llvm::Value* amount = b.CreateSelect(fits, y, zero);
  llvm::Value* shifted = left              ? b.CreateShl(x, amount)
                         : IsSigned(dtype) ? b.CreateAShr(x, amount)
                                           : b.CreateLShr(x, amount);
  return b.CreateSelect(fits, shifted, zero);
}

static llvm::Value* EmitDotOfBytes(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y) {
  constexpr int kTop = 24;
  llvm::Value* sum = nullptr;
  for (int shift = kTop; shift >= 0; shift -= 8) {
    auto byte = [&](llvm::Value* word) {
      return b.CreateAShr(b.CreateShl(word, static_cast<uint64_t>(shift)), kTop);
    };
    llvm::Value* product = b.CreateMul(byte(x), byte(y));
    sum = sum ? b.CreateAdd(sum, product) : product;
  }
  return sum;
}

llvm::Value* EmitBinary(llvm::IRBuilder<>& b, loop::BinaryOp op, DType dtype, llvm::Value* x,
                        llvm::Value* y) {
  using loop::BinaryOp;
  if (IsComparison(op)) return EmitComparison(b, op, dtype, x, y);
  if (IsFloat(dtype)) return EmitReal(b, op, dtype, x, y);
  bool is_signed = IsSigned(dtype);
  switch (op) {
    case BinaryOp::kAdd: return b.CreateAdd(x, y);
    case BinaryOp::kSub: return b.CreateSub(x, y);
    case BinaryOp::kMul: return b.CreateMul(x, y);
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kFloorDiv:
    case BinaryOp::kFloorMod: return EmitIntegerDivision(b, op, dtype, x, y);
    case BinaryOp::kPow: return EmitIntegerPower(b, dtype, x, y);
    case BinaryOp::kMin:
      return b.CreateBinaryIntrinsic(is_signed ? llvm::Intrinsic::smin : llvm::Intrinsic::umin, x,
                                     y);
    case BinaryOp::kMax:
      return b.CreateBinaryIntrinsic(is_signed ? llvm::Intrinsic::smax : llvm::Intrinsic::umax, x,
                                     y);
    case BinaryOp::kAnd: return b.CreateAnd(x, y);
    case BinaryOp::kOr: return b.CreateOr(x, y);
    case BinaryOp::kXor: return b.CreateXor(x, y);
    case BinaryOp::kShiftLeft: return EmitShift(b, true, dtype, x, y);
    case BinaryOp::kShiftRight: return EmitShift(b, false, dtype, x, y);
    case BinaryOp::kDot4: return EmitDotOfBytes(b, x, y);
    default: CHECK(false); return nullptr;
  }
}

// ---- Conversions ------------------------------------------------------------------------------

// binary16 to float: moving exponent and fraction into place leaves the exponent 112 too small,
// which a multiplication puts right, subnormals included.
static llvm::Value* FromHalf(llvm::IRBuilder<>& b, llvm::Value* bits) {
  int32_t lanes = LanesOf(bits);
  llvm::Type* ints = ValueType(b.getContext(), DType::kI32, lanes);
  llvm::Type* floats = ValueType(b.getContext(), DType::kF32, lanes);
  auto constant = [&](uint64_t value) { return llvm::ConstantInt::get(ints, value); };
  llvm::Value* wide = b.CreateZExt(bits, ints);
  llvm::Value* sign = b.CreateShl(b.CreateAnd(wide, constant(0x8000)), constant(16));
  llvm::Value* magnitude = b.CreateShl(b.CreateAnd(wide, constant(0x7fff)), constant(13));
  llvm::Value* scaled =
      b.CreateFMul(b.CreateBitCast(magnitude, floats), llvm::ConstantFP::get(floats, 0x1p112));
  llvm::Value* special = b.CreateICmpUGE(magnitude, constant(0x7c00 << 13));
  llvm::Value* result = b.CreateBitCast(scaled, ints);
  result = b.CreateSelect(special, b.CreateOr(magnitude, constant(0x7f800000)), result);
  return b.CreateBitCast(b.CreateOr(result, sign), floats);
}

// float to binary16, to nearest even, after F. Giesen's float_to_half_fast3_rtne: normal results
// by an addition that rounds the bits, subnormal ones by adding a float whose last place is theirs.
static llvm::Value* ToHalf(llvm::IRBuilder<>& b, llvm::Value* a) {
  int32_t lanes = LanesOf(a);
  llvm::Type* ints = ValueType(b.getContext(), DType::kI32, lanes);
  auto constant = [&](uint64_t value) { return llvm::ConstantInt::get(ints, value); };
  llvm::Value* bits = b.CreateBitCast(a, ints);
  llvm::Value* sign = b.CreateAnd(bits, constant(0x80000000));
  llvm::Value* magnitude = b.CreateXor(bits, sign);
  llvm::Value* nan = b.CreateICmpUGT(magnitude, constant(0x7f800000));
  llvm::Value* large = b.CreateICmpUGE(magnitude, constant(0x47800000));
  llvm::Value* small = b.CreateICmpULT(magnitude, constant(0x38800000));
  llvm::Value* special = b.CreateSelect(nan, constant(0x7e00), constant(0x7c00));
  // 0.5 has its last place where the subnormals' is.
  llvm::Value* magic = llvm::ConstantFP::get(a->getType(), 0.5);
  llvm::Value* sum = b.CreateFAdd(b.CreateBitCast(magnitude, a->getType()), magic);
  llvm::Value* subnormal = b.CreateSub(b.CreateBitCast(sum, ints), constant(0x3f000000));
  llvm::Value* odd = b.CreateAnd(b.CreateLShr(magnitude, constant(13)), constant(1));
  llvm::Value* rounded = b.CreateAdd(b.CreateAdd(magnitude, constant(0xc8000fff)), odd);
  llvm::Value* normal = b.CreateLShr(rounded, constant(13));
  llvm::Value* result = b.CreateSelect(large, special, b.CreateSelect(small, subnormal, normal));
  result = b.CreateOr(result, b.CreateLShr(sign, constant(16)));
  return b.CreateTrunc(result, ValueType(b.getContext(), DType::kU16, lanes));
}

llvm::Value* EmitConvert(llvm::IRBuilder<>& b, DType from, DType to, llvm::Value* a) {
  if (from == to) return a;
  if (from == DType::kF16) return EmitConvert(b, DType::kF32, to, FromHalf(b, a));
  if (to == DType::kF16) return ToHalf(b, EmitConvert(b, from, DType::kF32, a));
  llvm::Type* type = ValueType(b.getContext(), to, LanesOf(a));
  llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
  if (to == DType::kBool) return IsFloat(from) ? b.CreateFCmpUNE(a, zero) : b.CreateICmpNE(a, zero);
  if (IsFloat(from) && IsFloat(to)) return b.CreateFPCast(a, type);
  if (IsFloat(from)) {
    // Vectors have an instruction for i32, of which less is what is within bounds.
    if (ByteSize(to) < ByteSize(DType::kI32)) {
      llvm::Value* wide = EmitConvert(b, from, DType::kI32, a);
      auto bound = [&](const Scalar& value) {
        return llvm::ConstantInt::get(wide->getType(), static_cast<uint64_t>(value.integer), true);
      };
      wide = b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, wide, bound(Lowest(to)));
      wide = b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, wide, bound(Highest(to)));
      return b.CreateTrunc(wide, type);
    }
    ID id = IsSigned(to) ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
    return b.CreateIntrinsic(id, {type, a->getType()}, {a});
  }
  if (IsFloat(to)) return IsSigned(from) ? b.CreateSIToFP(a, type) : b.CreateUIToFP(a, type);
  return b.CreateIntCast(a, type, IsSigned(from));
}

}  // namespace webnnc::wasm
