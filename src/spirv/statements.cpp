#include "spirv/statements.h"

#include <algorithm>
#include <map>

#include "base/overloaded.h"
#include "loop/builder.h"
#include "loop/rewrite.h"
#include "spirv/fragments.h"
#include "target/machine.h"

namespace webnnc::spirv {

using loop::Block;
using loop::ExprId;
using loop::LoopKind;

int64_t WorkgroupSize(const loop::Kernel& kernel) {
  int64_t size = 1;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    if (!loop || !IsRegion(loop->kind)) return;
    int64_t threads = loop->kind == LoopKind::kSubgroup ? Machine::kFragmentThreads : 1;
    size = std::max(size, loop->extent.value() * threads);
  });
  return size;
}

namespace {

class StatementEmitter {
 public:
  StatementEmitter(loop::Kernel& kernel, const Grid& grid, CodeBuilder& code,
                   Expressions& expressions, loop::Simplifier& simplify)
      : kernel_(kernel),
        grid_(grid),
        code_(code),
        expressions_(expressions),
        simplify_(simplify),
        threads_(WorkgroupSize(kernel)) {}

  void RunKernel(const Block& block) {
    if (!grid_.folds) return Run(block);
    expressions_.EnterBlock(false);
    Value number = NumberWorkgroups();
    if (grid_.count.IsConstant() && grid_.workgroups[0] * grid_.workgroups[1] == grid_.count) {
      RunInSameBlock(block);
    } else {
      code_.If(number < expressions_.SizeOf(grid_.count), [&] { Run(block); });
    }
    expressions_.LeaveBlock();
  }

 private:
  void Run(const Block& block, bool repeats = false) {
    fragments_.clear();
    expressions_.EnterBlock(repeats);
    RunInSameBlock(block);
    expressions_.LeaveBlock();
    fragments_.clear();
  }

  // For what is executed whenever its surroundings are.
  void RunInSameBlock(const Block& block) {
    for (size_t i = 0; i < block.size();) {
      if (std::holds_alternative<loop::If>(block[i])) {
        i += RunIfs(block, i);
      } else {
        RunStmt(block[i++]);
      }
    }
  }

  void RunStmt(const loop::Stmt& stmt) {
    std::visit(Overloaded{
                   [&](const loop::For& loop) { RunFor(loop); },
                   [&](const loop::Let& let) { RunLet(let); },
                   [&](const loop::Store& store) { RunStore(store); },
                   [](const loop::Reduce&) { CHECK(false); },
                   [](const loop::If&) {},
                   [&](const loop::Barrier&) { RunBarrier(); },
               },
               static_cast<const loop::Stmt::variant&>(stmt));
  }

  const std::string& NameOf(loop::VarId var) { return kernel_.vars[var].name; }

  void RunFor(const loop::For& loop) {
    if (IsWorkgroup(loop.kind)) {
      size_t axis = Grid::Axis(loop.kind);
      if (!grid_.folds) positions_[axis] = WorkgroupId(axis);
      code_.module().Name(positions_[axis].id, NameOf(loop.var));
      expressions_.Define(loop.var, positions_[axis]);
      RunInSameBlock(loop.body);
    } else if (loop.kind == LoopKind::kThread) {
      RunThreads(loop);
    } else if (loop.kind == LoopKind::kCombined) {
      RunCombined(loop);
    } else if (loop.kind == LoopKind::kSubgroup) {
      RunSubgroups(loop);
    } else if (loop.kind == LoopKind::kMatrix) {
      RunFragments(loop);
    } else if (loop.extent.Is(1)) {
      expressions_.Define(loop.var, code_.Int(0));
      RunInSameBlock(loop.body);
    } else if (!loop.extent.Is(0)) {
      Value extent = expressions_.SizeOf(loop.extent);
      expressions_.Change(loop.body);
      code_.Loop(NameOf(loop.var), extent, [&](Value i) {
        expressions_.DefineLoop(loop.var, i);
        Run(loop.body, true);
      });
    }
  }

  void RunThreads(const loop::For& loop) {
    DefineThread(loop);
    int64_t extent = loop.extent.value();
    if (extent == threads_) return RunInSameBlock(loop.body);
    if (extent > 0) code_.If(thread_ < code_.Int(extent), [&] { Run(loop.body); });
  }

  void DefineThread(const loop::For& loop) {
    if (!thread_.valid()) {
      thread_ = code_.BuiltIn(spv::BuiltInLocalInvocationIndex);
      code_.module().Name(thread_.id, NameOf(loop.var));
    }
    expressions_.Define(loop.var, thread_);
  }

  void RunSubgroups(const loop::For& loop) {
    Value subgroup = code_.BuiltIn(spv::BuiltInSubgroupId);
    expressions_.Define(loop.var, subgroup);
    int64_t extent = loop.extent.value();
    if (extent * Machine::kFragmentThreads == threads_) return RunInSameBlock(loop.body);
    code_.If(subgroup < code_.Int(extent), [&] { Run(loop.body); });
  }

  void RunFragments(const loop::For& loop) {
    // Survey has read it.
    FragmentStore store = FragmentStoreOf(kernel_, simplify_, loop).value();
    spv::Id variable = expressions_.FragmentOf(store.buffer, store.number);
    DType dtype = kernel_.buffers[store.buffer].type.dtype;
    switch (store.kind) {
      case FragmentStore::Kind::kSet: return code_.ClearFragment(variable, dtype);
      case FragmentStore::Kind::kMultiply: {
        spv::Id left = Load(store.left), right = Load(store.right);
        return code_.MultiplyFragments(variable, dtype, left, right);
      }
      case FragmentStore::Kind::kMove: {
        auto [element, stride] = Find(store.to);
        code_.StoreFragment(variable, dtype, element, stride, store.to.by_columns);
        expressions_.Change(loop.body);
        fragments_.clear();
      }
    }
  }

  // The array's element that a fragment begins with, and its stride in such elements.
  std::pair<spv::Id, int64_t> Find(const FragmentPlace& place) {
    ExprId first = simplify_.FromPolynomial(place.first);
    expressions_.EnterStatement({first});
    int64_t width = expressions_.WidthOf(place.buffer);
    return {expressions_.ElementAt(place.buffer, first), place.stride / width};
  }

  // Several products share an operand.
  spv::Id Load(const FragmentPlace& place) {
    auto& known = fragments_[{place.buffer, simplify_.FromPolynomial(place.first)}];
    if (known) return known;
    auto [element, stride] = Find(place);
    DType dtype = kernel_.buffers[place.buffer].type.dtype;
    return known = code_.LoadFragment(dtype, element, stride, place.by_columns);
  }

  // Each subgroup reduces what its threads have to a row of places of its own. Then a thread a
  // result combines the rows, however many there are. What the first thread would set is left out.
  void RunCombined(const loop::For& loop) {
    DefineThread(loop);
    std::vector<const loop::Store*> updates;
    for (const loop::Stmt& stmt : loop.body) {
      if (auto* store = std::get_if<loop::Store>(&stmt)) updates.push_back(store);
    }
    Value subgroup = code_.BuiltIn(spv::BuiltInSubgroupId),
          lane = code_.BuiltIn(spv::BuiltInSubgroupLocalInvocationId);
    loop::Builder build(kernel_);
    ExprId row = NewVariable("subgroup", subgroup);
    loop::Block stores;
    for (const loop::Store* update : updates) {
      ExprId place = build.Add(update->index[0], build.Mul(row, build.Int(Count(updates))));
      ExprId part = NewVariable("part", Reduced(*update, loop.extent.value()));
      stores.push_back(loop::Store{update->buffer, {place}, part});
    }
    code_.If(lane == 0.0, [&] { Run(stores); });
    RunBarrier();
    code_.If(thread_ < code_.Int(Count(updates)), [&] { RunRows(*updates[0], Count(updates)); });
  }

  static int64_t Count(const std::vector<const loop::Store*>& updates) {
    return static_cast<int64_t>(updates.size());
  }

  // What the subgroup's threads contribute; those beyond the region's, nothing.
  Value Reduced(const loop::Store& update, int64_t threads) {
    expressions_.EnterStatement({update.value});
    Value value = expressions_.Eval(update.value);
    if (threads < threads_) {
      Value nothing = code_.Constant(loop::Neutral(update.update, value.dtype), value.lanes);
      value = Select(thread_ < code_.Int(threads), value, nothing);
    }
    return code_.SubgroupReduce(update.update, value);
  }

  // The thread's result, in as many rows as there are subgroups: all are added to the first.
  void RunRows(const loop::Store& update, int64_t results) {
    expressions_.EnterBlock(false);
    Value rows = code_.BuiltIn(spv::BuiltInNumSubgroups);
    loop::Builder build(kernel_);
    ExprId first = NewVariable("result", thread_);
    code_.Loop("row", rows - 1.0, [&](Value i) {
      ExprId row = build.Add(NewVariable("row", i, true), build.Int(1));
      ExprId place = build.Add(build.Mul(row, build.Int(results)), first);
      loop::Block add;
      add.push_back(
          loop::Store{update.buffer, {first}, build.Load(update.buffer, {place}), update.update});
      expressions_.Change(add);
      Run(add, true);
    });
    expressions_.LeaveBlock();
  }

  ExprId NewVariable(const std::string& name, const Value& value, bool of_loop = false) {
    loop::VarId var = kernel_.vars.Add({name, value.dtype, value.lanes});
    of_loop ? expressions_.DefineLoop(var, value) : expressions_.Define(var, value);
    return kernel_.exprs.Add({loop::Variable{var}, value.dtype, value.lanes});
  }

  Value WorkgroupId(size_t axis) {
    ModuleBuilder& module = code_.module();
    spv::Id input = module.BuiltInVariable(spv::BuiltInWorkgroupId, module.Type(DType::kU32, 3));
    return code_.AtEntry([&] {
      Value all = code_.Load({input, DType::kU32, 3});
      return Bitcast(code_.Extract(all, static_cast<int32_t>(axis)), DType::kI32);
    });
  }

  // The workgroup's number, and where each loop is with it.
  Value NumberWorkgroups() {
    Value x = WorkgroupId(0), y = WorkgroupId(1);
    return code_.AtEntry([&] {
      Value number = y * static_cast<double>(grid_.row) + x;
      Value left = number;
      OperandFacts facts{.a_non_negative = true, .b_non_negative = true};
      bool is_last = false;
      for (size_t axis = 0; axis < 3; ++axis) {
        if (is_last) {
          positions_[axis] = code_.Int(0);
          continue;
        }
        Dim outer = 1;
        for (size_t other = axis + 1; other < 3; ++other) outer = outer * grid_.extents[other];
        // What is left for the last axis that there is, is its position.
        positions_[axis] = left;
        is_last = outer.Is(1);
        if (is_last) continue;
        const Dim& extent = grid_.extents[axis];
        facts.constant_b.reset();
        if (extent.IsConstant()) facts.constant_b = Scalar::Integer(DType::kI32, extent.value());
        Value size = expressions_.SizeOf(extent);
        positions_[axis] = EmitBinary(loop::BinaryOp::kMod, left, size, facts);
        left = EmitBinary(loop::BinaryOp::kDiv, left, size, facts);
      }
      return number;
    });
  }

  void RunLet(const loop::Let& let) {
    expressions_.EnterStatement({let.value});
    spv::Id first_new = code_.module().NextId();
    Value value = expressions_.DefineLet(let.var, let.value);
    // A value that was there before keeps its name.
    if (value.id >= first_new) code_.module().Name(value.id, NameOf(let.var));
  }

  void RunStore(const loop::Store& store) {
    expressions_.EnterStatement({store.index[0], store.value});
    expressions_.Store(store);
  }

  // The If at `first`, and those behind it that have the same condition or deny it: one statement
  // with an else. Returns how many there were.
  size_t RunIfs(const Block& block, size_t first) {
    const auto& test = std::get<loop::If>(block[first]);
    bool is_pure = expressions_.IsPure(test.condition);
    Block yes = test.body, no;
    size_t next = first + 1;
    for (; is_pure && next < block.size(); ++next) {
      auto* other = std::get_if<loop::If>(&block[next]);
      bool same = other && other->condition == test.condition && no.empty();
      if (!same && !(other && Denies(other->condition, test.condition))) break;
      Block& all = same ? yes : no;
      all.insert(all.end(), other->body.begin(), other->body.end());
    }
    auto known = known_.find(test.condition);
    if (is_pure && known != known_.end()) {
      Run(known->second ? yes : no);
      return next - first;
    }
    expressions_.EnterStatement({test.condition});
    Value condition = expressions_.Eval(test.condition);
    auto run = [&](const Block& side, bool holds) {
      if (is_pure) known_[test.condition] = holds;
      Run(side);
      known_.erase(test.condition);
    };
    std::function<void()> otherwise;
    if (!no.empty()) otherwise = [&] { run(no, false); };
    code_.If(condition, [&] { run(yes, true); }, otherwise);
    return next - first;
  }

  bool Denies(ExprId denial, ExprId condition) {
    auto* unary = std::get_if<loop::Unary>(&kernel_.exprs[denial].node);
    return unary && unary->op == loop::UnaryOp::kNot && unary->a == condition;
  }

  void RunBarrier() {
    code_.WorkgroupBarrier();
    fragments_.clear();
    expressions_.ChangeByBarrier();
  }

  loop::Kernel& kernel_;
  const Grid& grid_;
  CodeBuilder& code_;
  Expressions& expressions_;
  loop::Simplifier& simplify_;
  int64_t threads_;
  Value thread_;
  // Those that were loaded in the block that is being written, by where they begin.
  std::map<std::pair<loop::BufferId, ExprId>, spv::Id> fragments_;
  std::array<Value, 3> positions_;  // of the workgroup loops
  // The conditions that hold, or do not, where statements are being written.
  std::unordered_map<ExprId, bool> known_;
};

}  // namespace

void EmitStatements(loop::Kernel& kernel, const Grid& grid, CodeBuilder& code,
                    Expressions& expressions, loop::Simplifier& simplify) {
  // The block is a copy, since evaluating adds to the kernel's expressions.
  StatementEmitter(kernel, grid, code, expressions, simplify).RunKernel(Block(kernel.body));
}

}  // namespace webnnc::spirv
