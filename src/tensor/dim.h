// Dim: a size that is an integer or an expression over named symbols.
//
//   batch      2*seq+past      floordiv(h-1,2)+1      max(n,4)      broadcast(n,m)
//
// A Dim is kept as a polynomial with integer coefficients. Its atoms are symbols and the functions
// floordiv, mod, min, max and broadcast, whose arguments are Dims. Sums and products are always
// expanded and sorted, so two Dims that are equal as polynomials compare equal; floordiv and mod
// are simplified where that is exact. Symbols stand for integers that are at least 0.
//
// Arithmetic that leaves 64 bits saturates; importers refuse sizes that large by IsAbsurd.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/lexer.h"
#include "base/result.h"

namespace webnnc {

class Dim;

// The value of each symbol.
using SymbolValues = std::map<std::string, int64_t>;

// A factor of a product: a symbol, or a function of two Dims.
struct DimAtom {
  enum class Kind : uint8_t { kSymbol, kFloorDiv, kMod, kMin, kMax, kBroadcast };
  Kind kind = Kind::kSymbol;
  std::string symbol;
  std::shared_ptr<const std::pair<Dim, Dim>> arguments;

  friend bool operator==(const DimAtom& a, const DimAtom& b) { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(const DimAtom& a, const DimAtom& b);
};

struct DimTerm {
  std::vector<DimAtom> factors;  // sorted, never empty
  int64_t coefficient = 0;       // never 0
};

class Dim {
 public:
  Dim(int64_t value = 0) : constant_(value) {}
  static Dim Symbol(std::string name);

  bool IsConstant() const { return terms_.empty(); }
  // The value of a constant Dim.
  int64_t value() const {
    CHECK(IsConstant());
    return constant_;
  }
  bool Is(int64_t value) const { return IsConstant() && constant_ == value; }

  // The polynomial: constant() plus the sum of the terms.
  int64_t constant() const { return constant_; }
  const std::vector<DimTerm>& terms() const { return terms_; }

  // What every symbol stands for must be given.
  int64_t Evaluate(const SymbolValues& symbols) const;
  // With the given symbols replaced, the others kept.
  Dim Substitute(const SymbolValues& symbols) const;
  void CollectSymbols(std::set<std::string>& into) const;

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b) { return (a <=> b) == 0; }
  // An arbitrary total order; not an order of sizes.
  friend std::strong_ordering operator<=>(const Dim& a, const Dim& b);

 private:
  friend class DimBuilder;
  int64_t constant_ = 0;
  std::vector<DimTerm> terms_;  // sorted by factors, each product once
};

// The symbol that `dim` is, if it is nothing more.
std::optional<std::string> SymbolOf(const Dim& dim);

// Rounded toward minus infinity. A constant divisor must not be 0.
Dim FloorDiv(const Dim& a, const Dim& b);
Dim CeilDiv(const Dim& a, const Dim& b);
// a - b * floordiv(a, b)
Dim Mod(const Dim& a, const Dim& b);
Dim Min(const Dim& a, const Dim& b);
Dim Max(const Dim& a, const Dim& b);

// What sizes broadcast to if all that are not 1 are equal: that size, or 1. Where they are not, it
// means nothing. Each size counts once, so broadcast(broadcast(n,m),n) is broadcast(m,n), and what
// is never 1 decides: broadcast(n,4) is 4.
Dim BroadcastSize(const Dim& a, const Dim& b);
// The sizes that `dim` was broadcast from; `dim` itself if it was not.
std::vector<Dim> BroadcastParts(const Dim& dim);

// a / b if b divides a for every value of the symbols, as far as this can be seen.
std::optional<Dim> ExactDiv(const Dim& a, const Dim& b);

// Bounds that hold for every value of the symbols. There may be no upper bound.
std::optional<int64_t> LowerBound(const Dim& dim);
std::optional<int64_t> UpperBound(const Dim& dim);
// Whether this holds for every value of the symbols, as far as it can be seen.
bool ProvablyLess(const Dim& a, const Dim& b);
bool ProvablyLessEqual(const Dim& a, const Dim& b);
// Whether some values of the symbols may make it 1, as far as it can be seen.
bool MayBeOne(const Dim& dim);
// The largest integer known to divide `dim` for every value of the symbols; 0 for 0.
int64_t KnownDivisor(const Dim& dim);

// Too large to be a size anyone means: at least 2^47.
bool IsAbsurd(const Dim& dim);

std::string Print(const Dim& dim);
Result<Dim> ParseDim(Lexer& lexer);

}  // namespace webnnc
