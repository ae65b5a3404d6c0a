#include "loop/passes/simplify.h"

#include <algorithm>
#include <numeric>

#include "base/overloaded.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

static bool IsIndex(const Expr& expr) { return expr.dtype == DType::kI32 && expr.lanes == 1; }

void Simplifier::Bind(VarId var, const Dim& extent) {
  bound_[var] = {extent, static_cast<int>(bound_.size()) + 1};
  bounds_.clear();
}

void Simplifier::Define(VarId var, ExprId value) { defined_[var] = value; }

ExprId Simplifier::operator()(ExprId id) {
  auto found = done_.find(id);
  if (found != done_.end()) return found->second;
  ExprId result = Compute(id);
  done_[id] = result;
  return result;
}

ExprId Simplifier::Compute(ExprId id) {
  Expr expr = kernel_.exprs[id];
  if (IsIndex(expr)) return SimplifyIndex(id);
  std::vector<ExprId> operands = Operands(expr);
  for (ExprId& operand : operands) operand = (*this)(operand);
  if (auto* variable = std::get_if<Variable>(&expr.node)) {
    auto found = defined_.find(variable->var);
    return found == defined_.end() ? id : (*this)(found->second);
  }
  expr = WithOperands(std::move(expr), operands);
  if (auto* select = std::get_if<Select>(&expr.node))
    return build_.Select(select->condition, select->yes, select->no);
  if (expr.lanes > 1) return kernel_.exprs.Add(std::move(expr));
  if (auto* unary = std::get_if<Unary>(&expr.node)) return build_.Apply(unary->op, unary->a);
  if (auto* binary = std::get_if<Binary>(&expr.node)) {
    if (IsComparison(binary->op) && IsIndex(kernel_.exprs[binary->a])) {
      return SimplifyComparison(*binary);
    }
    return build_.Apply(binary->op, binary->a, binary->b);
  }
  if (auto* convert = std::get_if<Convert>(&expr.node)) {
    return convert->rounded ? build_.RoundToHalf(convert->a)
                            : build_.Convert(convert->a, expr.dtype);
  }
  return kernel_.exprs.Add(std::move(expr));
}

ExprId Simplifier::SimplifyIndex(ExprId id) { return FromPolynomial(ToPolynomial(id)); }

std::optional<ExprId> Simplifier::BeforeWidening(ExprId id) const {
  const Expr& expr = kernel_.exprs[id];
  if (expr.dtype != DType::kI64 || expr.lanes != 1) return std::nullopt;
  if (auto* convert = std::get_if<Convert>(&expr.node)) {
    bool widened = kernel_.exprs[convert->a].dtype == DType::kI32;
    return widened ? std::optional(convert->a) : std::nullopt;
  }
  auto* binary = std::get_if<Binary>(&expr.node);
  const Scalar* limit = binary ? build_.ConstantValue(binary->b) : nullptr;
  bool keeps_all = limit && ((binary->op == BinaryOp::kMin && limit->integer >= INT32_MAX) ||
                             (binary->op == BinaryOp::kMax && limit->integer <= INT32_MIN));
  return keeps_all ? BeforeWidening(binary->a) : std::nullopt;
}

// A copy: the pool may grow while it is looked at.
std::optional<Binary> Simplifier::BinaryAt(ExprId id) const {
  auto* binary = std::get_if<Binary>(&kernel_.exprs[id].node);
  return binary ? std::optional(*binary) : std::nullopt;
}

// ---- Expressions to polynomials and back ------------------------------------------------------

Polynomial Simplifier::ToPolynomial(ExprId id) {
  auto found = polynomials_.find(id);
  if (found != polynomials_.end()) return found->second;
  Polynomial p = Recombine(Compound(id));
  polynomials_[id] = p;
  return p;
}

Polynomial Simplifier::Atom(ExprId id) { return {{{{id}, 1}}, 0}; }

Polynomial Simplifier::Compound(ExprId id) {
  Expr expr = kernel_.exprs[id];
  if (auto* constant = std::get_if<Constant>(&expr.node)) {
    return ConstantPolynomial(constant->value.integer);
  }
  if (auto* variable = std::get_if<Variable>(&expr.node)) {
    auto value = defined_.find(variable->var);
    if (value != defined_.end()) return ToPolynomial(value->second);
    auto range = bound_.find(variable->var);
    if (range != bound_.end() && range->second.extent.Is(1)) return {};
    return Atom(id);
  }
  if (auto* size = std::get_if<Size>(&expr.node)) return OfDim(size->dim);
  auto* binary = std::get_if<Binary>(&expr.node);
  if (!binary) {
    std::vector<ExprId> operands = Operands(expr);
    for (ExprId& operand : operands) operand = (*this)(operand);
    if (std::holds_alternative<Select>(expr.node)) {
      ExprId chosen = build_.Select(operands[0], operands[1], operands[2]);
      bool still = std::holds_alternative<Select>(kernel_.exprs[chosen].node);
      return still ? Atom(chosen) : ToPolynomial(chosen);
    }
    if (std::holds_alternative<Convert>(expr.node)) {
      if (auto narrow = BeforeWidening(operands[0])) return ToPolynomial(*narrow);
      ExprId converted = build_.Convert(operands[0], DType::kI32);
      return converted == operands[0] || build_.ConstantValue(converted) ? ToPolynomial(converted)
                                                                         : Atom(converted);
    }
    return Atom(kernel_.exprs.Add(WithOperands(std::move(expr), operands)));
  }
  Polynomial a = ToPolynomial(binary->a), b = ToPolynomial(binary->b);
  switch (binary->op) {
    case BinaryOp::kAdd: return Wrapped(a + b);
    case BinaryOp::kSub: return Wrapped(a - b);
    case BinaryOp::kMul:
      // Expanding larger sums and powers could take exponential space; no index needs it.
      if (a.terms.size() * b.terms.size() <= 64 && Degree(a) + Degree(b) <= 16)
        return Wrapped(a * b);
      break;
    case BinaryOp::kFloorDiv: return Divide(a, b);
    case BinaryOp::kFloorMod: return Remainder(a, b);
    case BinaryOp::kDiv:
      if (IsNatural(a) && IsNatural(b)) return Divide(a, b);
      break;
    case BinaryOp::kMod:
      if (IsNatural(a) && IsNatural(b)) return Remainder(a, b);
      break;
    case BinaryOp::kMin:
    case BinaryOp::kMax: return Smaller(binary->op, a, b);
    default: break;
  }
  ExprId folded = build_.Apply(binary->op, FromPolynomial(a), FromPolynomial(b));
  if (const Scalar* value = build_.ConstantValue(folded)) return ConstantPolynomial(value->integer);
  return Atom(folded);
}

Polynomial Simplifier::OfAtom(const DimAtom& atom) {
  if (atom.kind == DimAtom::Kind::kSymbol) return Atom(build_.Size(Dim::Symbol(atom.symbol)));
  const auto& [a, b] = *atom.arguments;
  switch (atom.kind) {
    case DimAtom::Kind::kFloorDiv: return Atom(build_.Size(FloorDiv(a, b)));
    case DimAtom::Kind::kMod: return Atom(build_.Size(Mod(a, b)));
    case DimAtom::Kind::kMin: return Atom(build_.Size(Min(a, b)));
    case DimAtom::Kind::kBroadcast: return Atom(build_.Size(BroadcastSize(a, b)));
    default: return Atom(build_.Size(Max(a, b)));
  }
}

Polynomial Simplifier::OfDim(const Dim& dim) {
  Polynomial sum = ConstantPolynomial(dim.constant());
  for (const DimTerm& term : dim.terms()) {
    Polynomial product = ConstantPolynomial(term.coefficient);
    for (const DimAtom& atom : term.factors) product = product * OfAtom(atom);
    sum = sum + product;
  }
  return sum;
}

int Simplifier::Depth(ExprId id) {
  auto found = depths_.find(id);
  if (found != depths_.end()) return found->second;
  const Expr& expr = kernel_.exprs[id];
  int depth = 0;
  if (auto* variable = std::get_if<Variable>(&expr.node)) {
    auto range = bound_.find(variable->var);
    depth = range == bound_.end() ? 1 << 20 : range->second.depth;
  }
  for (ExprId operand : Operands(expr)) depth = std::max(depth, Depth(operand));
  depths_[id] = depth;
  return depth;
}

ExprId Simplifier::FromPolynomial(const Polynomial& p) {
  struct Term {
    int depth;
    Monomial monomial;
    int64_t coefficient;
  };
  std::vector<Term> terms;
  for (const auto& [monomial, coefficient] : p.terms) {
    Term term{0, monomial, coefficient};
    for (ExprId factor : monomial) term.depth = std::max(term.depth, Depth(factor));
    // Shallow factors first, for the same reason as shallow terms.
    std::stable_sort(term.monomial.begin(), term.monomial.end(),
                     [&](ExprId a, ExprId b) { return Depth(a) < Depth(b); });
    terms.push_back(std::move(term));
  }
  // A sum starts with a positive term where it has one: b - a, not -a + b.
  std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) {
    if (a.depth != b.depth) return a.depth < b.depth;
    return a.coefficient > 0 && b.coefficient < 0;
  });
  // One without starts with the constant: 63 - t.
  bool constant_first = p.constant > 0 && !terms.empty() && terms[0].coefficient < 0;
  ExprId sum = build_.Int(constant_first ? p.constant : 0);
  for (const Term& term : terms) {
    ExprId product = term.monomial[0];
    for (size_t i = 1; i < term.monomial.size(); ++i) {
      product = build_.Mul(product, term.monomial[i]);
    }
    int64_t magnitude = std::abs(term.coefficient);
    bool first = !constant_first && build_.ConstantValue(sum) != nullptr;
    if (first) {
      sum = build_.Mul(product, build_.Int(term.coefficient));
    } else {
      product = build_.Mul(product, build_.Int(magnitude));
      sum = term.coefficient < 0 ? build_.Sub(sum, product) : build_.Add(sum, product);
    }
  }
  if (constant_first) return sum;
  if (p.constant < 0 && !p.terms.empty()) return build_.Sub(sum, build_.Int(-p.constant));
  return build_.Add(sum, build_.Int(p.constant));
}

// ---- Conditions -------------------------------------------------------------------------------

ExprId Simplifier::SimplifyComparison(const Binary& binary) {
  const Polynomial a = ToPolynomial(binary.a), b = ToPolynomial(binary.b);
  if (MayWrap(a) || MayWrap(b)) return build_.Apply(binary.op, binary.a, binary.b);
  Polynomial difference = b - a;
  if (binary.op == BinaryOp::kEqual || binary.op == BinaryOp::kNotEqual) {
    bool differs = ProvablyNonNegative(difference - ConstantPolynomial(1)) ||
                   ProvablyNonNegative(difference * -1 - ConstantPolynomial(1));
    bool same = difference.IsConstant() && difference.constant == 0;
    if (differs || same) {
      return build_.Constant(Scalar::Bool(same == (binary.op == BinaryOp::kEqual)));
    }
    return build_.Apply(binary.op, binary.a, binary.b);
  }
  // Both orders become difference > 0.
  if (binary.op == BinaryOp::kLessEqual) difference.constant += 1;
  if (ProvablyNonNegative(difference - ConstantPolynomial(1))) {
    return build_.Constant(Scalar::Bool(true));
  }
  if (ProvablyNonNegative(difference * -1)) return build_.Constant(Scalar::Bool(false));
  // unit*x + small > 0 with -unit < small <= 0 is x > 0.
  std::vector<int64_t> units;
  for (const auto& [monomial, coefficient] : difference.terms)
    units.push_back(std::abs(coefficient));
  std::sort(units.rbegin(), units.rend());
  for (int64_t unit : units) {
    if (unit <= 1) break;
    Polynomial x, small;
    for (const auto& [monomial, coefficient] : difference.terms) {
      if (coefficient % unit == 0) {
        x.AddTerm(monomial, coefficient / unit);
      } else {
        small.AddTerm(monomial, coefficient);
      }
    }
    // The constant goes to x, rounded up, so that what stays is in (-unit, 0].
    x.constant = CeilDiv(difference.constant, unit).value();
    small.constant = difference.constant - x.constant * unit;
    auto low = ConstantBelow(small), high = ConstantAbove(small);
    if (!low || !high || *low <= -unit || *high > 0) continue;
    difference = x;
    break;
  }
  // Positive terms stand on the right, so that no operand needs a negation.
  Polynomial left, right;
  for (const auto& [monomial, coefficient] : difference.terms) {
    (coefficient < 0 ? left : right).AddTerm(monomial, std::abs(coefficient));
  }
  (difference.constant < 0 ? left : right).constant = std::abs(difference.constant);
  if (MayWrap(left) || MayWrap(right)) return build_.Apply(binary.op, binary.a, binary.b);
  return build_.Less(FromPolynomial(left), FromPolynomial(right));
}

// ---- Whole kernels ----------------------------------------------------------------------------

namespace {

class KernelSimplifier {
 public:
  explicit KernelSimplifier(Kernel& kernel) : kernel_(kernel), simplify_(kernel) {}

  Block Run(Block block) {
    Block out;
    for (Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        if (std::optional<Block> starts = StartsOfNoTerms(stmt)) {
          for (Stmt& start : Run(std::move(*starts))) out.push_back(std::move(start));
          continue;
        }
        if (loop->extent.Is(0)) continue;
        simplify_.Bind(loop->var, loop->extent);
        loop->body = Run(std::move(loop->body));
        if (loop->body.empty()) continue;
        // A variable that can only be 0 has been replaced already.
        bool once = loop->extent.Is(1) && !IsWorkgroup(loop->kind) && !IsRegion(loop->kind) &&
                    loop->kind != LoopKind::kOrdered;
        if (once) {
          for (Stmt& inner : loop->body) out.push_back(std::move(inner));
        } else {
          out.push_back(std::move(*loop));
        }
      } else if (auto* test = std::get_if<If>(&stmt)) {
        test->condition = simplify_(test->condition);
        auto* constant = std::get_if<Constant>(&kernel_.exprs[test->condition].node);
        if (constant && !constant->value.integer) continue;
        Block body = Run(std::move(test->body));
        if (body.empty()) continue;
        if (constant) {
          for (Stmt& inner : body) out.push_back(std::move(inner));
        } else {
          out.push_back(If{test->condition, std::move(body)});
        }
      } else if (auto* let = std::get_if<Let>(&stmt)) {
        let->value = simplify_(let->value);
        out.push_back(std::move(*let));
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        for (ExprId& index : store->index) index = simplify_(index);
        store->value = simplify_(store->value);
        out.push_back(std::move(*store));
      } else if (auto* reduce = std::get_if<Reduce>(&stmt)) {
        RewriteExprs(*reduce, [&](ExprId id) { return simplify_(id); });
        out.push_back(std::move(stmt));
      } else {
        out.push_back(std::move(stmt));
      }
    }
    return out;
  }

 private:
  // What is left of a reduction that has loops of no iterations.
  std::optional<Block> StartsOfNoTerms(const Stmt& stmt) const {
    std::optional<Stage> stage = StageOf(stmt);
    if (!stage || !IsReduction(*stage)) return std::nullopt;
    Block starts;
    for (Stage& left : WithoutEmptyLoops(kernel_, std::move(*stage))) {
      if (IsReduction(left)) return std::nullopt;
      starts.push_back(StmtOf(std::move(left)));
    }
    return starts;
  }

  Kernel& kernel_;
  Simplifier simplify_;
};

}  // namespace

void Simplify(Kernel& kernel) {
  kernel.body = KernelSimplifier(kernel).Run(std::move(kernel.body));
}

}  // namespace webnnc::loop
