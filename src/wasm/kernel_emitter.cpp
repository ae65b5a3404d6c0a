#include "wasm/kernel_emitter.h"

#include "base/overloaded.h"
#include "loop/parameters.h"
#include "wasm/codegen.h"
#include "wasm/emitter.h"
#include "wasm/functions.h"
#include "wasm/pairs.h"
#include "wasm/quads.h"
#include "wasm/side_by_side.h"

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

}  // namespace

void Emitter::Run() {
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

void Emitter::MakeRegister(loop::BufferId id) {
  const loop::Buffer& buffer = kernel_.buffers[id];
  auto* type = llvm::ArrayType::get(MemoryType(context_, buffer.type.dtype, 1), CountOf(buffer));
  auto* memory = b_.CreateAlloca(type, nullptr, buffer.name);
  memory->setAlignment(llvm::Align(kStackAlignment));
  buffers_[static_cast<size_t>(id.index)] = memory;
}

void Emitter::EmitBlock(const loop::Block& block) {
  const size_t lets_around = lets_.size();
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
                     lets_.push_back(let.var);
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
  lets_.resize(lets_around);
}

void Emitter::EmitSideBySide(const loop::Block& block, size_t at, size_t count) {
  StartStatement();
  Calls values;
  for (size_t i = at; i < at + count; ++i) values.push_back(std::get<loop::Store>(block[i]).value);
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

void Emitter::EmitFor(const loop::For& loop) {
  if (loop.extent.Is(0)) return;
  if (loop.kind == loop::LoopKind::kParallel && !in_part_) {
    if (features_.Has(Feature::kThreads)) return EmitParallel(loop);
    if (EmitItemByItem(loop)) return;
  }
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

void Emitter::EmitIf(const loop::If& test) {
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

void Emitter::EmitStore(const loop::Store& store) {
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
  b_.CreateAlignedStore(result, address, llvm::Align(static_cast<uint64_t>(ByteSize(value.dtype))));
}

llvm::Value* Emitter::Combined(const loop::Store& store, llvm::Value* old) {
  const loop::Expr& value = kernel_.exprs[store.value];
  if (store.update == loop::Update::kAdd) {
    if (llvm::Value* sum = Quads(emission_).Sum(store.value, old)) return sum;
    if (llvm::Value* sum = Pairs(emission_).Sum(store.value)) return b_.CreateAdd(sum, old);
  }
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

llvm::Value* Emitter::LoadLanes(loop::ExprId id, int32_t lanes) {
  const loop::Expr& expr = kernel_.exprs[id];
  if (auto* select = std::get_if<loop::Select>(&expr.node)) return EmitPaddedLoad(*select, lanes);
  auto* load = std::get_if<loop::Load>(&expr.node);
  return load ? LoadFrom(Address(load->buffer, load->index.back()), expr.dtype, lanes) : nullptr;
}

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
