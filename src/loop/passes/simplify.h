#pragma once

#include <optional>
#include <unordered_map>

#include "loop/builder.h"
#include "loop/kernel.h"
#include "loop/polynomial.h"

namespace webnnc::loop {

// Simplifies expressions under what is known of their variables: 0 <= i < extent for a loop over
// i. Indices become sums of products with the outermost loops' terms first, so that what does not
// change in an inner loop is a subexpression of its own:
//
//   (m*64 + t)/8*8 + (m*64 + t)%8      ->  m*64 + t
//   (q*4 + v) / 64                     ->  q / 16            when 0 <= v < 4
//   q*4 + v < 64                       ->  q < 16
//
// Division. With d > 0, floordiv(d*q + r, d) = q + floordiv(r, d) and floormod(d*q + r, d) =
// floormod(r, d) for all q and r; the rest is knowing bounds of r. For c = g*d and 0 <= s < g,
// floordiv(g*a + s, c) = floordiv(a, d). Both are how Halide's and TVM's simplifiers reason.
// Where the dividend is known to be at least 0, floordiv becomes '/' and floormod '%', which
// targets have.
class Simplifier {
 public:
  explicit Simplifier(Kernel& kernel) : kernel_(kernel), build_(kernel) {}

  // Says that 0 <= var < extent. Variables bound later are deeper.
  void Bind(VarId var, const Dim& extent);
  // Says that var always has this value.
  void Define(VarId var, ExprId value);
  ExprId operator()(ExprId id);

  // The index `id` as a sum of products.
  Polynomial ToPolynomial(ExprId id);
  ExprId FromPolynomial(const Polynomial& p);

  // Whether this holds for all values of the variables, as far as can be seen.
  bool ProvablyNonNegative(const Polynomial& p);
  // An integer that p is never above (below), if one is known.
  std::optional<int64_t> ConstantAbove(const Polynomial& p);
  std::optional<int64_t> ConstantBelow(const Polynomial& p);
  // The largest integer known to divide p; 0 for 0.
  int64_t KnownDivisor(const Polynomial& p);
  // How deep the innermost loop is that p depends on; 0 for none.
  int Depth(ExprId id);

 private:
  ExprId Compute(ExprId id);
  std::optional<Binary> BinaryAt(ExprId id) const;
  // The index that an i64 was widened from, limits aside that every i32 is within:
  // min(i64(i), 2147483647:i64).
  std::optional<ExprId> BeforeWidening(ExprId id) const;
  ExprId SimplifyIndex(ExprId id);
  ExprId SimplifyComparison(const Binary& binary);

  Polynomial Compound(ExprId id);
  Polynomial OfDim(const Dim& dim);
  Polynomial OfAtom(const DimAtom& atom);
  Polynomial Atom(ExprId id);
  Polynomial Divide(const Polynomial& a, const Polynomial& b);
  Polynomial Remainder(const Polynomial& a, const Polynomial& b);
  Polynomial DivideByConstant(const Polynomial& a, int64_t c);
  Polynomial RemainderByConstant(const Polynomial& a, int64_t c);
  Polynomial DivisionAtom(bool quotient, const Polynomial& a, const Polynomial& b);
  Polynomial Smaller(BinaryOp op, const Polynomial& a, const Polynomial& b);
  Polynomial Recombine(Polynomial p);
  bool RecombineOnce(Polynomial& p);

  // a = c*quotient + rest, with the rest as small as coefficients allow.
  struct Split {
    Polynomial quotient, rest;
  };
  Split SplitBy(const Polynomial& a, int64_t c);
  std::optional<Split> SplitOffUnits(const Polynomial& rest, int64_t c, int64_t* unit);
  std::optional<Split> SplitBySizes(const Polynomial& a, const Polynomial& b);

  // Loops' variables and indices never leave i32, what tensors hold may: sums and products of
  // it are right whatever they are modulo 2^32, but they have no order and no quotients.
  bool IsData(ExprId id);
  bool HasData(const Polynomial& p);
  // Whether p is computed from what tensors hold, and may be outside of i32.
  bool MayWrap(const Polynomial& p);
  // p with coefficients that i32 holds, which is the same modulo 2^32.
  Polynomial Wrapped(Polynomial p);
  bool IsNatural(const Polynomial& p) { return !MayWrap(p) && ProvablyNonNegative(p); }
  // The number of factors of the longest product.
  static int Degree(const Polynomial& p);

  // A polynomial in sizes alone that is never below (above) p.
  std::optional<Polynomial> Above(const Polynomial& p);
  std::optional<Polynomial> Below(const Polynomial& p);
  struct Bounds {
    std::optional<Polynomial> low, high;
  };
  Bounds BoundsOf(ExprId atom);
  Bounds ComputeBounds(ExprId atom);

  Kernel& kernel_;
  Builder build_;
  struct Binding {
    Dim extent;
    int depth;
  };
  std::unordered_map<VarId, Binding> bound_;
  std::unordered_map<VarId, ExprId> defined_;
  std::unordered_map<ExprId, ExprId> done_;
  std::unordered_map<ExprId, Polynomial> polynomials_;
  std::unordered_map<ExprId, int> depths_;
  std::unordered_map<ExprId, Bounds> bounds_;
  std::unordered_map<ExprId, bool> is_data_;
};

// Simplifies every expression of `kernel`, removes conditions that always hold, and what runs
// under conditions or loops that never do.
void Simplify(Kernel& kernel);

}  // namespace webnnc::loop
