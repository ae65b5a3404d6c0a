#include "spirv/statements.h"

#include <algorithm>

#include "base/overloaded.h"
#include "loop/rewrite.h"

namespace webnnc::spirv {

using loop::Block;
using loop::ExprId;
using loop::LoopKind;

int64_t WorkgroupSize(const loop::Kernel& kernel) {
  int64_t size = 1;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    if (loop && loop->kind == LoopKind::kThread) size = std::max(size, loop->extent.value());
  });
  return size;
}

namespace {

class StatementEmitter {
 public:
  StatementEmitter(const loop::Kernel& kernel, const Grid& grid, CodeBuilder& code,
                   Expressions& expressions)
      : kernel_(kernel),
        grid_(grid),
        code_(code),
        expressions_(expressions),
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
    expressions_.EnterBlock(repeats);
    RunInSameBlock(block);
    expressions_.LeaveBlock();
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
    if (!thread_.valid()) thread_ = ThreadId(NameOf(loop.var));
    expressions_.Define(loop.var, thread_);
    int64_t extent = loop.extent.value();
    if (extent == threads_) return RunInSameBlock(loop.body);
    if (extent > 0) code_.If(thread_ < code_.Int(extent), [&] { Run(loop.body); });
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

  Value ThreadId(const std::string& name) {
    ModuleBuilder& module = code_.module();
    spv::Id input =
        module.BuiltInVariable(spv::BuiltInLocalInvocationIndex, module.Type(DType::kU32));
    return code_.AtEntry([&] {
      Value id = Bitcast(code_.Load({input, DType::kU32, 1}), DType::kI32);
      module.Name(id.id, name);
      return id;
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
    expressions_.ChangeByBarrier();
  }

  const loop::Kernel& kernel_;
  const Grid& grid_;
  CodeBuilder& code_;
  Expressions& expressions_;
  int64_t threads_;
  Value thread_;
  std::array<Value, 3> positions_;  // of the workgroup loops
  // The conditions that hold, or do not, where statements are being written.
  std::unordered_map<ExprId, bool> known_;
};

}  // namespace

void EmitStatements(const loop::Kernel& kernel, const Grid& grid, CodeBuilder& code,
                    Expressions& expressions) {
  // The block is a copy, since evaluating adds to the kernel's expressions.
  StatementEmitter(kernel, grid, code, expressions).RunKernel(Block(kernel.body));
}

}  // namespace webnnc::spirv
