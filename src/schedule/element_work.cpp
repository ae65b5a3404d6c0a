#include "schedule/element_work.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::schedule {

static bool IsNarrow(DType dtype) { return IsInteger(dtype) && BitSize(dtype) < 32; }

bool IsWidened(DType from, DType to) {
  return IsNarrow(from) ? BitSize(to) > BitSize(from) : from == DType::kF16 && to == DType::kF32;
}

static bool LooksUp(const loop::Kernel& kernel, const loop::Load& load) {
  bool looks_up = false;
  for (loop::ExprId index : load.index) {
    loop::ForEachExpr(kernel, index, [&](loop::ExprId id) {
      looks_up |= std::holds_alternative<loop::Load>(kernel.exprs[id].node);
    });
  }
  return looks_up;
}

static int64_t OperationsAt(const loop::Kernel& kernel, const loop::Expr& expr,
                            const Machine::Fusion& costs) {
  // i32 is what indices are computed in; narrower integers, and f16, are widened where they are
  // read.
  auto* convert = std::get_if<loop::Convert>(&expr.node);
  const DType from = convert ? kernel.exprs[convert->a].dtype : expr.dtype;
  const bool widens = convert && (IsNarrow(from) || IsWidened(from, expr.dtype));
  const bool rounds = convert && IsFloat(from) && !widens;
  const bool is_free =
      widens || expr.dtype == DType::kI32 || expr.dtype == DType::kBool || IsNarrow(expr.dtype);
  if (is_free && !rounds) return 0;
  if (auto* unary = std::get_if<loop::Unary>(&expr.node)) {
    bool simple = unary->op <= loop::UnaryOp::kTrunc || unary->op >= loop::UnaryOp::kIsNan;
    return simple ? 1 : costs.function;
  }
  if (auto* binary = std::get_if<loop::Binary>(&expr.node)) {
    return binary->op == loop::BinaryOp::kPow   ? costs.power
           : binary->op == loop::BinaryOp::kDiv ? costs.division
                                                : 1;
  }
  return convert != nullptr;
}

ElementWork WorkOf(const loop::Kernel& kernel, loop::ExprId value, const Machine::Fusion& costs) {
  ElementWork work;
  bool looks_up = false;
  loop::ForEachExpr(kernel, value, [&](loop::ExprId id) {
    const loop::Expr& expr = kernel.exprs[id];
    work.operations += OperationsAt(kernel, expr, costs);
    if (auto* load = std::get_if<loop::Load>(&expr.node)) {
      ++work.loads;
      looks_up |= LooksUp(kernel, *load);
    }
  });
  if (looks_up) work.operations += costs.look_up;
  return work;
}

namespace {

// How often each expression of a stage has another value, as its loops are nested.
class Nesting {
 public:
  Nesting(const loop::Kernel& kernel, const loop::Stage& stage, const LikelySizes& sizes)
      : kernel_(kernel) {
    double iterations = 1;
    if (stage.ordered) AddLoop(*stage.ordered, iterations, sizes);
    for (const loop::StageLoop& loop : stage.loops) AddLoop(loop, iterations, sizes);
  }

  double Iterations() const { return iterations_.back(); }
  double TimesOf(loop::ExprId id) { return iterations_[DepthOf(id)]; }

 private:
  void AddLoop(const loop::StageLoop& loop, double& iterations, const LikelySizes& sizes) {
    iterations *= std::max(1.0, sizes.Typical(loop.extent));
    depths_[loop.var] = iterations_.size();
    iterations_.push_back(iterations);
  }

  // The number of loops up to the innermost that it depends on.
  size_t DepthOf(loop::ExprId id) {
    if (auto known = of_exprs_.find(id); known != of_exprs_.end()) return known->second;
    const loop::Expr& expr = kernel_.exprs[id];
    size_t depth = 0;
    if (auto* variable = std::get_if<loop::Variable>(&expr.node)) {
      auto found = depths_.find(variable->var);
      if (found != depths_.end()) depth = found->second;
    }
    for (loop::ExprId operand : loop::Operands(expr)) depth = std::max(depth, DepthOf(operand));
    return of_exprs_[id] = depth;
  }

  const loop::Kernel& kernel_;
  // Of the outermost loops; the first of none.
  std::vector<double> iterations_{1};
  std::unordered_map<loop::VarId, size_t> depths_;
  std::unordered_map<loop::ExprId, size_t> of_exprs_;
};

}  // namespace

double OperationsOf(const loop::Kernel& plain, const Machine::Fusion& costs,
                    const LikelySizes& sizes) {
  double operations = 0;
  for (const loop::Stage& stage : loop::StagesOf(plain)) {
    Nesting nesting(plain, stage, sizes);
    std::unordered_set<loop::ExprId> seen;
    for (const loop::Part& part : stage.parts) {
      loop::ForEachExpr(plain, part.term, [&](loop::ExprId id) {
        const int64_t own = OperationsAt(plain, plain.exprs[id], costs);
        if (own > 0 && seen.insert(id).second)
          operations += static_cast<double>(own) * nesting.TimesOf(id);
      });
      if (loop::IsReduction(stage)) operations += nesting.Iterations();
    }
  }
  return operations;
}

}  // namespace webnnc::schedule
