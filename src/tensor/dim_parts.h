// What the files of Dim share and nobody else needs.
#pragma once

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "tensor/overflow.h"

namespace webnnc {

inline constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

// What sums and products of 64 bits are computed in before it is looked whether they fit.
using Wide = __int128;

inline bool Fits(Wide value) {
  return value >= std::numeric_limits<int64_t>::min() && value <= kLargest;
}

inline Wide FloorDivide(Wide a, Wide b) {
  if (b == 0) return 0;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

inline bool Divides(Wide divisor, Wide a) { return a % divisor == 0; }

inline Dim Overflow() { return Dim(kLargest); }

inline Dim Narrow(Wide value) {
  return Fits(value) ? Dim(static_cast<int64_t>(value)) : Overflow();
}

// Of bounds, which stay true when they saturate.
inline int64_t Saturate(Wide value) {
  return Fits(value) ? static_cast<int64_t>(value) : value < 0 ? -kLargest : kLargest;
}
inline int64_t SaturatingAdd(int64_t a, int64_t b) { return Saturate(Wide{a} + b); }
inline int64_t SaturatingMul(int64_t a, int64_t b) { return Saturate(Wide{a} * b); }

struct Range {
  std::optional<int64_t> low, high;
};

// What an atom's arguments are, with what would take long to find out again and again where
// functions nest: every pair of arguments is one of these (FromAtom).
struct DimFunction : std::pair<Dim, Dim> {
  DimFunction(DimAtom::Kind kind, const Dim& a, const Dim& b);
  Range range;
  // Symbols and functions, those inside arguments included.
  int64_t parts = 0;
};

inline const DimFunction& FunctionOf(const DimAtom& atom) {
  return static_cast<const DimFunction&>(*atom.arguments);
}

inline bool HasOverflowed(const Dim& a, const Dim& b) {
  return HasOverflowed(a) || HasOverflowed(b);
}

// The function of two sizes.
Dim Apply(DimAtom::Kind kind, const Dim& a, const Dim& b);
// The atom that `dim` is, or null if it is anything else.
const DimAtom* LoneAtom(const Dim& dim);
// What a function is of: two sizes, or all those that were broadcast.
std::vector<Dim> ArgumentsOf(const DimAtom& atom);
// The bounds of a function's value, by those of its arguments.
Range RangeOf(DimAtom::Kind kind, const Range& a, const Range& b);
Range RangeOf(const Dim& dim);
// Symbols and functions in terms, those inside arguments included.
int64_t PartsOf(const std::vector<DimTerm>& terms);
// Without its sign; of the least number, too.
uint64_t Magnitude(int64_t value);

}  // namespace webnnc
