#include "wasm/split_index.h"

#include <algorithm>
#include <optional>

#include "loop/rewrite.h"

namespace webnnc::wasm {

namespace {

class Splitter {
 public:
  Splitter(const loop::Kernel& kernel, const std::vector<EnclosingLoop>& loops,
           loop::ExprId condition)
      : kernel_(kernel), loops_(loops), condition_(condition) {}

  SplitIndex Run(loop::ExprId index, int64_t zeros) {
    SplitIndex split;
    std::vector<loop::ExprId> sums{index}, terms;
    while (!sums.empty()) {
      loop::ExprId term = sums.back();
      sums.pop_back();
      auto* sum = std::get_if<loop::Binary>(&kernel_.exprs[term].node);
      if (sum && sum->op == loop::BinaryOp::kAdd) {
        sums.insert(sums.end(), {sum->b, sum->a});
      } else if (sum && sum->op == loop::BinaryOp::kSub) {
        sums.push_back(sum->a);
        split.taken_off.push_back(sum->b);
      } else {
        terms.push_back(term);
      }
    }
    std::stable_sort(terms.begin(), terms.end(),
                     [&](loop::ExprId a, loop::ExprId b) { return Depth(a) > Depth(b); });
    for (loop::ExprId term : terms) {
      auto most = Most(term);
      bool inner = most && *most <= zeros;
      if (inner) zeros -= *most;
      (inner ? split.inner : split.guarded).push_back(term);
    }
    // Outer loops' terms first: what does not change in an inner loop is added once.
    std::reverse(split.inner.begin(), split.inner.end());
    std::reverse(split.guarded.begin(), split.guarded.end());
    return split;
  }

 private:
  // What `id` is never above, if it is never negative and depends only on a loop that the condition
  // does not depend on.
  std::optional<int64_t> Most(loop::ExprId id) const {
    const loop::Expr& expr = kernel_.exprs[id];
    if (auto* variable = std::get_if<loop::Variable>(&expr.node)) {
      bool depends = loop::Mentions(kernel_, condition_,
                                    [&](loop::VarId var) { return var == variable->var; });
      for (const EnclosingLoop& loop : loops_) {
        if (loop.var == variable->var && loop.extent.IsConstant() && !depends)
          return loop.extent.value() - 1;
      }
      return std::nullopt;
    }
    auto* product = std::get_if<loop::Binary>(&expr.node);
    if (!product || product->op != loop::BinaryOp::kMul) return std::nullopt;
    auto* factor = std::get_if<loop::Constant>(&kernel_.exprs[product->b].node);
    auto most = Most(product->a);
    if (!factor || !most || factor->value.integer < 0) return std::nullopt;
    return *most * factor->value.integer;
  }

  // How deep the innermost loop is that `id` depends on; 0 for none.
  size_t Depth(loop::ExprId id) const {
    for (size_t i = loops_.size(); i-- > 0;) {
      if (loop::Mentions(kernel_, id, [&](loop::VarId var) { return var == loops_[i].var; }))
        return i + 1;
    }
    return 0;
  }

  const loop::Kernel& kernel_;
  const std::vector<EnclosingLoop>& loops_;
  loop::ExprId condition_;
};

}  // namespace

SplitIndex SplitAt(const loop::Kernel& kernel, const std::vector<EnclosingLoop>& loops,
                   loop::ExprId index, loop::ExprId condition, int64_t zeros) {
  return Splitter(kernel, loops, condition).Run(index, zeros);
}

}  // namespace webnnc::wasm
