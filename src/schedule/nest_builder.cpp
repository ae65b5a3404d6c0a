#include "schedule/nest_builder.h"

#include <algorithm>
#include <set>

#include "loop/rewrite.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;
using loop::VarId;

Result<Block> NestBuilder::Run(size_t from) {
  from_ = from;
  TRY(CheckNames());
  TRY(FindKeep());
  TRY(CheckFragments());
  threads_ = bound_ = 1;
  for (const NestLoop& loop : nest_.main.loops) {
    if (IsThread(loop)) bound_ = bound_ * loop.extent.value();
  }
  threads_ = bound_ * (HasFragments() ? Machine::kFragmentThreads : 1);
  list_ = &nest_.main;
  Block block = Emit(Names(nest_.main.loops, from), 0);
  if (error_) return *error_;
  return block;
}

void NestBuilder::Fail(std::string message) {
  if (!error_) error_ = Error{std::move(message)};
}

ExprId NestBuilder::Thread() {
  if (thread_.valid()) return thread_;
  Fail("registers of threads are used outside the loops bound to thread");
  return build_.Int(0);
}

ExprId NestBuilder::ValueOf(const NestLoop& loop) {
  auto found = env_.find(loop.var);
  if (found != env_.end()) return found->second;
  Fail("what the loop over " + loop.name + " keeps is used outside of it");
  return build_.Int(0);
}

Status NestBuilder::CheckNames() {
  if (!nest_.Reduces()) return kSuccess;
  const LoopList& main = nest_.main;
  if (nest_.keep && !nest_.keep->at.empty() && !main.Find(nest_.keep->at))
    return Error{"keep: there is no loop " + Print(nest_.keep->at) + " any more"};
  for (const LoopList& list : nest_.rest) {
    for (const NestLoop& loop : main.loops) {
      if (IsPart(loop) && !list.Find(loop.name))
        return Error{"the parts of a peeled reduction differ in " + loop.name};
    }
  }
  for (const Stage& stage : nest_.stages) {
    if (!nest_.rest.empty()) return Error{"stage: the reduction was peeled"};
    for (const auto* names : {&stage.layout, &stage.fill}) {
      for (const std::string& name : *names) {
        const NestLoop* loop = main.Find(name);
        bool inside = loop && main.Find(stage.at) && loop->extent.IsConstant() &&
                      main.Position(name) > main.Position(stage.at);
        if (!inside)
          return Error{"stage: " + name + " is not inside " + Print(stage.at) +
                       ", of a constant extent"};
      }
    }
  }
  return kSuccess;
}

Status NestBuilder::FindKeep() {
  if (!nest_.Reduces()) return kSuccess;
  const auto& loops = nest_.main.loops;
  size_t first = loops.size();
  for (size_t i = loops.size(); i-- > 0;) {
    if (loops[i].reduction) first = i;
  }
  keep_ = first;
  if (nest_.keep) {
    keep_ =
        nest_.keep->at.empty() ? 0 : static_cast<size_t>(nest_.main.Position(nest_.keep->at)) + 1;
  } else {
    // Threads that reduce together run side by side, and share their registers' loop.
    bool combines = first < loops.size() && loops[first].combined;
    while (combines && keep_ > 0 && IsThread(loops[keep_ - 1])) --keep_;
  }
  // Lanes do not share a result.
  auto lanes = std::find_if(loops.begin(), loops.end(), [](const NestLoop& loop) {
    return loop.kind == LoopKind::kVector && !loop.reduction;
  });
  auto outermost = static_cast<size_t>(lanes - loops.begin());
  if (nest_.keep && keep_ > outermost)
    return Error{"keep: it would start inside " + lanes->name + ", which is a vector"};
  keep_ = std::max(std::min(keep_, outermost), from_);
  if (outermost < keep_)
    return Error{"merge: " + lanes->name + " is a vector, whose lanes would share a result"};
  bool between_threads =
      keep_ > from_ && keep_ < loops.size() && IsThread(loops[keep_ - 1]) && IsThread(loops[keep_]);
  if (between_threads) return Error{"keep: it would start between loops bound to thread"};
  if (keep_ > first) return Error{"keep: it would start inside the reduction"};
  for (const NestLoop& loop : loops) {
    bool parallel = IsThread(loop) || IsWorkgroup(loop.kind) || loop.kind == LoopKind::kVector;
    if (loop.reduction && parallel && !loop.combined) {
      return Error{"the reduction over " + loop.name + " is bound but not combined"};
    }
  }
  return kSuccess;
}

std::vector<const NestLoop*> NestBuilder::Names(const std::vector<NestLoop>& loops, size_t from) {
  std::vector<const NestLoop*> out;
  for (size_t i = from; i < loops.size(); ++i) out.push_back(&loops[i]);
  return out;
}

Block NestBuilder::Emit(const std::vector<const NestLoop*>& loops, size_t i) {
  if (nest_.Reduces() && from_ + i == keep_) return EmitKept();
  if (i == loops.size()) return EmitPlainStore();
  Block block = EmitLoop(loops, i, [&](size_t next) { return Emit(loops, next); });
  bool is_outermost = from_ == 0 && !nest_.ordered && !nest_.host;
  for (size_t outer = 0; outer <= i; ++outer) is_outermost &= IsIndependent(*loops[outer]);
  if (is_outermost) std::get<loop::For>(block.back()).kind = LoopKind::kParallel;
  return block;
}

Block NestBuilder::EmitLoop(const std::vector<const NestLoop*>& loops, size_t i,
                            const std::function<Block(size_t)>& inner) {
  const NestLoop& loop = *loops[i];
  Block out;
  if (IsThread(loop)) {
    size_t end = i;
    int64_t count = 1;
    for (; end < loops.size() && loops[end]->kind == loop.kind; ++end) {
      count *= loops[end]->extent.value();
    }
    if (thread_.valid()) Fail("loops bound to thread are not neighbours");
    auto body = [&](ExprId t) {
      SetLoops(
          {loops.begin() + static_cast<ptrdiff_t>(i), loops.begin() + static_cast<ptrdiff_t>(end)},
          t);
      Block block;
      for (size_t l = i; l < end; ++l) Append(block, Prologue(*loops[l]));
      Append(block, inner(end));
      return block;
    };
    out.push_back(ThreadLoop(count, body, loop.kind));
    return out;
  }
  VarId var = NewLoop(loop.name, loop.extent);
  env_[loop.var] = build_.Var(var);
  Append(out, BeforeLoop(loop));
  env_[loop.var] = build_.Var(var);
  Block body = Prologue(loop);
  Append(body, inner(i + 1));
  out.push_back(loop::For{var, loop.extent, loop.kind, std::move(body)});
  return out;
}

Block NestBuilder::EmitAround(const std::vector<const NestLoop*>& loops, size_t i,
                              const Leaf& leaf) {
  if (i == loops.size()) return leaf();
  bool stages = std::exchange(staging_enabled_, false);
  Block out = EmitLoop(loops, i, [&](size_t next) { return EmitAround(loops, next, leaf); });
  staging_enabled_ = stages;
  return out;
}

void NestBuilder::SetLoops(const std::vector<const NestLoop*>& loops, ExprId number) {
  ExprId left = number;
  for (size_t l = loops.size(); l-- > 0;) {
    ExprId size = build_.Size(loops[l]->extent);
    env_[loops[l]->var] = l == 0 ? left : build_.FloorMod(left, size);
    left = build_.FloorDiv(left, size);
  }
}

loop::Stmt NestBuilder::ThreadLoop(int64_t count, const std::function<Block(ExprId)>& body,
                                   LoopKind kind) {
  VarId var = NewLoop("t", count);
  ExprId outside = std::exchange(thread_, build_.Var(var));
  loop::For region{var, count, kind, body(thread_)};
  thread_ = outside;
  return region;
}

void NestBuilder::Append(Block& to, Block from) {
  for (loop::Stmt& stmt : from) to.push_back(std::move(stmt));
}

ExprId NestBuilder::Resolve(ExprId id) {
  return loop::Substitution(kernel_, ValuesOf(kernel_, *list_, env_))(id);
}

loop::Index NestBuilder::Resolve(const loop::Index& index) {
  loop::Index out;
  for (ExprId i : index) out.push_back(Resolve(i));
  return out;
}

std::set<VarId> NestBuilder::VariablesOf(ExprId id) {
  std::set<VarId> vars;
  loop::ForEachExpr(kernel_, id, [&](ExprId e) {
    auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[e].node);
    if (variable) vars.insert(variable->var);
  });
  return vars;
}

bool NestBuilder::DependsOnGuard(ExprId id, const Guard& guard) {
  std::set<VarId> vars = VariablesOf(id);
  for (const Definition& definition : list_->definitions) {
    if (vars.count(definition.var)) vars.merge(VariablesOf(definition.value));
  }
  std::set<VarId> guarded = VariablesOf(guard.condition);
  return std::any_of(guarded.begin(), guarded.end(),
                     [&](VarId var) { return vars.count(var) > 0; });
}

ExprId NestBuilder::AllOf(const std::vector<ExprId>& conditions) {
  ExprId all = build_.Constant(Scalar::Bool(true));
  for (ExprId condition : conditions) all = build_.And(all, condition);
  return all;
}

ExprId NestBuilder::GuardsOf(ExprId id, bool spatial, bool reduction) {
  std::vector<ExprId> needed;
  for (const Guard& guard : nest_.guards) {
    bool wanted = guard.reduction ? reduction : spatial;
    if (wanted && DependsOnGuard(id, guard)) needed.push_back(guard.condition);
  }
  return AllOf(needed);
}

ExprId NestBuilder::SpatialGuards() {
  std::vector<ExprId> needed;
  for (const Guard& guard : nest_.guards) {
    if (!guard.reduction) needed.push_back(guard.condition);
  }
  return AllOf(needed);
}

bool NestBuilder::IsThere(ExprId id) {
  bool inside = true;
  loop::ForEachExpr(kernel_, id, [&](ExprId e) {
    const loop::Expr expr = kernel_.exprs[e];
    auto* load = std::get_if<loop::Load>(&expr.node);
    if (!load) return;
    // Past the end the stage before has written nothing, in a place that may be the thread's own.
    bool shares = from_ > 0 || nest_.host.has_value();
    inside &= !shares || kernel_.buffers[load->buffer].space != Space::kTemporary;
    const Shape shape = kernel_.buffers[load->buffer].type.shape;
    for (size_t d = 0; d < shape.size() && inside; ++d) {
      loop::Polynomial p = simplify_.ToPolynomial(load->index[d]);
      loop::Polynomial room = simplify_.ToPolynomial(build_.Size(shape[d] - 1)) - p;
      inside &= simplify_.ProvablyNonNegative(p) && simplify_.ProvablyNonNegative(room);
    }
  });
  return inside;
}

Block NestBuilder::Guarded(ExprId condition, Block body) {
  ExprId resolved = Resolve(condition);
  const Scalar* constant = build_.ConstantValue(resolved);
  if (constant && constant->integer) return body;
  Block out;
  out.push_back(loop::If{resolved, std::move(body)});
  return out;
}

Block NestBuilder::StoredOnce(Block stores) {
  ExprId first = build_.Constant(Scalar::Bool(true));
  for (const NestLoop& loop : list_->loops) {
    if (loop.replicated) first = build_.And(first, build_.Equal(ValueOf(loop), build_.Int(0)));
  }
  if (build_.ConstantValue(first)) return stores;
  Block out, once;
  for (loop::Stmt& stmt : stores) {
    bool shared = kernel_.buffers[std::get<loop::Store>(stmt).buffer].space == Space::kOut;
    (shared ? once : out).push_back(std::move(stmt));
  }
  if (!once.empty()) out.push_back(loop::If{first, std::move(once)});
  return out;
}

Block NestBuilder::EmitPlainStore() {
  Block body;
  body.push_back(
      loop::Store{nest_.buffer(), Resolve(nest_.place), Resolve(nest_.value()), nest_.update});
  return Guarded(SpatialGuards(), StoredOnce(std::move(body)));
}

VarId NestBuilder::NewLoop(const std::string& name, const Dim& extent) {
  VarId var = kernel_.vars.Add({name});
  simplify_.Bind(var, extent);
  return var;
}

}  // namespace webnnc::schedule
