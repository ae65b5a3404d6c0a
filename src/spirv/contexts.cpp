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
    Id own = contexts_.at(id);
    // A copy, since conditions are made on the way.
    loop::Expr expr = kernel_.exprs[id];
    if (auto* select = std::get_if<loop::Select>(&expr.node)) {
      Use(select->condition, own);
      Use(select->yes, Inside(own, select->condition, true));
      Use(select->no, Inside(own, select->condition, false));
    } else {
      for (ExprId operand : loop::Operands(expr)) Use(operand, own);
    }
  }
}

Contexts::Id Contexts::Of(ExprId id, Id otherwise) const {
  auto found = contexts_.find(id);
  return found == contexts_.end() ? otherwise : found->second;
}

ExprId Contexts::Condition(Id context) { return nodes_[static_cast<size_t>(context)].condition; }

void Contexts::Use(ExprId id, Id context) {
  auto [found, is_first] = contexts_.try_emplace(id, context);
  if (!is_first) found->second = Common(found->second, context);
}

Contexts::Id Contexts::Inside(Id outer, ExprId condition, bool holds) {
  ExprId own = holds ? condition : build_.Apply(loop::UnaryOp::kNot, condition);
  auto [found, is_new] = inside_.try_emplace({outer, own}, static_cast<Id>(nodes_.size()));
  if (!is_new) return found->second;
  Node node = nodes_[static_cast<size_t>(outer)];
  ExprId all = own;
  if (node.condition.valid()) {
    // A vector's lanes may be chosen one by one inside what a scalar chose, or the other way.
    int32_t lanes = std::max(kernel_.exprs[own].lanes, kernel_.exprs[node.condition].lanes);
    auto widened = [&](ExprId id) {
      return kernel_.exprs[id].lanes == lanes ? id : build_.Splat(id, lanes);
    };
    all = build_.Apply(loop::BinaryOp::kAnd, widened(node.condition), widened(own));
  }
  nodes_.push_back({outer, node.depth + 1, all});
  return found->second;
}

Contexts::Id Contexts::Common(Id a, Id b) const {
  auto at = [&](Id id) { return nodes_[static_cast<size_t>(id)]; };
  while (a != b) {
    if (at(a).depth < at(b).depth) std::swap(a, b);
    a = at(a).outer;
  }
  return a;
}

}  // namespace webnnc::spirv
