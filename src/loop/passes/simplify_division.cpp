// Quotients and remainders of polynomials, and what becomes of them together.
#include <algorithm>
#include <numeric>

#include "loop/passes/simplify.h"

namespace webnnc::loop {

static int64_t FloorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

Simplifier::Split Simplifier::SplitBy(const Polynomial& a, int64_t c) {
  Split split;
  for (const auto& [monomial, coefficient] : a.terms) {
    // Toward zero: a rest with the coefficient's own sign keeps its bounds tight.
    int64_t whole = coefficient / c;
    if (whole) split.quotient.AddTerm(monomial, whole);
    if (coefficient % c) split.rest.AddTerm(monomial, coefficient % c);
  }
  split.quotient.constant = FloorDivide(a.constant, c);
  split.rest.constant = a.constant - split.quotient.constant * c;
  // If the rest stays within one multiple of c, that multiple is known too.
  auto low = ConstantBelow(split.rest), high = ConstantAbove(split.rest);
  if (low && high && FloorDivide(*low, c) == FloorDivide(*high, c)) {
    int64_t extra = FloorDivide(*low, c);
    split.quotient.constant += extra;
    split.rest.constant -= extra * c;
  }
  return split;
}

// rest = unit*quotient + small with 0 <= small < unit and unit dividing c, if there is such a
// unit above 1.
std::optional<Simplifier::Split> Simplifier::SplitOffUnits(const Polynomial& rest, int64_t c,
                                                           int64_t* unit) {
  std::vector<int64_t> units;
  for (const auto& [monomial, coefficient] : rest.terms) {
    units.push_back(std::gcd(coefficient, c));
  }
  std::sort(units.rbegin(), units.rend());
  for (int64_t u : units) {
    if (u <= 1 || c % u != 0) continue;
    Split split;
    for (const auto& [monomial, coefficient] : rest.terms) {
      (coefficient % u == 0 ? split.quotient : split.rest)
          .AddTerm(monomial, coefficient % u == 0 ? coefficient / u : coefficient);
    }
    split.quotient.constant = FloorDivide(rest.constant, u);
    split.rest.constant = rest.constant - split.quotient.constant * u;
    auto low = ConstantBelow(split.rest), high = ConstantAbove(split.rest);
    if (!low || !high || FloorDivide(*low, u) != FloorDivide(*high, u)) continue;
    int64_t extra = FloorDivide(*low, u);
    split.quotient.constant += extra;
    split.rest.constant -= extra * u;
    *unit = u;
    return split;
  }
  return std::nullopt;
}

Polynomial Simplifier::DivideByConstant(const Polynomial& a, int64_t c) {
  if (c == 1) return a;
  if (MayWrap(a)) return DivisionAtom(true, a, ConstantPolynomial(c));
  auto [quotient, rest] = SplitBy(a, c);
  auto low = ConstantBelow(rest), high = ConstantAbove(rest);
  if (low && high && *low >= 0 && *high < c) return quotient;
  int64_t unit = 1;
  if (auto split = SplitOffUnits(rest, c, &unit)) {
    return quotient + DivideByConstant(split->quotient, c / unit);
  }
  // floordiv(floordiv(x, d), c) is floordiv(x, d*c).
  if (rest.terms.size() == 1 && rest.constant == 0 && rest.terms.begin()->second == 1 &&
      rest.terms.begin()->first.size() == 1) {
    auto binary = BinaryAt(rest.terms.begin()->first[0]);
    if (binary && (binary->op == BinaryOp::kDiv || binary->op == BinaryOp::kFloorDiv)) {
      Polynomial x = ToPolynomial(binary->a), d = ToPolynomial(binary->b);
      bool fits = d.IsConstant() && d.constant > 0 && d.constant <= INT32_MAX / c;
      if (fits) return quotient + DivideByConstant(x, d.constant * c);
    }
  }
  return quotient + DivisionAtom(true, rest, ConstantPolynomial(c));
}

Polynomial Simplifier::RemainderByConstant(const Polynomial& a, int64_t c) {
  if (c == 1) return {};
  if (MayWrap(a)) return DivisionAtom(false, a, ConstantPolynomial(c));
  Polynomial rest = SplitBy(a, c).rest;
  auto low = ConstantBelow(rest), high = ConstantAbove(rest);
  if (low && high && *low >= 0 && *high < c) return rest;
  int64_t unit = 1;
  if (auto split = SplitOffUnits(rest, c, &unit)) {
    return RemainderByConstant(split->quotient, c / unit) * unit + split->rest;
  }
  // floormod(floormod(x, d), c) is floormod(x, c) when c divides d.
  if (rest.terms.size() == 1 && rest.constant == 0 && rest.terms.begin()->second == 1 &&
      rest.terms.begin()->first.size() == 1) {
    auto binary = BinaryAt(rest.terms.begin()->first[0]);
    if (binary && (binary->op == BinaryOp::kMod || binary->op == BinaryOp::kFloorMod)) {
      Polynomial x = ToPolynomial(binary->a), d = ToPolynomial(binary->b);
      if (d.IsConstant() && d.constant > 0 && d.constant % c == 0) return RemainderByConstant(x, c);
    }
  }
  return DivisionAtom(false, rest, ConstantPolynomial(c));
}

// Division by sizes: a = b*quotient + rest where b is a single product, if the rest is known to be
// in [0, b).
std::optional<Simplifier::Split> Simplifier::SplitBySizes(const Polynomial& a,
                                                          const Polynomial& b) {
  Split split;
  if (b.terms.size() == 1 && b.constant == 0) {
    const auto& [divisor, scale] = *b.terms.begin();
    for (const auto& [monomial, coefficient] : a.terms) {
      Monomial left = monomial;
      bool divides = coefficient % scale == 0;
      for (ExprId factor : divisor) {
        auto found = std::find(left.begin(), left.end(), factor);
        divides &= found != left.end();
        if (!divides) break;
        left.erase(found);
      }
      if (divides) {
        split.quotient.AddTerm(left, coefficient / scale);
      } else {
        split.rest.AddTerm(monomial, coefficient);
      }
    }
    split.rest.constant = a.constant;
  } else {
    split.rest = a;
  }
  bool inside = ProvablyNonNegative(split.rest) &&
                ProvablyNonNegative(b - split.rest - ConstantPolynomial(1));
  if (!inside) {
    auto above = Above(split.rest);
    inside = ProvablyNonNegative(split.rest) && above &&
             ProvablyNonNegative(b - *above - ConstantPolynomial(1));
  }
  if (!inside) return std::nullopt;
  return split;
}

Polynomial Simplifier::DivisionAtom(bool quotient, const Polynomial& a, const Polynomial& b) {
  bool non_negative = ProvablyNonNegative(a) && ProvablyNonNegative(b);
  BinaryOp op = quotient ? (non_negative ? BinaryOp::kDiv : BinaryOp::kFloorDiv)
                         : (non_negative ? BinaryOp::kMod : BinaryOp::kFloorMod);
  ExprId atom = build_.Apply(op, FromPolynomial(a), FromPolynomial(b));
  if (const Scalar* value = build_.ConstantValue(atom)) return ConstantPolynomial(value->integer);
  return Atom(atom);
}

Polynomial Simplifier::Divide(const Polynomial& a, const Polynomial& b) {
  if (b.IsConstant() && b.constant > 0) return DivideByConstant(a, b.constant);
  if (!b.IsConstant()) {
    if (auto split = SplitBySizes(a, b)) return split->quotient;
  }
  return DivisionAtom(true, a, b);
}

Polynomial Simplifier::Remainder(const Polynomial& a, const Polynomial& b) {
  if (b.IsConstant() && b.constant > 0) return RemainderByConstant(a, b.constant);
  if (!b.IsConstant()) {
    if (auto split = SplitBySizes(a, b)) return split->rest;
  }
  return DivisionAtom(false, a, b);
}

Polynomial Simplifier::Smaller(BinaryOp op, const Polynomial& a, const Polynomial& b) {
  bool min = op == BinaryOp::kMin, wraps = MayWrap(a) || MayWrap(b);
  if (!wraps && ProvablyNonNegative(b - a)) return min ? a : b;
  if (!wraps && ProvablyNonNegative(a - b)) return min ? b : a;
  return Atom(build_.Apply(op, FromPolynomial(a), FromPolynomial(b)));
}

// k*(x % c) + k*c*(x / c) is k*x. Repeats, since one merge may enable the next: positions are
// often split into more than two coordinates.
Polynomial Simplifier::Recombine(Polynomial p) {
  while (RecombineOnce(p)) {
  }
  return p;
}

bool Simplifier::RecombineOnce(Polynomial& p) {
  for (const auto& [monomial, coefficient] : p.terms) {
    for (size_t i = 0; i < monomial.size(); ++i) {
      auto binary = BinaryAt(monomial[i]);
      if (!binary || (binary->op != BinaryOp::kMod && binary->op != BinaryOp::kFloorMod)) continue;
      Polynomial x = ToPolynomial(binary->a), c = ToPolynomial(binary->b);
      Polynomial others = ConstantPolynomial(1);
      for (size_t j = 0; j < monomial.size(); ++j) {
        if (j != i) others = others * Atom(monomial[j]);
      }
      // What would have to be there: coefficient * others * c * (x / c).
      Polynomial whole = others * c * Divide(x, c) * coefficient;
      bool present = !whole.terms.empty() && whole.constant == 0;
      for (const auto& [m, k] : whole.terms) {
        auto found = p.terms.find(m);
        present &= found != p.terms.end() && found->second == k;
      }
      if (!present) continue;
      Polynomial part;
      part.AddTerm(monomial, coefficient);
      p = p - whole - part + others * x * coefficient;
      return true;
    }
  }
  return false;
}

}  // namespace webnnc::loop
