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
  StatementEmitter(const loop::Kernel& kernel, CodeBuilder& code, Expressions& expressions)
      : kernel_(kernel), code_(code), expressions_(expressions), threads_(WorkgroupSize(kernel)) {}

  void Run(const Block& block) {
    expressions_.EnterBlock();
    RunInSameBlock(block);
    expressions_.LeaveBlock();
  }

 private:
  // For what is executed whenever its surroundings are.
  void RunInSameBlock(const Block& block) {
    for (size_t i = 0; i < block.size(); ++i) {
      auto* next = i + 1 < block.size() ? std::get_if<loop::If>(&block[i + 1]) : nullptr;
      if (RunStmt(block[i], next)) ++i;
    }
  }

  // Whether the statement behind it, an If if it is not null, has been written with it.
  bool RunStmt(const loop::Stmt& stmt, const loop::If* next) {
    return std::visit(Overloaded{
                          [&](const loop::For& loop) { return RunFor(loop), false; },
                          [&](const loop::Let& let) { return RunLet(let), false; },
                          [&](const loop::Store& store) { return RunStore(store), false; },
                          [&](const loop::If& test) { return RunIf(test, next); },
                          [&](const loop::Barrier&) { return RunBarrier(), false; },
                      },
                      static_cast<const loop::Stmt::variant&>(stmt));
  }

  const std::string& NameOf(loop::VarId var) { return kernel_.vars[var].name; }

  void RunFor(const loop::For& loop) {
    if (IsWorkgroup(loop.kind)) {
      auto axis = static_cast<int32_t>(loop.kind) - static_cast<int32_t>(LoopKind::kWorkgroupX);
      expressions_.Define(loop.var, WorkgroupId(axis, NameOf(loop.var)));
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
        expressions_.Define(loop.var, i);
        Run(loop.body);
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

  Value WorkgroupId(int32_t axis, const std::string& name) {
    ModuleBuilder& module = code_.module();
    spv::Id input = module.BuiltInVariable(spv::BuiltInWorkgroupId, module.Type(DType::kU32, 3));
    return code_.AtEntry([&] {
      Value all = code_.Load({input, DType::kU32, 3});
      Value id = Bitcast(code_.Extract(all, axis), DType::kI32);
      module.Name(id.id, name);
      return id;
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
    Value value = expressions_.Eval(let.value);
    // A value that was there before keeps its name.
    if (value.id >= first_new) code_.module().Name(value.id, NameOf(let.var));
    expressions_.Define(let.var, value);
  }

  void RunStore(const loop::Store& store) {
    expressions_.EnterStatement({store.index[0], store.value});
    expressions_.Store(store);
  }

  bool RunIf(const loop::If& test, const loop::If* next) {
    // What two conditions of which one denies the other guard is written as if and else.
    auto* denial = next ? std::get_if<loop::Unary>(&kernel_.exprs[next->condition].node) : nullptr;
    bool has_else = denial && denial->op == loop::UnaryOp::kNot && denial->a == test.condition &&
                    expressions_.IsPure(test.condition);
    expressions_.EnterStatement({test.condition});
    Value condition = expressions_.Eval(test.condition);
    std::function<void()> otherwise;
    if (has_else) otherwise = [&] { Run(next->body); };
    code_.If(
        condition, [&] { Run(test.body); }, otherwise);
    return has_else;
  }

  void RunBarrier() {
    code_.WorkgroupBarrier();
    expressions_.ChangeByBarrier();
  }

  const loop::Kernel& kernel_;
  CodeBuilder& code_;
  Expressions& expressions_;
  int64_t threads_;
  Value thread_;
};

}  // namespace

void EmitStatements(const loop::Kernel& kernel, CodeBuilder& code, Expressions& expressions) {
  // The block is a copy, since evaluating adds to the kernel's expressions.
  StatementEmitter(kernel, code, expressions).Run(Block(kernel.body));
}

}  // namespace webnnc::spirv
