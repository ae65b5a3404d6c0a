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
                   [](const loop::If&) {},
                   [&](const loop::Barrier&) { RunBarrier(); },
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
  CodeBuilder& code_;
  Expressions& expressions_;
  int64_t threads_;
  Value thread_;
  // The conditions that hold, or do not, where statements are being written.
  std::unordered_map<ExprId, bool> known_;
};

}  // namespace

void EmitStatements(const loop::Kernel& kernel, CodeBuilder& code, Expressions& expressions) {
  // The block is a copy, since evaluating adds to the kernel's expressions.
  StatementEmitter(kernel, code, expressions).Run(Block(kernel.body));
}

}  // namespace webnnc::spirv
