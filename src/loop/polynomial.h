// Polynomial: an index expression as a sum of products, the form in which equal indices are equal
// and in which division can be simplified.
//
//   (i*56 + j)*64 + c  ->  3584*i + 64*j + c
//
// Arithmetic that leaves 64 bits saturates, as that of Dim does: what sizes are told to be may be
// anything, and nothing is decided by numbers that large.
//
// The factors of a product are expressions of the kernel that are not sums or products
// themselves: variables, sizes, divisions, loads.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// Sorted by id; never empty in a Polynomial's terms.
using Monomial = std::vector<ExprId>;

struct Polynomial {
  std::map<Monomial, int64_t> terms;  // no coefficient is 0
  int64_t constant = 0;

  bool IsConstant() const { return terms.empty(); }
  void AddTerm(const Monomial& monomial, int64_t coefficient);
  friend bool operator==(const Polynomial&, const Polynomial&) = default;
};

Polynomial operator+(Polynomial a, const Polynomial& b);
Polynomial operator-(Polynomial a, const Polynomial& b);
Polynomial operator*(const Polynomial& a, const Polynomial& b);
Polynomial operator*(Polynomial a, int64_t scale);
inline Polynomial ConstantPolynomial(int64_t value) { return {{}, value}; }

}  // namespace webnnc::loop
