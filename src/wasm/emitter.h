// Emits one kernel as a function of LLVM's (kernel_emitter.h has what others call).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "loop/kernel.h"
#include "wasm/emission.h"
#include "wasm/kernel_emitter.h"
#include "wasm/llvm.h"
#include "wasm/split_index.h"

namespace webnnc::wasm {

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

  void Run();

 private:
  // Register buffers are arrays on the stack, which LLVM's passes turn into registers where their
  // indices are constant.
  void MakeRegister(loop::BufferId id);

  // ---- Statements

  void EmitBlock(const loop::Block& block);

  void EmitSideBySide(const loop::Block& block, size_t at, size_t count);

  void EmitFor(const loop::For& loop);

  void EmitIf(const loop::If& test);

  void EmitStore(const loop::Store& store);

  llvm::Value* Combined(const loop::Store& store, llvm::Value* old);

  // What a load gives from the element on that `id` loads, under a condition perhaps; null if it is
  // none.
  llvm::Value* LoadLanes(loop::ExprId id, int32_t lanes);

  // ---- Parallel loops (emit_parallel.cpp): functions of their own for some of the iterations

  // What such a function is passed: buffers, except registers that it has itself, sizes, and what
  // is known around the loop.
  struct Outline {
    std::vector<loop::BufferId> shared;
    std::set<loop::BufferId> own;
    std::vector<loop::VarId> vars;
    std::vector<llvm::Value*> values;
    std::vector<llvm::Type*> types;
  };

  Outline OutlineOf(const loop::For& loop);

  // A function of an outline and so many indices, whose parameters do not alias; `emit` is passed
  // the first index.
  llvm::Function* MakeOutlined(const Outline& outline, const char* suffix, unsigned indices,
                               const std::function<void(llvm::Argument*)>& emit);

  // Loops inside of each other whose iterations together are a part's items: as many as it takes
  // until threads can share them evenly.
  std::vector<const loop::For*> LoopsOfItems(const loop::For& outermost) const;

  llvm::Value* ItemsOf(const std::vector<const loop::For*>& loops);

  // Of modules with threads: the runtime calls a function that runs some of the iterations, in
  // several threads (src/runtime/parallel.h).
  void EmitParallel(const loop::For& loop);

  // Of others: calls a function for each item, if that is worth it. Engines compile a function fast
  // at first and better when it has run for a while, but most cannot go on in the better code in
  // the middle of a call: of a kernel that is one call, all of the first run is slow.
  bool EmitItemByItem(const loop::For& loop);

  // A Part: it unpacks the record for a function of an outline.
  llvm::Function* MakePart(const std::vector<const loop::For*>& loops, const Outline& outline,
                           llvm::StructType* record);

  llvm::Function* MakeInternal(llvm::FunctionType* type, const char* suffix);

  // Items `begin` to `end`, of which there is at least one.
  void EmitItems(const std::vector<const loop::For*>& loops, llvm::Value* begin, llvm::Value* end);

  void EmitItem(const std::vector<const loop::For*>& loops, llvm::Value* item);

  // About how many operations a block takes, as f32.
  llvm::Value* WorkOf(const loop::Block& block);

  // ---- Expressions (emit_expressions.cpp). Values are kept for the statement they were computed
  // in.

  void StartStatement();

  llvm::Value* SizeValue(const Dim& dim);

  // A constant is added last: it becomes part of the load or store.
  llvm::Value* Address(loop::BufferId buffer, loop::ExprId index);

  // For x + 5: leaves x, and gives 5. A negative constant cannot be part of a load.
  int64_t TakeConstant(loop::ExprId& index);

  llvm::Value* LoadFrom(llvm::Value* address, DType dtype, int32_t lanes);

  llvm::Value* Emit(loop::ExprId id);

  llvm::Value* EmitConstant(const Scalar& value);

  llvm::Value* Compute(const loop::Expr& expr);

  // A GELU's erf(x / c) takes a product, which is faster than a quotient: that its argument is off
  // in the last place is less than erf is off by.
  llvm::Value* EmitArgument(const loop::Unary& node);

  llvm::Value* ComputeBinary(const loop::Binary& node, const loop::Expr& expr);

  // ---- Loads under a condition, zero where it does not hold: the padding of windows
  // (split_index.h)

  llvm::Value* SumOf(const std::vector<loop::ExprId>& terms);

  static bool IsPositiveZero(const Scalar& value);

  // Null if the select is not such a load, of so many lanes.
  llvm::Value* EmitPaddedLoad(const loop::Select& node, int32_t lanes);

  llvm::Value* Zeros();

  // What `emit` gives where loads are made under this guard.
  llvm::Value* Behind(llvm::Value* guard, const std::function<llvm::Value*()>& emit);

  llvm::Value* ComputeSelect(const loop::Select& node);

  bool HasLoad(loop::ExprId id);

  llvm::Value* ComputeRamp(const loop::Ramp& node, const loop::Expr& expr);
  llvm::Value* ComputePack(const loop::Pack& node, const loop::Expr& expr);
  llvm::Value* LoadInSteps(const loop::Pack& node);

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
  std::vector<loop::VarId> lets_;     // of the blocks around
  const Emission emission_{kernel_, b_, [this](loop::ExprId id) { return Emit(id); },
                           [this](loop::ExprId id, int32_t lanes) { return LoadLanes(id, lanes); }};
};

}  // namespace webnnc::wasm
