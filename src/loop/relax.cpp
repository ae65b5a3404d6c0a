#include "loop/relax.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

bool Loads(const Kernel& kernel, ExprId id) {
  bool loads = false;
  ForEachExpr(kernel, id,
              [&](ExprId e) { loads |= std::holds_alternative<Load>(kernel.exprs[e].node); });
  return loads;
}

// An i32 that is the same number, if that is computed from indices alone and does not leave i32 on
// the way; else invalid.
ExprId IndexOf(Kernel& kernel, ExprId id) {
  Builder build(kernel);
  const Expr expr = kernel.exprs[id];
  if (expr.dtype == DType::kI32) return Loads(kernel, id) ? ExprId() : id;
  if (expr.dtype != DType::kI64) return {};
  if (auto* constant = std::get_if<Constant>(&expr.node)) {
    bool fits = std::abs(constant->value.integer) <= INT32_MAX;
    return fits ? build.Int(constant->value.integer) : ExprId();
  }
  if (auto* convert = std::get_if<Convert>(&expr.node)) return IndexOf(kernel, convert->a);
  auto* binary = std::get_if<Binary>(&expr.node);
  if (!binary || (binary->op != BinaryOp::kAdd && binary->op != BinaryOp::kSub)) return {};
  ExprId a = IndexOf(kernel, binary->a), b = a.valid() ? IndexOf(kernel, binary->b) : ExprId();
  return b.valid() ? build.Apply(binary->op, a, b) : ExprId();
}

class Relaxer {
 public:
  Relaxer(Kernel& kernel, const std::map<VarId, Dim>& open)
      : kernel_(kernel), build_(kernel), simplify_(kernel), open_(open) {}

  // Whether nothing became weaker.
  bool exact = true;

  // Of the opposite, if `holds` is false.
  ExprId Run(ExprId id, bool holds) {
    const Expr expr = kernel_.exprs[id];
    auto* unary = std::get_if<Unary>(&expr.node);
    if (unary && unary->op == UnaryOp::kNot) return Run(unary->a, !holds);
    auto* binary = std::get_if<Binary>(&expr.node);
    if (!binary) return Anything();
    switch (binary->op) {
      case BinaryOp::kAnd: return Join(*binary, holds, holds);
      case BinaryOp::kOr: return Join(*binary, !holds, holds);
      case BinaryOp::kLess: return Inequality(*binary, holds, holds ? 1 : 0);
      case BinaryOp::kLessEqual: return Inequality(*binary, holds, holds ? 0 : 1);
      default: return Anything();
    }
  }

 private:
  static constexpr int64_t kMostConstant = int64_t{1} << 30;

  ExprId Anything() {
    exact = false;
    return build_.Constant(Scalar::Bool(true));
  }

  // Whether it depends on what is not known.
  bool MentionsOpen(ExprId id) const {
    return Mentions(kernel_, id, [&](VarId var) { return open_.count(var) > 0; });
  }

  ExprId Join(const Binary& binary, bool both, bool holds) {
    ExprId a = Run(binary.a, holds), b = Run(binary.b, holds);
    return both ? build_.And(a, b) : build_.Or(a, b);
  }

  // Of b - a >= least, or a - b >= least.
  ExprId Inequality(const Binary& binary, bool holds, int64_t least) {
    ExprId a = IndexOf(kernel_, binary.a), b = IndexOf(kernel_, binary.b);
    if (!a.valid() || !b.valid()) return Anything();
    Polynomial room = simplify_.ToPolynomial(holds ? b : a) -
                      simplify_.ToPolynomial(holds ? a : b) - ConstantPolynomial(least);
    // What is to be evaluated must not leave i32: of a window without an end nothing is known.
    if (std::abs(room.constant) > kMostConstant) return Anything();
    Polynomial left, right;
    for (const auto& [factors, coefficient] : room.terms) {
      std::optional<Polynomial> most = Most(factors, coefficient);
      if (!most) return Anything();
      right = right + *most;
    }
    right.constant += room.constant;
    for (auto term = right.terms.begin(); term != right.terms.end();) {
      if (term->second < 0) left.AddTerm(term->first, -term->second);
      term = term->second < 0 ? right.terms.erase(term) : std::next(term);
    }
    return build_.LessEqual(simplify_.FromPolynomial(left), simplify_.FromPolynomial(right));
  }

  // The most that a term can be.
  std::optional<Polynomial> Most(const Monomial& factors, int64_t coefficient) {
    std::optional<VarId> var;
    for (ExprId factor : factors) {
      if (!MentionsOpen(factor)) continue;
      var = VariableOf(kernel_, factor);
      if (!var || factors.size() > 1) return std::nullopt;
    }
    Polynomial term;
    if (!var) {
      term.AddTerm(factors, coefficient);
    } else if (coefficient > 0) {
      term = simplify_.ToPolynomial(build_.Size(open_.at(*var) - 1)) * coefficient;
    }
    return term;
  }

  Kernel& kernel_;
  Builder build_;
  Simplifier simplify_;
  const std::map<VarId, Dim>& open_;
};

// The value of a condition or an index.
class Evaluator {
 public:
  Evaluator(const Kernel& kernel, const LikelySizes& sizes) : kernel_(kernel), sizes_(sizes) {}

  std::map<VarId, double> values;

  double Of(ExprId id) const {
    const Expr& expr = kernel_.exprs[id];
    if (auto* constant = std::get_if<Constant>(&expr.node)) return constant->value.AsReal();
    if (auto* variable = std::get_if<Variable>(&expr.node)) return values.at(variable->var);
    if (auto* size = std::get_if<Size>(&expr.node)) return sizes_.Typical(size->dim);
    if (auto* convert = std::get_if<Convert>(&expr.node)) return Of(convert->a);
    if (auto* unary = std::get_if<Unary>(&expr.node)) {
      CHECK(unary->op == UnaryOp::kNot);
      return Of(unary->a) == 0 ? 1 : 0;
    }
    const auto& binary = std::get<Binary>(expr.node);
    double a = Of(binary.a), b = Of(binary.b);
    switch (binary.op) {
      case BinaryOp::kAdd: return a + b;
      case BinaryOp::kSub: return a - b;
      case BinaryOp::kMul: return a * b;
      case BinaryOp::kAnd: return a != 0 && b != 0 ? 1 : 0;
      case BinaryOp::kOr: return a != 0 || b != 0 ? 1 : 0;
      case BinaryOp::kFloorDiv: return std::floor(a / b);
      case BinaryOp::kFloorMod: return a - std::floor(a / b) * b;
      case BinaryOp::kMin: return std::min(a, b);
      case BinaryOp::kMax: return std::max(a, b);
      case BinaryOp::kLess: return a < b ? 1 : 0;
      case BinaryOp::kLessEqual: return a <= b ? 1 : 0;
      default: return 1;
    }
  }

 private:
  const Kernel& kernel_;
  const LikelySizes& sizes_;
};

// Of each variable so many values are looked at, as far apart as each other.
constexpr double kSamples = 32;

}  // namespace

ExprId Relax(Kernel& kernel, ExprId condition, const std::map<VarId, Dim>& open) {
  return Relaxer(kernel, open).Run(condition, true);
}

ExprId OnIndices(Kernel& kernel, ExprId condition) {
  const std::map<VarId, Dim> none;
  Relaxer relaxer(kernel, none);
  ExprId same = relaxer.Run(condition, true);
  return relaxer.exact ? same : ExprId();
}

double ShareOf(Kernel kernel, ExprId condition, std::map<VarId, double> over, VarId tiled,
               int64_t tile, const LikelySizes& sizes) {
  Builder build(kernel);
  const VarId number = kernel.vars.Add({"tile"}), inside = kernel.vars.Add({"inside"});
  ExprId value = build.Add(build.Mul(build.Var(number), build.Int(tile)), build.Var(inside));
  condition = Relax(kernel, Substitution(kernel, {{tiled, value}})(condition), {{inside, tile}});
  over[number] = std::ceil(over.at(tiled) / static_cast<double>(tile));
  Evaluator evaluate(kernel, sizes);
  double all = 0, holds = 0;
  std::vector<std::pair<VarId, double>> left;
  for (const auto& [var, extent] : over) {
    evaluate.values[var] = 0;
    bool used = Mentions(kernel, condition, [&, v = var](VarId other) { return other == v; });
    if (used) left.push_back({var, std::max(1.0, extent)});
  }
  std::function<void(size_t)> visit = [&](size_t v) {
    if (v == left.size()) {
      all += 1;
      holds += evaluate.Of(condition);
      return;
    }
    const auto& [var, extent] = left[v];
    double samples = std::min(extent, kSamples);
    for (double s = 0; s < samples; ++s) {
      evaluate.values[var] = std::floor((s + 0.5) * extent / samples);
      visit(v + 1);
    }
  };
  visit(0);
  return holds / all;
}

}  // namespace webnnc::loop
