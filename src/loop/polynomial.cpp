#include "loop/polynomial.h"

#include <algorithm>
#include <limits>

namespace webnnc::loop {

static int64_t Saturate(__int128 value) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  if (value > kLargest) return kLargest;
  return value < -kLargest ? -kLargest : static_cast<int64_t>(value);
}
static int64_t Sum(int64_t a, int64_t b) { return Saturate(static_cast<__int128>(a) + b); }
static int64_t Product(int64_t a, int64_t b) { return Saturate(static_cast<__int128>(a) * b); }

void Polynomial::AddTerm(const Monomial& monomial, int64_t coefficient) {
  if (monomial.empty()) {
    constant = Sum(constant, coefficient);
    return;
  }
  auto [it, inserted] = terms.emplace(monomial, coefficient);
  if (!inserted) it->second = Sum(it->second, coefficient);
  if (it->second == 0) terms.erase(it);
}

Polynomial operator+(Polynomial a, const Polynomial& b) {
  a.constant = Sum(a.constant, b.constant);
  for (const auto& [monomial, coefficient] : b.terms) a.AddTerm(monomial, coefficient);
  return a;
}

Polynomial operator-(Polynomial a, const Polynomial& b) {
  a.constant = Sum(a.constant, Product(b.constant, -1));
  for (const auto& [monomial, coefficient] : b.terms) a.AddTerm(monomial, Product(coefficient, -1));
  return a;
}

Polynomial operator*(Polynomial a, int64_t scale) {
  if (scale == 0) return {};
  a.constant = Product(a.constant, scale);
  for (auto& [monomial, coefficient] : a.terms) coefficient = Product(coefficient, scale);
  return a;
}

Polynomial operator*(const Polynomial& a, const Polynomial& b) {
  Polynomial out = a * b.constant;
  for (const auto& [y, scale] : b.terms) {
    out.AddTerm(y, Product(a.constant, scale));
    for (const auto& [x, coefficient] : a.terms) {
      Monomial product;
      std::merge(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(product));
      out.AddTerm(product, Product(coefficient, scale));
    }
  }
  return out;
}

}  // namespace webnnc::loop
