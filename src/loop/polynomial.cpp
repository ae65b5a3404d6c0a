#include "loop/polynomial.h"

#include <algorithm>

namespace webnnc::loop {

void Polynomial::AddTerm(const Monomial& monomial, int64_t coefficient) {
  if (monomial.empty()) {
    constant += coefficient;
    return;
  }
  auto [it, inserted] = terms.emplace(monomial, coefficient);
  if (!inserted) it->second += coefficient;
  if (it->second == 0) terms.erase(it);
}

Polynomial operator+(Polynomial a, const Polynomial& b) {
  a.constant += b.constant;
  for (const auto& [monomial, coefficient] : b.terms) a.AddTerm(monomial, coefficient);
  return a;
}

Polynomial operator-(Polynomial a, const Polynomial& b) {
  a.constant -= b.constant;
  for (const auto& [monomial, coefficient] : b.terms) a.AddTerm(monomial, -coefficient);
  return a;
}

Polynomial operator*(Polynomial a, int64_t scale) {
  if (scale == 0) return {};
  a.constant *= scale;
  for (auto& [monomial, coefficient] : a.terms) coefficient *= scale;
  return a;
}

Polynomial operator*(const Polynomial& a, const Polynomial& b) {
  Polynomial out = a * b.constant;
  for (const auto& [y, scale] : b.terms) {
    out.AddTerm(y, a.constant * scale);
    for (const auto& [x, coefficient] : a.terms) {
      Monomial product;
      std::merge(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(product));
      out.AddTerm(product, coefficient * scale);
    }
  }
  return out;
}

}  // namespace webnnc::loop
