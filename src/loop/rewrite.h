// Rewriting expressions and statements.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "loop/kernel.h"

namespace webnnc::loop {

// Rewrites expressions bottom-up, each once: `step` is given an expression whose operands have
// been rewritten, and the expression as it was, and returns what replaces it. Shared
// subexpressions stay shared, so the cost is linear in the DAG.
class ExprRewriter {
 public:
  using Step = std::function<ExprId(ExprId rewritten, ExprId original)>;
  ExprRewriter(Kernel& kernel, Step step) : kernel_(kernel), step_(std::move(step)) {}

  ExprId operator()(ExprId id);

 private:
  Kernel& kernel_;
  Step step_;
  std::unordered_map<ExprId, ExprId> done_;
};

// Replaces variables by expressions.
class Substitution {
 public:
  Substitution(Kernel& kernel, std::unordered_map<VarId, ExprId> values);
  ExprId operator()(ExprId id) { return rewriter_(id); }

 private:
  ExprRewriter rewriter_;
};

// Applies `f` to every expression that a statement of `block` holds, indices included.
void RewriteExprs(Block& block, const std::function<ExprId(ExprId)>& f);
void RewriteExprs(Reduce& reduce, const std::function<ExprId(ExprId)>& f);

// Calls `visit` for every expression reachable from `id`, each once, operands first.
void ForEachExpr(const Kernel& kernel, ExprId id, const std::function<void(ExprId)>& visit);

// Calls `visit` for every statement, outer before inner.
void ForEachStmt(const Block& block, const std::function<void(const Stmt&)>& visit);

// Calls `visit` for every store.
void ForEachStore(Block& block, const std::function<void(Store&)>& visit);

// The variable that `id` is, if it is nothing more.
std::optional<VarId> VariableOf(const Kernel& kernel, ExprId id);

// Whether `id` depends on a variable for which `is` holds.
bool Mentions(const Kernel& kernel, ExprId id, const std::function<bool(VarId)>& is);

// A copy of `block` in which every loop and Let has a variable of its own.
Block CloneBlock(Kernel& kernel, const Block& block, std::unordered_map<VarId, ExprId> values = {});

}  // namespace webnnc::loop
