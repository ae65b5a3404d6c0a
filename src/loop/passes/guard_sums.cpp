#include "loop/passes/guard_sums.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

using Conditions = std::vector<ExprId>;

class Guards {
 public:
  explicit Guards(Kernel& kernel) : kernel_(kernel), build_(kernel) {}

  void Run() { Visit(kernel_.body); }

 private:
  void Visit(Block& block) {
    for (Stmt& stmt : block) {
      if (auto* test = std::get_if<If>(&stmt)) Visit(test->body);
      auto* loop = std::get_if<For>(&stmt);
      if (!loop) continue;
      Visit(loop->body);
      MoveOut(stmt);
    }
    Guard(block);
  }

  // for k { if c { ... } }  ->  if c { for k { ... } }
  void MoveOut(Stmt& stmt) {
    auto& loop = std::get<For>(stmt);
    if (loop.kind == LoopKind::kParallel || loop.body.size() != 1) return;
    auto* test = std::get_if<If>(&loop.body[0]);
    if (!test || !made_.count(test->condition)) return;
    if (Mentions(kernel_, test->condition, [&](VarId var) { return var == loop.var; })) return;
    If outer{test->condition, {}};
    Block body = std::move(test->body);
    loop.body = std::move(body);
    outer.body.push_back(std::move(loop));
    stmt = std::move(outer);
  }

  void Guard(Block& block) {
    std::erase_if(block, [&](const Stmt& stmt) {
      auto* store = std::get_if<Store>(&stmt);
      return store && IsNeutral(store->value, store->update);
    });
    Conditions shared;
    for (size_t i = 0; i < block.size(); ++i) {
      auto* store = std::get_if<Store>(&block[i]);
      if (!store || kernel_.buffers[store->buffer].space != Space::kRegister) return;
      Conditions own = WithoutWhich(store->value, store->update);
      if (i == 0) shared = own;
      std::erase_if(shared, [&](ExprId id) { return !std::ranges::count(own, id); });
      if (shared.empty()) return;
    }
    if (shared.empty()) return;
    If test{All(shared), {}};
    for (Stmt& stmt : block) {
      auto& store = std::get<Store>(stmt);
      store.value = Assuming(shared, store.value);
    }
    made_.insert(test.condition);
    test.body = std::move(block);
    block.clear();
    block.push_back(std::move(test));
  }

  // Conditions without any one of which `value` changes nothing that it is combined with.
  Conditions WithoutWhich(ExprId value, Update update) const {
    const Expr& expr = kernel_.exprs[value];
    if (auto* select = std::get_if<Select>(&expr.node)) {
      if (expr.lanes > 1 && kernel_.exprs[select->condition].lanes > 1) return {};
      return IsNeutral(select->no, update) ? Conjuncts(select->condition) : Conditions{};
    }
    if (auto* splat = std::get_if<Splat>(&expr.node)) return WithoutWhich(splat->a, update);
    if (update != Update::kAdd) return {};
    if (auto* convert = std::get_if<Convert>(&expr.node)) return WithoutWhich(convert->a, update);
    auto* product = std::get_if<Binary>(&expr.node);
    if (!product || product->op != BinaryOp::kMul) return {};
    Conditions left = WithoutWhich(product->a, update), right = WithoutWhich(product->b, update);
    left.insert(left.end(), right.begin(), right.end());
    return left;
  }

  // Whether `id` changes nothing that it is combined with.
  bool IsNeutral(ExprId id, Update update) const {
    const Expr& expr = kernel_.exprs[id];
    if (auto* splat = std::get_if<Splat>(&expr.node)) return IsNeutral(splat->a, update);
    auto* product = std::get_if<Binary>(&expr.node);
    if (product && product->op == BinaryOp::kMul && update == Update::kAdd)
      return IsNeutral(product->a, update) || IsNeutral(product->b, update);
    auto* constant = std::get_if<Constant>(&expr.node);
    if (!constant) return false;
    if (!IsFloat(expr.dtype)) return update == Update::kAdd && constant->value.integer == 0;
    const double value = constant->value.real;
    switch (update) {
      case Update::kAdd: return value == 0;
      case Update::kMax: return value == -INFINITY;
      case Update::kMin: return value == INFINITY;
      default: return false;
    }
  }

  Conditions Conjuncts(ExprId condition) const {
    auto* both = std::get_if<Binary>(&kernel_.exprs[condition].node);
    if (!both || both->op != BinaryOp::kAnd) return {condition};
    Conditions all = Conjuncts(both->a), more = Conjuncts(both->b);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  ExprId All(const Conditions& conditions) {
    ExprId all = conditions[0];
    for (size_t i = 1; i < conditions.size(); ++i) {
      if (!std::ranges::count(conditions.begin(), conditions.begin() + static_cast<int64_t>(i),
                              conditions[i]))
        all = build_.And(all, conditions[i]);
    }
    return all;
  }

  // `value` where all of these hold.
  ExprId Assuming(const Conditions& known, ExprId value) {
    ExprRewriter rewrite(kernel_, [&](ExprId rewritten, ExprId) {
      auto select = std::get_if<Select>(&kernel_.exprs[rewritten].node);
      if (!select) return rewritten;
      const Select choice = *select;
      Conditions left = Conjuncts(choice.condition);
      if (std::erase_if(left, [&](ExprId id) { return std::ranges::count(known, id) > 0; }) == 0)
        return rewritten;
      if (left.empty()) return choice.yes;
      Expr expr = kernel_.exprs[rewritten];
      expr.node = Select{All(left), choice.yes, choice.no};
      return kernel_.exprs.Add(expr);
    });
    return rewrite(value);
  }

  Kernel& kernel_;
  Builder build_;
  std::set<ExprId> made_;  // conditions
};

}  // namespace

void GuardSums(Kernel& kernel) { Guards(kernel).Run(); }

}  // namespace webnnc::loop
