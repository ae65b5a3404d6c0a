#include "wasm/kernel_emitter.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/overloaded.h"
#include "loop/parallel.h"
#include "loop/parameters.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "wasm/codegen.h"
#include "wasm/functions.h"
#include "wasm/pairs.h"
#include "wasm/rounding.h"
#include "wasm/side_by_side.h"
#include "wasm/split_index.h"
#include "webnnc/abi.h"

namespace webnnc::wasm {

void SetTarget(llvm::Function& function, FeatureSet features) {
  function.addFnAttr("target-features", FeaturesOf(features));
  function.addFnAttr(llvm::Attribute::NoUnwind);
}

llvm::Function* DeclareKernel(llvm::Module& module, const loop::Kernel& kernel) {
  // Kernels of one name are the same.
  if (llvm::Function* known = module.getFunction(kKernelPrefix + kernel.name)) return known;
  llvm::LLVMContext& context = module.getContext();
  size_t parameters = loop::ParametersOf(kernel).size();
  std::vector<llvm::Type*> types(parameters, llvm::PointerType::get(context, 0));
  types.insert(types.end(), SizesOf(kernel).size(), llvm::Type::getInt32Ty(context));
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), types, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                          kKernelPrefix + kernel.name, module);
  // Nothing outside of the linked module calls it.
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  // Outputs are never inputs of the same kernel.
  for (unsigned i = 0; i < parameters; ++i) function->addParamAttr(i, llvm::Attribute::NoAlias);
  return function;
}

namespace {

constexpr uint64_t kStackAlignment = 16;

// What a kernel keeps on the stack.
std::vector<loop::BufferId> RegistersOf(const loop::Kernel& kernel) {
  std::vector<loop::BufferId> registers;
  for (int32_t i = 0; i < kernel.buffers.size(); ++i) {
    loop::Space space = kernel.buffers[loop::BufferId{i}].space;
    if (space == loop::Space::kRegister || space == loop::Space::kWorkgroup)
      registers.push_back(loop::BufferId{i});
  }
  return registers;
}

uint64_t CountOf(const loop::Buffer& buffer) {
  return static_cast<uint64_t>(ElementCount(buffer.type.shape).value());
}

class Emitter {
 public:
  Emitter(llvm::Module& module, const loop::Kernel& kernel, FeatureSet features)
      : kernel_(kernel),
        features_(features),
        context_(module.getContext()),
        b_(context_),
        module_(module),
        buffers_(static_cast<size_t>(kernel.buffers.size())),
        vars_(static_cast<size_t>(kernel.vars.size())) {}

  void Run() {
    function_ = DeclareKernel(module_, kernel_);
    SetTarget(*function_, features_);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));
    unsigned next = 0;
    for (int32_t i = 0; i < kernel_.buffers.size(); ++i) {
      if (IsParameter(kernel_.buffers[loop::BufferId{i}]))
        buffers_[static_cast<size_t>(i)] = function_->getArg(next++);
    }
    for (const Dim& size : SizesOf(kernel_)) sizes_.push_back({size, function_->getArg(next++)});
    for (loop::BufferId id : RegistersOf(kernel_)) MakeRegister(id);
    EmitBlock(kernel_.body);
    b_.CreateRetVoid();
  }

 private:
  // Register buffers are arrays on the stack, which LLVM's passes turn into registers where their
  // indices are constant.
  void MakeRegister(loop::BufferId id) {
    const loop::Buffer& buffer = kernel_.buffers[id];
    auto* type = llvm::ArrayType::get(MemoryType(context_, buffer.type.dtype, 1), CountOf(buffer));
    auto* memory = b_.CreateAlloca(type, nullptr, buffer.name);
    memory->setAlignment(llvm::Align(kStackAlignment));
    buffers_[static_cast<size_t>(id.index)] = memory;
  }

  // ---- Statements

  void EmitBlock(const loop::Block& block) {
    for (size_t i = 0; i < block.size(); ++i) {
      if (size_t count = StoresSideBySide(kernel_, block, i); count > 1) {
        EmitSideBySide(block, i, count);
        i += count - 1;
        continue;
      }
      std::visit(Overloaded{
                     [&](const loop::For& loop) { EmitFor(loop); },
                     [&](const loop::Let& let) {
                       StartStatement();
                       vars_[static_cast<size_t>(let.var.index)] = Emit(let.value);
                     },
                     [&](const loop::Store& store) {
                       StartStatement();
                       EmitStore(store);
                     },
                     [](const loop::Reduce&) { CHECK(false); },
                     [&](const loop::If& test) { EmitIf(test); },
                     [](const loop::Barrier&) {},
                 },
                 static_cast<const loop::Stmt::variant&>(block[i]));
    }
  }

  void EmitSideBySide(const loop::Block& block, size_t at, size_t count) {
    StartStatement();
    Calls values;
    for (size_t i = at; i < at + count; ++i)
      values.push_back(std::get<loop::Store>(block[i]).value);
    for (const Calls& calls : FunctionsSideBySide(kernel_, values)) {
      std::vector<llvm::Value*> of;
      for (loop::ExprId call : calls)
        of.push_back(EmitArgument(std::get<loop::Unary>(kernel_.exprs[call].node)));
      const loop::UnaryOp op = std::get<loop::Unary>(kernel_.exprs[calls[0]].node).op;
      of = EmitFunction(b_, op, of);
      for (size_t i = 0; i < calls.size(); ++i) values_[{calls[i], guard_, in_index_}] = of[i];
    }
    for (size_t i = at; i < at + count; ++i) EmitStore(std::get<loop::Store>(block[i]));
  }

  void EmitFor(const loop::For& loop) {
    if (loop.extent.Is(0)) return;
    if (loop.kind == loop::LoopKind::kParallel && features_.Has(Feature::kThreads) && !in_part_)
      return EmitParallel(loop);
    llvm::Value* extent = SizeValue(loop.extent);
    auto* before = b_.GetInsertBlock();
    auto* body = llvm::BasicBlock::Create(context_, kernel_.vars[loop.var].name, function_);
    auto* after = llvm::BasicBlock::Create(context_, "after", function_);
    if (loop.extent.IsConstant()) {
      b_.CreateBr(body);
    } else {
      b_.CreateCondBr(b_.CreateICmpSGT(extent, b_.getInt32(0)), body, after);
    }
    b_.SetInsertPoint(body);
    auto* counter = b_.CreatePHI(b_.getInt32Ty(), 2, kernel_.vars[loop.var].name);
    counter->addIncoming(b_.getInt32(0), before);
    vars_[static_cast<size_t>(loop.var.index)] = counter;
    loops_.push_back({loop.var, loop.extent});
    EmitBlock(loop.body);
    loops_.pop_back();
    llvm::Value* next = b_.CreateAdd(counter, b_.getInt32(1), "", true, true);
    counter->addIncoming(next, b_.GetInsertBlock());
    b_.CreateCondBr(b_.CreateICmpSLT(next, extent), body, after);
    b_.SetInsertPoint(after);
  }

  // ---- Parallel loops, of modules with threads: a function that runs some of the iterations,
  // which the runtime calls in several threads (src/runtime/parallel.h).

  // Loops inside of each other whose iterations together are a part's items: as many as it takes
  // until threads can share them evenly.
  std::vector<const loop::For*> LoopsOfItems(const loop::For& outermost) const {
    constexpr int64_t kEnoughItems = 64;
    std::vector<const loop::For*> loops = {&outermost};
    int64_t items = 1;
    for (;;) {
      const loop::For& last = *loops.back();
      if (last.extent.IsConstant()) items *= last.extent.value();
      auto* inner = last.body.size() == 1 ? std::get_if<loop::For>(&last.body[0]) : nullptr;
      if (items >= kEnoughItems || !inner || inner->kind != loop::LoopKind::kParallel) return loops;
      loops.push_back(inner);
    }
  }

  void EmitParallel(const loop::For& loop) {
    const std::vector<const loop::For*> loops = LoopsOfItems(loop);
    std::set<loop::BufferId> own = loop::RegistersStoredIn(kernel_, loop);
    std::vector<loop::BufferId> shared;
    for (int32_t i = 0; i < kernel_.buffers.size(); ++i) {
      if (!own.count(loop::BufferId{i})) shared.push_back(loop::BufferId{i});
    }
    std::vector<llvm::Value*> values;
    for (loop::BufferId id : shared) values.push_back(buffers_[static_cast<size_t>(id.index)]);
    for (const auto& [size, value] : sizes_) values.push_back(value);
    std::vector<llvm::Type*> types;
    for (llvm::Value* value : values) types.push_back(value->getType());
    auto* record = llvm::StructType::get(context_, types);
    llvm::Value* context = b_.CreateAlloca(record);
    for (unsigned i = 0; i < values.size(); ++i)
      b_.CreateStore(values[i], b_.CreateStructGEP(record, context, i));
    llvm::Value* items = b_.getInt32(1);
    for (const loop::For* each : loops) items = b_.CreateMul(items, SizeValue(each->extent));
    llvm::Value* work = WorkOf(loops.back()->body);
    llvm::Function* part = MakePart(loops, shared, own, record);
    auto* type = llvm::FunctionType::get(
        b_.getVoidTy(), {b_.getPtrTy(), b_.getPtrTy(), b_.getInt32Ty(), b_.getFloatTy()}, false);
    b_.CreateCall(module_.getOrInsertFunction(kParallelFunction, type),
                  {part, context, items, work});
  }

  // A Part: it unpacks the record for a function of its own, whose parameters do not alias.
  llvm::Function* MakePart(const std::vector<const loop::For*>& loops,
                           const std::vector<loop::BufferId>& shared,
                           const std::set<loop::BufferId>& own, llvm::StructType* record) {
    llvm::Function* body = MakePartBody(loops, shared, own, record);
    auto* type = llvm::FunctionType::get(b_.getVoidTy(),
                                         {b_.getPtrTy(), b_.getInt32Ty(), b_.getInt32Ty()}, false);
    llvm::Function* part = MakeInternal(type, ".part");
    llvm::IRBuilder<> b(llvm::BasicBlock::Create(context_, "entry", part));
    std::vector<llvm::Value*> arguments;
    for (unsigned i = 0; i < record->getNumElements(); ++i) {
      arguments.push_back(
          b.CreateLoad(record->getElementType(i), b.CreateStructGEP(record, part->getArg(0), i)));
    }
    arguments.push_back(part->getArg(1));
    arguments.push_back(part->getArg(2));
    b.CreateCall(body, arguments);
    b.CreateRetVoid();
    return part;
  }

  llvm::Function* MakeInternal(llvm::FunctionType* type, const char* suffix) {
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                            kKernelPrefix + kernel_.name + suffix, module_);
    SetTarget(*function, features_);
    return function;
  }

  llvm::Function* MakePartBody(const std::vector<const loop::For*>& loops,
                               const std::vector<loop::BufferId>& shared,
                               const std::set<loop::BufferId>& own, llvm::StructType* record) {
    std::vector<llvm::Type*> types(record->element_begin(), record->element_end());
    types.insert(types.end(), 2, b_.getInt32Ty());
    auto* body = MakeInternal(llvm::FunctionType::get(b_.getVoidTy(), types, false), ".items");
    // It has values of its own for all that the kernel has.
    auto before = b_.saveIP();
    const auto buffers = buffers_;
    const auto sizes = sizes_;
    llvm::Function* function = std::exchange(function_, body);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", body));
    unsigned next = 0;
    for (loop::BufferId id : shared) {
      if (IsParameter(kernel_.buffers[id])) body->addParamAttr(next, llvm::Attribute::NoAlias);
      buffers_[static_cast<size_t>(id.index)] = body->getArg(next++);
    }
    for (auto& [size, value] : sizes_) value = body->getArg(next++);
    for (loop::BufferId id : own) MakeRegister(id);
    in_part_ = true;
    EmitItems(loops, body->getArg(next), body->getArg(next + 1));
    in_part_ = false;
    b_.CreateRetVoid();
    StartStatement();
    function_ = function;
    buffers_ = buffers;
    sizes_ = sizes;
    b_.restoreIP(before);
    return body;
  }

  // Items `begin` to `end`, of which there is at least one.
  void EmitItems(const std::vector<const loop::For*>& loops, llvm::Value* begin, llvm::Value* end) {
    auto* before = b_.GetInsertBlock();
    auto* body = llvm::BasicBlock::Create(context_, "item", function_);
    auto* after = llvm::BasicBlock::Create(context_, "after", function_);
    b_.CreateBr(body);
    b_.SetInsertPoint(body);
    auto* item = b_.CreatePHI(b_.getInt32Ty(), 2, "item");
    item->addIncoming(begin, before);
    llvm::Value* left = item;
    for (size_t l = loops.size(); l-- > 0;) {
      llvm::Value* extent = SizeValue(loops[l]->extent);
      vars_[static_cast<size_t>(loops[l]->var.index)] = l == 0 ? left : b_.CreateURem(left, extent);
      if (l > 0) left = b_.CreateUDiv(left, extent);
    }
    for (const loop::For* each : loops) loops_.push_back({each->var, each->extent});
    EmitBlock(loops.back()->body);
    loops_.resize(loops_.size() - loops.size());
    llvm::Value* next = b_.CreateAdd(item, b_.getInt32(1), "", true, true);
    item->addIncoming(next, b_.GetInsertBlock());
    b_.CreateCondBr(b_.CreateICmpULT(next, end), body, after);
    b_.SetInsertPoint(after);
  }

  // About how many operations a block takes, as f32.
  llvm::Value* WorkOf(const loop::Block& block) {
    llvm::Value* work = llvm::ConstantFP::get(b_.getFloatTy(), 0);
    auto add = [&](llvm::Value* more) { work = b_.CreateFAdd(work, more); };
    auto add_all = [&](loop::ExprId root) {
      double count = 0;
      loop::ForEachExpr(kernel_, root, [&](loop::ExprId) { ++count; });
      add(llvm::ConstantFP::get(b_.getFloatTy(), count));
    };
    for (const loop::Stmt& stmt : block) {
      if (auto* store = std::get_if<loop::Store>(&stmt)) add_all(store->value);
      if (auto* let = std::get_if<loop::Let>(&stmt)) add_all(let->value);
      if (auto* test = std::get_if<loop::If>(&stmt)) add(WorkOf(test->body));
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        llvm::Value* extent = b_.CreateSIToFP(SizeValue(loop->extent), b_.getFloatTy());
        add(b_.CreateFMul(WorkOf(loop->body), extent));
      }
    }
    return work;
  }

  void EmitIf(const loop::If& test) {
    StartStatement();
    llvm::Value* condition = Emit(test.condition);
    auto* body = llvm::BasicBlock::Create(context_, "then", function_);
    auto* after = llvm::BasicBlock::Create(context_, "after", function_);
    b_.CreateCondBr(condition, body, after);
    b_.SetInsertPoint(body);
    EmitBlock(test.body);
    b_.CreateBr(after);
    b_.SetInsertPoint(after);
  }

  void EmitStore(const loop::Store& store) {
    const loop::Expr& value = kernel_.exprs[store.value];
    llvm::Value* address = Address(store.buffer, store.index.back());
    llvm::Value* result = nullptr;
    if (store.update == loop::Update::kSet) {
      result = Emit(store.value);
    } else {
      llvm::Value* old = LoadFrom(address, value.dtype, value.lanes);
      result = Combined(store, old);
    }
    if (value.dtype == DType::kBool) {
      result = b_.CreateZExt(result, MemoryType(context_, DType::kBool, value.lanes));
    }
    b_.CreateAlignedStore(result, address,
                          llvm::Align(static_cast<uint64_t>(ByteSize(value.dtype))));
  }

  llvm::Value* Combined(const loop::Store& store, llvm::Value* old) {
    const loop::Expr& value = kernel_.exprs[store.value];
    if (llvm::Value* sum = store.update == loop::Update::kAdd ? SumOfPairs(store.value) : nullptr)
      return b_.CreateAdd(sum, old);
    // A sum of products is what fused multiply-add is for.
    auto* product = std::get_if<loop::Binary>(&value.node);
    bool fuses = features_.Has(Feature::kRelaxedSimd) && store.update == loop::Update::kAdd &&
                 value.dtype == DType::kF32 && value.lanes == 4 && product &&
                 product->op == loop::BinaryOp::kMul;
    if (fuses) {
      return b_.CreateIntrinsic(llvm::Intrinsic::wasm_relaxed_madd, {old->getType()},
                                {Emit(product->a), Emit(product->b), old});
    }
    loop::BinaryOp op = loop::BinaryOp::kAdd;
    switch (store.update) {
      case loop::Update::kMul: op = loop::BinaryOp::kMul; break;
      case loop::Update::kMax: op = loop::BinaryOp::kMax; break;
      case loop::Update::kMin: op = loop::BinaryOp::kMin; break;
      default: break;
    }
    return EmitBinary(b_, op, value.dtype, Emit(store.value), old);
  }

  llvm::Value* SumOfPairs(loop::ExprId value) {
    auto load = [&](loop::ExprId id, int32_t lanes) -> llvm::Value* {
      const loop::Expr& expr = kernel_.exprs[id];
      if (auto* select = std::get_if<loop::Select>(&expr.node))
        return EmitPaddedLoad(*select, lanes);
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load) return nullptr;
      return LoadFrom(Address(load->buffer, load->index.back()), expr.dtype, lanes);
    };
    return Pairs(kernel_, b_, [&](loop::ExprId id) { return Emit(id); }, load).Sum(value);
  }

  // ---- Expressions. Values are kept for the statement they were computed in.

  void StartStatement() {
    values_.clear();
    guard_ = nullptr;
  }

  llvm::Value* SizeValue(const Dim& dim) {
    if (dim.IsConstant()) return b_.getInt32(static_cast<uint32_t>(dim.value()));
    for (const auto& [size, value] : sizes_) {
      if (size == dim) return value;
    }
    CHECK(false);
    return nullptr;
  }

  // A constant is added last: it becomes part of the load or store.
  llvm::Value* Address(loop::BufferId buffer, loop::ExprId index) {
    llvm::Type* element = MemoryType(context_, kernel_.buffers[buffer].type.dtype, 1);
    bool outside = std::exchange(in_index_, true);
    int64_t constant = guard_ ? 0 : TakeConstant(index);
    llvm::Value* i = Emit(index);
    in_index_ = outside;
    // Where a load is only made under a condition, its index is made harmless otherwise.
    if (guard_) i = b_.CreateSelect(guard_, i, b_.getInt32(0));
    llvm::Value* address =
        b_.CreateInBoundsGEP(element, buffers_[static_cast<size_t>(buffer.index)], i);
    return constant == 0 ? address
                         : b_.CreateInBoundsGEP(element, address,
                                                b_.getInt32(static_cast<uint32_t>(constant)));
  }

  // For x + 5: leaves x, and gives 5. A negative constant cannot be part of a load.
  int64_t TakeConstant(loop::ExprId& index) {
    auto* sum = std::get_if<loop::Binary>(&kernel_.exprs[index].node);
    if (!sum || sum->op != loop::BinaryOp::kAdd) return 0;
    auto* constant = std::get_if<loop::Constant>(&kernel_.exprs[sum->b].node);
    if (!constant || constant->value.integer < 0) return 0;
    int64_t value = constant->value.integer;
    index = sum->a;
    return value;
  }

  llvm::Value* LoadFrom(llvm::Value* address, DType dtype, int32_t lanes) {
    llvm::Type* type = MemoryType(context_, dtype, lanes);
    llvm::Value* value =
        b_.CreateAlignedLoad(type, address, llvm::Align(static_cast<uint64_t>(ByteSize(dtype))));
    if (dtype != DType::kBool) return value;
    return b_.CreateICmpNE(value, llvm::Constant::getNullValue(type));
  }

  llvm::Value* Emit(loop::ExprId id) {
    // What was computed without a guard, or behind fewer, is there behind more.
    for (llvm::Value* guard : around_) {
      auto known = values_.find({id, guard, in_index_});
      if (known != values_.end()) return known->second;
    }
    auto key = std::tuple(id, guard_, in_index_);
    auto found = values_.find(key);
    if (found != values_.end()) return found->second;
    llvm::Value* value = Compute(kernel_.exprs[id]);
    values_[key] = value;
    return value;
  }

  llvm::Value* EmitConstant(const Scalar& value) {
    llvm::Type* type = ValueType(context_, value.dtype, 1);
    if (value.dtype == DType::kF16)
      return EmitConvert(b_, DType::kF32, DType::kF16,
                         llvm::ConstantFP::get(b_.getFloatTy(), value.real));
    if (IsFloat(value.dtype)) return llvm::ConstantFP::get(type, value.real);
    return llvm::ConstantInt::get(type, static_cast<uint64_t>(value.integer),
                                  IsSigned(value.dtype));
  }

  llvm::Value* Compute(const loop::Expr& expr) {
    return std::visit(
        Overloaded{
            [&](const loop::Constant& node) {
              llvm::Value* value = EmitConstant(node.value);
              return expr.lanes == 1
                         ? value
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
            [&](const loop::Pack& node) {
              llvm::Value* vector =
                  llvm::PoisonValue::get(ValueType(context_, expr.dtype, expr.lanes));
              for (size_t lane = 0; lane < node.lanes.size(); ++lane) {
                vector = b_.CreateInsertElement(vector, Emit(node.lanes[lane]), lane);
              }
              return vector;
            },
        },
        expr.node);
  }

  // A GELU's erf(x / c) takes a product, which is faster than a quotient: that its argument is off
  // in the last place is less than erf is off by.
  llvm::Value* EmitArgument(const loop::Unary& node) {
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

  llvm::Value* ComputeBinary(const loop::Binary& node, const loop::Expr& expr) {
    const loop::Expr& a = kernel_.exprs[node.a];
    llvm::Value *x = Emit(node.a), *y = Emit(node.b);
    // Indices do not overflow, and saying so lets addresses be folded. Data may.
    bool index = in_index_ && a.dtype == DType::kI32 && expr.lanes == 1;
    if (index && node.op == loop::BinaryOp::kAdd) return b_.CreateNSWAdd(x, y);
    if (index && node.op == loop::BinaryOp::kMul) return b_.CreateNSWMul(x, y);
    if (index && node.op == loop::BinaryOp::kSub) return b_.CreateNSWSub(x, y);
    return EmitBinary(b_, node.op, a.dtype, x, y);
  }

  // ---- Loads under a condition, zero where it does not hold: the padding of windows
  // (split_index.h)

  llvm::Value* SumOf(const std::vector<loop::ExprId>& terms) {
    llvm::Value* sum = nullptr;
    for (loop::ExprId term : terms) sum = sum ? b_.CreateNSWAdd(sum, Emit(term)) : Emit(term);
    return sum ? sum : b_.getInt32(0);
  }

  static bool IsPositiveZero(const Scalar& value) {
    return IsFloat(value.dtype) ? value.real == 0 && !std::signbit(value.real) : value.integer == 0;
  }

  // Null if the select is not such a load, of so many lanes.
  llvm::Value* EmitPaddedLoad(const loop::Select& node, int32_t lanes) {
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

  llvm::Value* Zeros() {
    return module_.getOrInsertGlobal("webnnc_zeros",
                                     llvm::ArrayType::get(b_.getInt8Ty(), abi::kZeroBytes));
  }

  // What `emit` gives where loads are made under this guard.
  llvm::Value* Behind(llvm::Value* guard, const std::function<llvm::Value*()>& emit) {
    around_.push_back(guard_);
    guard_ = guard;
    llvm::Value* value = emit();
    guard_ = around_.back();
    around_.pop_back();
    return value;
  }

  llvm::Value* ComputeSelect(const loop::Select& node) {
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

  bool HasLoad(loop::ExprId id) {
    auto found = has_load_.find(id);
    if (found != has_load_.end()) return found->second;
    bool has = std::holds_alternative<loop::Load>(kernel_.exprs[id].node);
    for (loop::ExprId operand : Operands(kernel_.exprs[id])) has |= HasLoad(operand);
    return has_load_[id] = has;
  }

  llvm::Value* ComputeRamp(const loop::Ramp& node, const loop::Expr& expr) {
    std::vector<llvm::Constant*> steps;
    llvm::Type* type = ValueType(context_, expr.dtype, 1);
    for (int32_t lane = 0; lane < expr.lanes; ++lane) {
      steps.push_back(llvm::ConstantInt::get(type, static_cast<uint64_t>(lane)));
    }
    llvm::Value* base = b_.CreateVectorSplat(static_cast<unsigned>(expr.lanes), Emit(node.base));
    return b_.CreateAdd(base, llvm::ConstantVector::get(steps));
  }

  const loop::Kernel& kernel_;
  FeatureSet features_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> b_;
  llvm::Module& module_;
  llvm::Function* function_ = nullptr;
  std::vector<llvm::Value*> buffers_, vars_;
  std::vector<std::pair<Dim, llvm::Value*>> sizes_;
  // A value that loads is another one under another guard, and an index's sum may say more of
  // itself than the same sum as data.
  std::map<std::tuple<loop::ExprId, llvm::Value*, bool>, llvm::Value*> values_;
  bool in_index_ = false, in_part_ = false;
  llvm::Value* guard_ = nullptr;
  // Those that it stands behind, which hold where it does.
  std::vector<llvm::Value*> around_;
  std::map<loop::ExprId, bool> has_load_;
  std::vector<EnclosingLoop> loops_;  // from the outermost in
};

}  // namespace

uint64_t StackBytes(const loop::Kernel& kernel) {
  uint64_t bytes = 0;
  for (loop::BufferId id : RegistersOf(kernel)) {
    const loop::Buffer& buffer = kernel.buffers[id];
    uint64_t own = CountOf(buffer) * static_cast<uint64_t>(ByteSize(buffer.type.dtype));
    bytes += (own + kStackAlignment - 1) / kStackAlignment * kStackAlignment;
  }
  return bytes;
}

void EmitKernel(llvm::Module& module, const loop::Kernel& kernel, FeatureSet features) {
  Emitter(module, kernel, features).Run();
}

}  // namespace webnnc::wasm
