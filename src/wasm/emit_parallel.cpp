#include <utility>

#include "loop/parallel.h"
#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "wasm/emitter.h"

namespace webnnc::wasm {

std::vector<const loop::For*> Emitter::LoopsOfItems(const loop::For& outermost) const {
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

void Emitter::EmitParallel(const loop::For& loop) {
  const std::vector<const loop::For*> loops = LoopsOfItems(loop);
  const Outline outline = OutlineOf(loop);
  auto* record = llvm::StructType::get(context_, outline.types);
  llvm::Value* context = b_.CreateAlloca(record);
  for (unsigned i = 0; i < outline.values.size(); ++i)
    b_.CreateStore(outline.values[i], b_.CreateStructGEP(record, context, i));
  llvm::Value* items = ItemsOf(loops);
  llvm::Value* work = WorkOf(loops.back()->body);
  llvm::Function* part = MakePart(loops, outline, record);
  auto* type = llvm::FunctionType::get(
      b_.getVoidTy(), {b_.getPtrTy(), b_.getPtrTy(), b_.getInt32Ty(), b_.getFloatTy()}, false);
  b_.CreateCall(module_.getOrInsertFunction(kParallelFunction, type), {part, context, items, work});
}

bool Emitter::EmitItemByItem(const loop::For& loop) {
  // Some microseconds, beside which a call is nothing; and of all items what is worth the code.
  constexpr double kLeastItem = 2048, kLeastWork = 1 << 18;
  auto work_of = [&](const loop::For* last) {
    auto* known = llvm::dyn_cast<llvm::ConstantFP>(WorkOf(last->body));
    return known ? double{known->getValue().convertToFloat()} : 0.0;
  };
  std::vector<const loop::For*> loops = LoopsOfItems(loop);
  while (!loops.empty() && work_of(loops.back()) < kLeastItem) loops.pop_back();
  // Sizes that are open may be 1.
  double known_items = 1;
  for (const loop::For* each : loops) {
    if (each->extent.IsConstant()) known_items *= static_cast<double>(each->extent.value());
  }
  if (known_items < 2 || known_items * work_of(loops.back()) < kLeastWork) return false;
  const Outline outline = OutlineOf(loop);
  llvm::Function* function =
      MakeOutlined(outline, kItemSuffix, 1, [&](llvm::Argument* item) { EmitItem(loops, item); });
  function->addFnAttr(llvm::Attribute::NoInline);
  llvm::Value* items = ItemsOf(loops);
  auto* before = b_.GetInsertBlock();
  auto* body = llvm::BasicBlock::Create(context_, "item", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  b_.CreateCondBr(b_.CreateICmpSGT(items, b_.getInt32(0)), body, after);
  b_.SetInsertPoint(body);
  auto* item = b_.CreatePHI(b_.getInt32Ty(), 2, "item");
  std::vector<llvm::Value*> arguments = outline.values;
  arguments.push_back(item);
  b_.CreateCall(function, arguments);
  llvm::Value* next = b_.CreateAdd(item, b_.getInt32(1), "", true, true);
  item->addIncoming(b_.getInt32(0), before);
  item->addIncoming(next, body);
  b_.CreateCondBr(b_.CreateICmpSLT(next, items), body, after);
  b_.SetInsertPoint(after);
  return true;
}

llvm::Value* Emitter::ItemsOf(const std::vector<const loop::For*>& loops) {
  llvm::Value* items = b_.getInt32(1);
  for (const loop::For* each : loops) items = b_.CreateMul(items, SizeValue(each->extent));
  return items;
}

Emitter::Outline Emitter::OutlineOf(const loop::For& loop) {
  Outline outline;
  outline.own = loop::RegistersStoredIn(kernel_, loop);
  for (int32_t i = 0; i < kernel_.buffers.size(); ++i) {
    if (!outline.own.count(loop::BufferId{i})) outline.shared.push_back(loop::BufferId{i});
  }
  for (loop::BufferId id : outline.shared)
    outline.values.push_back(buffers_[static_cast<size_t>(id.index)]);
  for (const auto& [size, value] : sizes_) outline.values.push_back(value);
  for (const auto& [var, extent] : loops_) outline.vars.push_back(var);
  outline.vars.insert(outline.vars.end(), lets_.begin(), lets_.end());
  for (loop::VarId var : outline.vars)
    outline.values.push_back(vars_[static_cast<size_t>(var.index)]);
  for (llvm::Value* value : outline.values) outline.types.push_back(value->getType());
  return outline;
}

llvm::Function* Emitter::MakePart(const std::vector<const loop::For*>& loops,
                                  const Outline& outline, llvm::StructType* record) {
  llvm::Function* body = MakeOutlined(
      outline, ".items", 2, [&](llvm::Argument* bounds) { EmitItems(loops, bounds, bounds + 1); });
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

llvm::Function* Emitter::MakeInternal(llvm::FunctionType* type, const char* suffix) {
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                          kKernelPrefix + kernel_.name + suffix, module_);
  SetTarget(*function, features_);
  return function;
}

llvm::Function* Emitter::MakeOutlined(const Outline& outline, const char* suffix, unsigned indices,
                                      const std::function<void(llvm::Argument*)>& emit) {
  std::vector<llvm::Type*> types = outline.types;
  types.insert(types.end(), indices, b_.getInt32Ty());
  auto* body = MakeInternal(llvm::FunctionType::get(b_.getVoidTy(), types, false), suffix);
  // It has values of its own for all that the kernel has.
  auto before = b_.saveIP();
  const auto buffers = buffers_;
  const auto sizes = sizes_;
  const auto vars = vars_;
  llvm::Function* function = std::exchange(function_, body);
  b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", body));
  unsigned next = 0;
  for (loop::BufferId id : outline.shared) {
    if (IsParameter(kernel_.buffers[id])) body->addParamAttr(next, llvm::Attribute::NoAlias);
    buffers_[static_cast<size_t>(id.index)] = body->getArg(next++);
  }
  for (auto& [size, value] : sizes_) value = body->getArg(next++);
  for (loop::VarId var : outline.vars) vars_[static_cast<size_t>(var.index)] = body->getArg(next++);
  for (loop::BufferId id : outline.own) MakeRegister(id);
  in_part_ = true;
  emit(body->getArg(next));
  in_part_ = false;
  b_.CreateRetVoid();
  StartStatement();
  function_ = function;
  buffers_ = buffers;
  sizes_ = sizes;
  vars_ = vars;
  b_.restoreIP(before);
  return body;
}

void Emitter::EmitItems(const std::vector<const loop::For*>& loops, llvm::Value* begin,
                        llvm::Value* end) {
  auto* before = b_.GetInsertBlock();
  auto* body = llvm::BasicBlock::Create(context_, "item", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  b_.CreateBr(body);
  b_.SetInsertPoint(body);
  auto* item = b_.CreatePHI(b_.getInt32Ty(), 2, "item");
  item->addIncoming(begin, before);
  EmitItem(loops, item);
  llvm::Value* next = b_.CreateAdd(item, b_.getInt32(1), "", true, true);
  item->addIncoming(next, b_.GetInsertBlock());
  b_.CreateCondBr(b_.CreateICmpULT(next, end), body, after);
  b_.SetInsertPoint(after);
}

void Emitter::EmitItem(const std::vector<const loop::For*>& loops, llvm::Value* item) {
  llvm::Value* left = item;
  for (size_t l = loops.size(); l-- > 0;) {
    llvm::Value* extent = SizeValue(loops[l]->extent);
    vars_[static_cast<size_t>(loops[l]->var.index)] = l == 0 ? left : b_.CreateURem(left, extent);
    if (l > 0) left = b_.CreateUDiv(left, extent);
  }
  for (const loop::For* each : loops) loops_.push_back({each->var, each->extent});
  EmitBlock(loops.back()->body);
  loops_.resize(loops_.size() - loops.size());
}

llvm::Value* Emitter::WorkOf(const loop::Block& block) {
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

}  // namespace webnnc::wasm
