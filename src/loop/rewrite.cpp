#include "loop/rewrite.h"

#include <unordered_set>

#include "loop/builder.h"

namespace webnnc::loop {

ExprId ExprRewriter::operator()(ExprId id) {
  auto found = done_.find(id);
  if (found != done_.end()) return found->second;
  // A copy, since rewriting adds to the pool.
  Expr expr = kernel_.exprs[id];
  std::vector<ExprId> operands = Operands(expr);
  bool changed = false;
  for (ExprId& operand : operands) {
    ExprId rewritten = (*this)(operand);
    changed |= rewritten != operand;
    operand = rewritten;
  }
  ExprId rebuilt = changed ? kernel_.exprs.Add(WithOperands(std::move(expr), operands)) : id;
  ExprId result = step_(rebuilt, id);
  done_[id] = result;
  return result;
}

Substitution::Substitution(Kernel& kernel, std::unordered_map<VarId, ExprId> values)
    : rewriter_(kernel, [&kernel, values = std::move(values)](ExprId id, ExprId) {
        auto* variable = std::get_if<Variable>(&kernel.exprs[id].node);
        if (!variable) return id;
        auto found = values.find(variable->var);
        return found == values.end() ? id : found->second;
      }) {}

void RewriteExprs(Reduce& reduce, const std::function<ExprId(ExprId)>& f) {
  for (ExprId& index : reduce.place) index = f(index);
  for (Part& part : reduce.parts) {
    part.term = f(part.term);
    part.start = f(part.start);
  }
}

void RewriteExprs(Block& block, const std::function<ExprId(ExprId)>& f) {
  for (Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) {
      RewriteExprs(loop->body, f);
    } else if (auto* let = std::get_if<Let>(&stmt)) {
      let->value = f(let->value);
    } else if (auto* store = std::get_if<Store>(&stmt)) {
      for (ExprId& index : store->index) index = f(index);
      store->value = f(store->value);
    } else if (auto* reduce = std::get_if<Reduce>(&stmt)) {
      RewriteExprs(*reduce, f);
    } else if (auto* test = std::get_if<If>(&stmt)) {
      test->condition = f(test->condition);
      RewriteExprs(test->body, f);
    }
  }
}

static void Visit(const Kernel& kernel, ExprId id, const std::function<void(ExprId)>& visit,
                  std::unordered_set<ExprId>& seen) {
  if (!seen.insert(id).second) return;
  for (ExprId operand : Operands(kernel.exprs[id])) Visit(kernel, operand, visit, seen);
  visit(id);
}

void ForEachExpr(const Kernel& kernel, ExprId id, const std::function<void(ExprId)>& visit) {
  std::unordered_set<ExprId> seen;
  Visit(kernel, id, visit, seen);
}

void ForEachStmt(const Block& block, const std::function<void(const Stmt&)>& visit) {
  for (const Stmt& stmt : block) {
    visit(stmt);
    if (auto* loop = std::get_if<For>(&stmt)) ForEachStmt(loop->body, visit);
    if (auto* test = std::get_if<If>(&stmt)) ForEachStmt(test->body, visit);
  }
}

void ForEachStore(Block& block, const std::function<void(Store&)>& visit) {
  for (Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) ForEachStore(loop->body, visit);
    if (auto* test = std::get_if<If>(&stmt)) ForEachStore(test->body, visit);
    if (auto* store = std::get_if<Store>(&stmt)) visit(*store);
  }
}

std::optional<VarId> VariableOf(const Kernel& kernel, ExprId id) {
  auto* variable = std::get_if<Variable>(&kernel.exprs[id].node);
  return variable ? std::optional(variable->var) : std::nullopt;
}

bool Mentions(const Kernel& kernel, ExprId id, const std::function<bool(VarId)>& is) {
  bool found = false;
  ForEachExpr(kernel, id, [&](ExprId e) {
    auto* variable = std::get_if<Variable>(&kernel.exprs[e].node);
    found |= variable && is(variable->var);
  });
  return found;
}

static Block Clone(Kernel& kernel, const Block& block, std::unordered_map<VarId, ExprId>& values) {
  Builder build(kernel);
  auto fresh = [&](VarId var) {
    VarId copy = kernel.vars.Add(Var(kernel.vars[var]));
    values[var] = build.Var(copy);
    return copy;
  };
  Block out;
  for (const Stmt& stmt : block) {
    auto substitute = [&](ExprId id) { return Substitution(kernel, values)(id); };
    if (auto* loop = std::get_if<For>(&stmt)) {
      VarId var = fresh(loop->var);
      out.push_back(For{var, loop->extent, loop->kind, Clone(kernel, loop->body, values)});
    } else if (auto* let = std::get_if<Let>(&stmt)) {
      ExprId value = substitute(let->value);
      out.push_back(Let{fresh(let->var), value});
    } else if (auto* store = std::get_if<Store>(&stmt)) {
      Substitution replace(kernel, values);
      Index index;
      for (ExprId i : store->index) index.push_back(replace(i));
      out.push_back(Store{store->buffer, std::move(index), replace(store->value), store->update});
    } else if (auto* reduce = std::get_if<Reduce>(&stmt)) {
      Reduce copy = *reduce;
      RewriteExprs(copy, substitute);
      out.push_back(std::move(copy));
    } else if (auto* test = std::get_if<If>(&stmt)) {
      ExprId condition = substitute(test->condition);
      out.push_back(If{condition, Clone(kernel, test->body, values)});
    } else {
      out.push_back(Barrier{});
    }
  }
  return out;
}

Block CloneBlock(Kernel& kernel, const Block& block, std::unordered_map<VarId, ExprId> values) {
  return Clone(kernel, block, values);
}

}  // namespace webnnc::loop
