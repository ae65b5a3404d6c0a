#include "spirv/contexts.h"

#include <algorithm>

#include "loop/rewrite.h"

namespace webnnc::spirv {

using loop::ExprId;

void Contexts::Enter(const std::vector<ExprId>& roots) {
  contexts_.clear();
  std::vector<ExprId> reachable;
  for (ExprId root : roots) {
    loop::ForEachExpr(kernel_, root, [&](ExprId id) { reachable.push_back(id); });
    Use(root, kAlways);
  }
  // Operands come before users in the pool, so this visits an expression after all its users.
  std::sort(reachable.rbegin(), reachable.rend());
  reachable.erase(std::unique(reachable.begin(), reachable.end()), reachable.end());
  for (ExprId id : reachable) {
    // Copies, since conditions are made on the way.
    loop::Expr expr = kernel_.exprs[id];
    std::vector<Id> contexts = contexts_.at(id);
    for (Id own : contexts) {
      if (auto* select = std::get_if<loop::Select>(&expr.node)) {
        Use(select->condition, own);
        Use(select->yes, Inside(own, select->condition, true));
        Use(select->no, Inside(own, select->condition, false));
      } else {
        for (ExprId operand : loop::Operands(expr)) Use(operand, own);
      }
    }
  }
}

Contexts::Id Contexts::Of(ExprId id, Id use) const {
  // What a context requires is known before it is entered.
  for (Id around = use; around > kAlways; around = nodes_[static_cast<size_t>(around)].outer) {
    if (nodes_[static_cast<size_t>(around)].condition == id) use = Outer(around);
  }
  auto found = contexts_.find(id);
  if (found == contexts_.end()) return use;
  for (Id context : found->second) {
    if (IsInside(use, context)) return context;
  }
  return use;
}

ExprId Contexts::Condition(Id context) const {
  return context == kAnywhere ? ExprId() : nodes_[static_cast<size_t>(context)].condition;
}

bool Contexts::IsInside(Id context, Id outer) const {
  if (outer == kAnywhere || context == kAnywhere) return outer == kAnywhere || outer == kAlways;
  while (context != outer && context != kAlways) {
    context = nodes_[static_cast<size_t>(context)].outer;
  }
  return context == outer;
}

void Contexts::Use(ExprId id, Id context) {
  constexpr size_t kMany = 4;
  std::vector<Id>& own = contexts_[id];
  for (Id other : own) {
    if (IsInside(context, other)) return;
  }
  std::erase_if(own, [&](Id other) { return IsInside(other, context); });
  own.push_back(context);
  if (own.size() > kMany) own = {kAnywhere};
}

bool Contexts::Requires(Id context, ExprId condition) const {
  for (; context != kAlways; context = nodes_[static_cast<size_t>(context)].outer) {
    if (nodes_[static_cast<size_t>(context)].own == condition) return true;
  }
  return false;
}

Contexts::Id Contexts::Inside(Id outer, ExprId condition, bool holds) {
  if (outer == kAnywhere) return kAnywhere;
  // a and b: first a, then b inside it, so that what they share with others is seen.
  auto* both = std::get_if<loop::Binary>(&kernel_.exprs[condition].node);
  if (holds && both && both->op == loop::BinaryOp::kAnd && kernel_.exprs[condition].lanes == 1) {
    ExprId second = both->b;
    return Inside(Inside(outer, both->a, true), second, true);
  }
  ExprId own = holds ? condition : build_.Apply(loop::UnaryOp::kNot, condition);
  if (Requires(outer, own)) return outer;
  auto [found, is_new] = inside_.try_emplace({outer, own}, static_cast<Id>(nodes_.size()));
  if (!is_new) return found->second;
  ExprId all = own, around = nodes_[static_cast<size_t>(outer)].condition;
  if (around.valid()) {
    // A vector's lanes may be chosen one by one inside what a scalar chose, or the other way.
    int32_t lanes = std::max(kernel_.exprs[own].lanes, kernel_.exprs[around].lanes);
    auto widened = [&](ExprId id) {
      return kernel_.exprs[id].lanes == lanes ? id : build_.Splat(id, lanes);
    };
    all = build_.Apply(loop::BinaryOp::kAnd, widened(around), widened(own));
  }
  nodes_.push_back({outer, own, all});
  return found->second;
}

}  // namespace webnnc::spirv
