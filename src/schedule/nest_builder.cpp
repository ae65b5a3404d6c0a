#include "schedule/nest_builder.h"

#include <algorithm>
#include <set>

#include "loop/rewrite.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;
using loop::VarId;

Result<Block> NestBuilder::Run(size_t from) {
  from_ = from;
  TRY(FindKeep());
  threads_ = 1;
  for (const NestLoop& loop : nest_.main.loops) {
    if (loop.kind == LoopKind::kThread) threads_ = threads_ * loop.extent.value();
  }
  list_ = &nest_.main;
  Block block = Emit(Names(nest_.main.loops, from), 0);
  if (error_) return *error_;
  return block;
}

void NestBuilder::Fail(std::string message) {
  if (!error_) error_ = Error{std::move(message)};
}

Status NestBuilder::FindKeep() {
  if (!nest_.init) return kSuccess;
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
    while (keep_ > 0 && loops[keep_ - 1].kind == LoopKind::kThread && loops[first].combined)
      --keep_;
  }
  keep_ = std::max(keep_, from_);
  if (keep_ > first) return Error{"keep: it would start inside the reduction"};
  for (const NestLoop& loop : loops) {
    bool parallel =
        loop.kind == LoopKind::kThread || IsWorkgroup(loop.kind) || loop.kind == LoopKind::kVector;
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
  if (nest_.init && from_ + i == keep_) return EmitKept();
  if (i == loops.size()) return EmitPlainStore();
  return EmitLoop(loops, i, [&](size_t next) { return Emit(loops, next); });
}

Block NestBuilder::EmitLoop(const std::vector<const NestLoop*>& loops, size_t i,
                            const std::function<Block(size_t)>& inner) {
  const NestLoop& loop = *loops[i];
  Block out;
  if (loop.kind == LoopKind::kThread) {
    size_t end = i;
    int64_t count = 1;
    for (; end < loops.size() && loops[end]->kind == LoopKind::kThread; ++end) {
      count *= loops[end]->extent.value();
    }
    if (thread_.valid()) Fail("loops bound to thread are not neighbours");
    out.push_back(ThreadLoop(count, [&](ExprId t) {
      ExprId left = t;
      for (size_t l = end; l-- > i;) {
        ExprId size = build_.Size(loops[l]->extent);
        env_[loops[l]->var] = l == i ? left : build_.FloorMod(left, size);
        left = build_.FloorDiv(left, size);
      }
      Block body;
      for (size_t l = i; l < end; ++l) Append(body, Prologue(*loops[l]));
      Append(body, inner(end));
      return body;
    }));
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

loop::Stmt NestBuilder::ThreadLoop(int64_t count, const std::function<Block(ExprId)>& body) {
  VarId var = NewLoop("t", count);
  ExprId outside = std::exchange(thread_, build_.Var(var));
  loop::For region{var, count, LoopKind::kThread, body(thread_)};
  thread_ = outside;
  return region;
}

void NestBuilder::Append(Block& to, Block from) {
  for (loop::Stmt& stmt : from) to.push_back(std::move(stmt));
}

ExprId NestBuilder::Resolve(ExprId id) {
  Env values = env_;
  const auto& definitions = list_->definitions;
  for (size_t i = definitions.size(); i-- > 0;) {
    values[definitions[i].var] = loop::Substitution(kernel_, values)(definitions[i].value);
  }
  return loop::Substitution(kernel_, std::move(values))(id);
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

bool NestBuilder::InBounds(ExprId id) {
  bool inside = true;
  loop::ForEachExpr(kernel_, id, [&](ExprId e) {
    const loop::Expr expr = kernel_.exprs[e];
    auto* load = std::get_if<loop::Load>(&expr.node);
    if (!load) return;
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

Block NestBuilder::EmitPlainStore() {
  Block body;
  body.push_back(loop::Store{nest_.store.buffer, Resolve(nest_.store.index),
                             Resolve(nest_.store.value), nest_.store.update});
  return Guarded(SpatialGuards(), std::move(body));
}

VarId NestBuilder::NewLoop(const std::string& name, const Dim& extent) {
  VarId var = kernel_.vars.Add({name});
  simplify_.Bind(var, extent);
  return var;
}

}  // namespace webnnc::schedule
