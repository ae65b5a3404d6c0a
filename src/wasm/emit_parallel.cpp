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
  b_.CreateCall(module_.getOrInsertFunction(kParallelFunction, type), {part, context, items, work});
}

llvm::Function* Emitter::MakePart(const std::vector<const loop::For*>& loops,
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

llvm::Function* Emitter::MakeInternal(llvm::FunctionType* type, const char* suffix) {
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                          kKernelPrefix + kernel_.name + suffix, module_);
  SetTarget(*function, features_);
  return function;
}

llvm::Function* Emitter::MakePartBody(const std::vector<const loop::For*>& loops,
                                      const std::vector<loop::BufferId>& shared,
                                      const std::set<loop::BufferId>& own,
                                      llvm::StructType* record) {
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

void Emitter::EmitItems(const std::vector<const loop::For*>& loops, llvm::Value* begin,
                        llvm::Value* end) {
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
