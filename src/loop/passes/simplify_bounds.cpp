// What the simplifier knows of an index: bounds, divisors, and whether it may leave i32 at all.
#include <algorithm>
#include <numeric>

#include "loop/passes/simplify.h"

namespace webnnc::loop {

// ---- Bounds -----------------------------------------------------------------------------------

Simplifier::Bounds Simplifier::BoundsOf(ExprId atom) {
  // Each level asks for its operands' bounds more than once.
  if (auto known = bounds_.find(atom); known != bounds_.end()) return known->second;
  Bounds bounds = ComputeBounds(atom);
  bounds_.emplace(atom, bounds);
  return bounds;
}

Simplifier::Bounds Simplifier::ComputeBounds(ExprId atom) {
  Expr expr = kernel_.exprs[atom];
  if (auto* variable = std::get_if<Variable>(&expr.node)) {
    auto range = bound_.find(variable->var);
    if (range == bound_.end()) return {};
    return {Polynomial{}, OfDim(range->second.extent) - ConstantPolynomial(1)};
  }
  if (auto* size = std::get_if<Size>(&expr.node)) {
    auto low = LowerBound(size->dim);
    if (low && *low >= 0) return {Atom(atom), Atom(atom)};
    return {};
  }
  if (auto* select = std::get_if<Select>(&expr.node)) {
    // Enough for a clamped index: both sides constant bounds.
    auto low_a = ConstantBelow(ToPolynomial(select->yes)),
         low_b = ConstantBelow(ToPolynomial(select->no));
    auto high_a = ConstantAbove(ToPolynomial(select->yes)),
         high_b = ConstantAbove(ToPolynomial(select->no));
    Bounds bounds;
    if (low_a && low_b) bounds.low = ConstantPolynomial(std::min(*low_a, *low_b));
    if (high_a && high_b) bounds.high = ConstantPolynomial(std::max(*high_a, *high_b));
    return bounds;
  }
  auto* binary = std::get_if<Binary>(&expr.node);
  if (!binary) return {};
  Polynomial a = ToPolynomial(binary->a), b = ToPolynomial(binary->b);
  switch (binary->op) {
    case BinaryOp::kDiv:
    case BinaryOp::kFloorDiv: {
      Bounds bounds;
      if (!b.IsConstant() || b.constant <= 0) {
        // A divisor of at least 1 does not make the dividend larger.
        if (ProvablyNonNegative(a)) bounds = {Polynomial{}, Above(a)};
        return bounds;
      }
      auto low = ConstantBelow(a), high = ConstantAbove(a);
      auto floor_div = [&](int64_t x) {
        return (x - (((x % b.constant) + b.constant) % b.constant)) / b.constant;
      };
      if (low) bounds.low = ConstantPolynomial(floor_div(*low));
      if (!low && ProvablyNonNegative(a)) bounds.low = Polynomial{};
      if (high) bounds.high = ConstantPolynomial(floor_div(*high));
      if (!high && ProvablyNonNegative(a)) bounds.high = Above(a);
      return bounds;
    }
    case BinaryOp::kMod:
      if (!ProvablyNonNegative(a)) return {};
      [[fallthrough]];
    case BinaryOp::kFloorMod:
      if (b.IsConstant() && b.constant <= 0) return {};
      if (auto above = Above(b)) return {Polynomial{}, *above - ConstantPolynomial(1)};
      return {};
    case BinaryOp::kMin: {
      Bounds bounds;
      auto low_a = ConstantBelow(a), low_b = ConstantBelow(b);
      if (low_a && low_b) bounds.low = ConstantPolynomial(std::min(*low_a, *low_b));
      auto high_a = ConstantAbove(a), high_b = ConstantAbove(b);
      if (high_a && high_b) {
        bounds.high = ConstantPolynomial(std::min(*high_a, *high_b));
      } else {
        bounds.high = b.IsConstant() ? Above(a) : Above(b);
        if (high_a) bounds.high = ConstantPolynomial(*high_a);
        if (high_b) bounds.high = ConstantPolynomial(*high_b);
      }
      return bounds;
    }
    case BinaryOp::kMax: {
      Bounds bounds;
      auto high_a = ConstantAbove(a), high_b = ConstantAbove(b);
      if (high_a && high_b) bounds.high = ConstantPolynomial(std::max(*high_a, *high_b));
      auto low_a = ConstantBelow(a), low_b = ConstantBelow(b);
      if (low_a || low_b) {
        bounds.low =
            ConstantPolynomial(std::max(low_a.value_or(INT32_MIN), low_b.value_or(INT32_MIN)));
      }
      return bounds;
    }
    default: return {};
  }
}

// Replaces each factor by its upper bound where the coefficient is positive and by its lower one
// where it is negative. Factors of a product must be known to be at least 0.
std::optional<Polynomial> Simplifier::Above(const Polynomial& p) {
  Polynomial sum = ConstantPolynomial(p.constant);
  for (const auto& [monomial, coefficient] : p.terms) {
    Polynomial product = ConstantPolynomial(coefficient);
    for (ExprId factor : monomial) {
      Bounds bounds = BoundsOf(factor);
      const auto& bound = coefficient > 0 ? bounds.high : bounds.low;
      if (!bound) return std::nullopt;
      if (monomial.size() > 1) {
        // low >= 0: every coefficient of a polynomial in sizes is at least 0.
        bool non_negative = bounds.low && bounds.low->constant >= 0;
        if (bounds.low) {
          for (const auto& [m, c] : bounds.low->terms) non_negative &= c >= 0;
        }
        if (!non_negative) return std::nullopt;
      }
      product = product * *bound;
    }
    sum = sum + product;
  }
  return sum;
}

std::optional<Polynomial> Simplifier::Below(const Polynomial& p) {
  auto above = Above(p * -1);
  if (!above) return std::nullopt;
  return *above * -1;
}

std::optional<int64_t> Simplifier::ConstantAbove(const Polynomial& p) {
  if (p.IsConstant()) return p.constant;
  auto above = Above(p);
  if (!above) return std::nullopt;
  // Sizes are at least 0, so terms below 0 may be left out.
  for (const auto& [monomial, coefficient] : above->terms) {
    if (coefficient > 0) return std::nullopt;
  }
  return above->constant;
}

std::optional<int64_t> Simplifier::ConstantBelow(const Polynomial& p) {
  auto above = ConstantAbove(p * -1);
  if (!above) return std::nullopt;
  return -*above;
}

bool Simplifier::ProvablyNonNegative(const Polynomial& p) {
  auto low = ConstantBelow(p);
  return low && *low >= 0;
}

// ---- What tensors hold ------------------------------------------------------------------------

int Simplifier::Degree(const Polynomial& p) {
  size_t degree = 0;
  for (const auto& [monomial, coefficient] : p.terms) degree = std::max(degree, monomial.size());
  return static_cast<int>(degree);
}

bool Simplifier::IsData(ExprId id) {
  auto found = is_data_.find(id);
  if (found != is_data_.end()) return found->second;
  const Expr expr = kernel_.exprs[id];
  bool is = std::holds_alternative<Load>(expr.node) || std::holds_alternative<Convert>(expr.node);
  if (auto* select = std::get_if<Select>(&expr.node)) {
    is = IsData(select->yes) || IsData(select->no);
  } else if (!is) {
    for (ExprId operand : Operands(expr)) is |= IsData(operand);
  }
  return is_data_[id] = is;
}

bool Simplifier::HasData(const Polynomial& p) {
  for (const auto& [monomial, coefficient] : p.terms) {
    for (ExprId factor : monomial) {
      if (IsData(factor)) return true;
    }
  }
  return false;
}

bool Simplifier::MayWrap(const Polynomial& p) {
  bool computed = Degree(p) > 1 || p.terms.size() + (p.constant != 0) > 1 ||
                  (!p.terms.empty() && p.terms.begin()->second != 1);
  if (!computed || !HasData(p)) return false;
  auto low = Below(p), high = Above(p);
  // What sizes bound is a place.
  return !low || !high || (low->IsConstant() && low->constant < INT32_MIN) ||
         (high->IsConstant() && high->constant > INT32_MAX);
}

Polynomial Simplifier::Wrapped(Polynomial p) {
  auto wrapped = [](int64_t value) { return static_cast<int64_t>(static_cast<int32_t>(value)); };
  bool fits = p.constant == wrapped(p.constant);
  for (const auto& [monomial, coefficient] : p.terms) fits &= coefficient == wrapped(coefficient);
  if (fits || !HasData(p)) return p;
  Polynomial out = ConstantPolynomial(wrapped(p.constant));
  for (const auto& [monomial, coefficient] : p.terms) {
    if (wrapped(coefficient) != 0) out.AddTerm(monomial, wrapped(coefficient));
  }
  return out;
}

int64_t Simplifier::KnownDivisor(const Polynomial& p) {
  int64_t divisor = std::abs(p.constant);
  for (const auto& [monomial, coefficient] : p.terms) {
    int64_t product = std::abs(coefficient);
    for (ExprId factor : monomial) {
      if (auto* size = std::get_if<Size>(&kernel_.exprs[factor].node)) {
        product *= std::max<int64_t>(1, webnnc::KnownDivisor(size->dim));
      }
      auto binary = BinaryAt(factor);
      // min(a, b) and max(a, b) are one of them.
      if (binary && (binary->op == BinaryOp::kMin || binary->op == BinaryOp::kMax)) {
        int64_t common =
            std::gcd(KnownDivisor(ToPolynomial(binary->a)), KnownDivisor(ToPolynomial(binary->b)));
        product *= std::max<int64_t>(1, common);
      }
    }
    divisor = std::gcd(divisor, product);
  }
  return divisor;
}

}  // namespace webnnc::loop
