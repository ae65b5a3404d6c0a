// Evaluates the expressions of a kernel, and accesses its buffers.
//
// An expression is evaluated once in a block and the blocks inside it, outside of the loops that it
// does not change in; but a sum with a constant is where it is used, since it costs an address
// nothing and would keep a register. What loads memory is evaluated where it is used, and again
// once that memory may have changed: after a store to it, after a barrier, and at the beginning of
// a loop that has one of these.
//
//   for k { for t thread { %x[t * 8 + k] } }   ->   let v = t * 8; for k { .. x[v + k] .. }
//
// A load that a Select guards reads element 0 where the guard does not hold, so that nothing
// outside a buffer is ever read.
#pragma once

#include <unordered_map>
#include <vector>

#include "loop/kernel.h"
#include "loop/passes/simplify.h"
#include "spirv/arithmetic.h"
#include "spirv/contexts.h"
#include "spirv/layout.h"
#include "spirv/sizes.h"

namespace webnnc::spirv {

class Expressions {
 public:
  // `kernel` is a prepared one, `simplify` what ChooseLayouts has told all about it.
  Expressions(loop::Kernel& kernel, loop::Simplifier& simplify, CodeBuilder& code,
              const std::vector<Layout>& layouts, const std::vector<bool>& read_only);

  // Declares the uniform buffer of sizes, after everything else.
  void DeclareSizes(bool names_symbols) { sizes_.Declare(parameters_, names_symbols); }
  const std::vector<Dim>& sizes() const { return sizes_.dims(); }
  int64_t workgroup_bytes() const { return workgroup_bytes_; }

  // ---- Values

  // Says what the next statement evaluates.
  void EnterStatement(const std::vector<loop::ExprId>& roots) { contexts_.Enter(roots); }
  Value Eval(loop::ExprId id) { return Eval(id, Contexts::kAlways); }
  Value SizeOf(const Dim& dim) { return sizes_.Of(dim); }
  // A variable that has this value everywhere.
  void Define(loop::VarId var, const Value& value) { vars_[var] = {value, 0}; }
  // The variable of the loop whose block is entered next.
  void DefineLoop(loop::VarId var, const Value& value) { vars_[var] = {value, scopes_.size()}; }
  // Evaluates a Let's value, and gives it to the variable.
  Value DefineLet(loop::VarId var, loop::ExprId value);
  // Stores what EnterStatement was told of.
  void Store(const loop::Store& store);
  // The variable of a buffer's fragment.
  spv::Id FragmentOf(loop::BufferId buffer, int64_t number) const {
    return variables_[static_cast<size_t>(buffer.index)][static_cast<size_t>(number)];
  }
  // The array's element that begins with element `index` of the buffer.
  spv::Id ElementAt(loop::BufferId buffer, loop::ExprId index);
  // Elements of the buffer that are one of the array's.
  int32_t WidthOf(loop::BufferId buffer) const {
    return layouts_[static_cast<size_t>(buffer.index)].width;
  }

  // ---- Scopes

  // `repeats` says that the block is a loop's.
  void EnterBlock(bool repeats) { here_ = scopes_.size(), scopes_.push_back({repeats, {}}); }
  void LeaveBlock() { scopes_.pop_back(), here_ = scopes_.size() - 1; }
  // Says that one of these statements may have run.
  void Change(const loop::Block& block);
  void ChangeByBarrier();
  // Whether the value of `id` is the same wherever it is evaluated in this block.
  bool IsPure(loop::ExprId id) { return MutableLoads(id).empty(); }

 private:
  // An expression and the condition that it was evaluated under, which is invalid if none matters.
  struct Key {
    loop::ExprId id, guard;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Known {
    Value value;
    int64_t time = 0;
  };
  struct Scope {
    bool repeats = false;
    std::map<Key, Known> values;
  };
  // A variable's value, and the scope from which on it has it.
  struct Definition {
    Value value;
    size_t scope = 0;
  };
  static constexpr size_t kWhereUsed = SIZE_MAX;

  void DeclareBuffer(loop::BufferId id, bool read_only);

  Value Eval(loop::ExprId id, Contexts::Id inherited);
  Value Compute(loop::ExprId id, Contexts::Id context);
  Value ComputeSelect(const loop::Select& select, Contexts::Id context);
  Value ComputeBinary(const loop::Binary& binary, Contexts::Id context);
  bool MayRegroup(const loop::Binary& outer, loop::ExprId inner);
  // What must hold for a load to be inside its buffer; invalid if it always is.
  loop::ExprId GuardOf(const loop::Load& load, int32_t lanes, Contexts::Id context);
  Value ComputeLoad(const loop::Load& load, int32_t lanes, loop::ExprId guard,
                    Contexts::Id context);
  // As f32, the elements from `index` on.
  std::vector<Value> LoadHalves(loop::BufferId buffer, loop::ExprId index, int32_t lanes,
                                const Value& guard, Contexts::Id context);
  Value ComputeRamp(const loop::Ramp& ramp, int32_t lanes, Contexts::Id context);
  Value ComputePack(const loop::Pack& pack, Contexts::Id context);
  std::optional<Value> Find(const Key& key);
  // The outermost scope in which `id` has its value; kWhereUsed if it loads memory.
  size_t ScopeOf(loop::ExprId id);
  // The scope to evaluate `id` in.
  size_t PlaceFor(loop::ExprId id);
  bool IsOffset(loop::ExprId id) const;

  // The value of `id` if it is computed from constants, the same in all lanes.
  std::optional<Scalar> ConstantOf(loop::ExprId id);
  std::optional<Scalar> Fold(const loop::Expr& expr);
  // Whether the load, or one inside the expression, may be outside its buffer unguarded.
  bool MayBeOutside(const loop::Load& load, int32_t lanes);
  bool NeedsGuard(loop::ExprId id);
  // The buffers that can be written and that `id` loads.
  const std::vector<loop::BufferId>& MutableLoads(loop::ExprId id);

  Pointer PointerTo(loop::BufferId buffer, const Place& place, const Value& guard,
                    Contexts::Id context);

  loop::Kernel& kernel_;
  loop::Simplifier& simplify_;
  CodeBuilder& code_;
  const std::vector<Layout>& layouts_;
  Contexts contexts_;
  Sizes sizes_;
  uint32_t parameters_ = 0;
  int64_t workgroup_bytes_ = 0;

  // What memory holds for elements of the buffer.
  DType StoredType(loop::BufferId buffer) const;

  // By buffer: its array, or its variables.
  std::vector<std::vector<spv::Id>> variables_;
  std::unordered_map<loop::VarId, Definition> vars_;
  std::vector<Scope> scopes_;
  // The scope that is written to: the innermost, or one around it.
  size_t here_ = 0;
  std::unordered_map<loop::ExprId, size_t> scope_of_;
  // Counts evaluations and changes of memory.
  int64_t time_ = 0;
  std::vector<int64_t> changed_;
  std::unordered_map<loop::ExprId, std::optional<Scalar>> constants_;
  std::unordered_map<loop::ExprId, bool> needs_guard_;
  std::unordered_map<loop::ExprId, std::vector<loop::BufferId>> mutable_loads_;
};

}  // namespace webnnc::spirv
