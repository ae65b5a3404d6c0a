// What is known of a size whatever its symbols are.
#include <algorithm>
#include <numeric>

#include "tensor/dim_parts.h"

namespace webnnc {

static int64_t Quotient(int64_t a, int64_t b) { return Saturate(FloorDivide(a, b)); }

Range RangeOf(DimAtom::Kind kind, const Range& a, const Range& b) {
  switch (kind) {
    case DimAtom::Kind::kFloorDiv: {
      // By 0 it is 0.
      if (a.low && *a.low >= 0 && b.low == 0) return {0, a.high};
      if (!b.low || *b.low <= 0) return {};
      Range out;
      if (a.low)
        out.low = *a.low >= 0 ? (b.high ? Quotient(*a.low, *b.high) : 0) : Quotient(*a.low, *b.low);
      if (a.high)
        out.high =
            *a.high >= 0 ? Quotient(*a.high, *b.low) : (b.high ? Quotient(*a.high, *b.high) : -1);
      return out;
    }
    case DimAtom::Kind::kMod:
      if (!b.low || *b.low <= 0) return {};
      return {0, b.high ? std::optional(*b.high - 1) : std::nullopt};
    case DimAtom::Kind::kMin: {
      Range out;
      if (a.low && b.low) out.low = std::min(*a.low, *b.low);
      if (a.high || b.high)
        out.high = std::min(a.high.value_or(kLargest), b.high.value_or(kLargest));
      return out;
    }
    case DimAtom::Kind::kMax: {
      Range out;
      if (a.high && b.high) out.high = std::max(*a.high, *b.high);
      if (a.low || b.low) out.low = std::max(a.low.value_or(-kLargest), b.low.value_or(-kLargest));
      return out;
    }
    // One of the two.
    case DimAtom::Kind::kBroadcast: {
      Range out;
      if (a.low && b.low) out.low = std::min(*a.low, *b.low);
      if (a.high && b.high) out.high = std::max(*a.high, *b.high);
      return out;
    }
    case DimAtom::Kind::kSymbol: break;
  }
  return {};
}

static Range RangeOf(const DimAtom& atom) {
  if (atom.kind == DimAtom::Kind::kSymbol) return {0, std::nullopt};
  return FunctionOf(atom).range;
}

Range RangeOf(const Dim& dim) {
  Range sum{dim.constant(), dim.constant()};
  for (const DimTerm& term : dim.terms()) {
    Range product{1, 1};
    for (const DimAtom& atom : term.factors) {
      Range factor = RangeOf(atom);
      // A lone factor may be negative.
      if (term.factors.size() == 1) {
        product = factor;
        break;
      }
      // Products of anything that may be negative are left unbounded.
      bool known = product.low && *product.low >= 0 && factor.low && *factor.low >= 0;
      if (!known) {
        product = {};
        break;
      }
      product.low = SaturatingMul(*product.low, *factor.low);
      product.high = product.high && factor.high
                         ? std::optional(SaturatingMul(*product.high, *factor.high))
                         : std::nullopt;
    }
    if (term.coefficient < 0) std::swap(product.low, product.high);
    auto add = [&](std::optional<int64_t>& total, const std::optional<int64_t>& part) {
      if (!total || !part) {
        total.reset();
      } else {
        total = SaturatingAdd(*total, SaturatingMul(*part, term.coefficient));
      }
    };
    add(sum.low, product.low);
    add(sum.high, product.high);
  }
  return sum;
}

DimFunction::DimFunction(DimAtom::Kind kind, const Dim& a, const Dim& b)
    : pair(a, b),
      range(RangeOf(kind, RangeOf(a), RangeOf(b))),
      parts(1 + PartsOf(a.terms()) + PartsOf(b.terms())) {}

std::optional<int64_t> LowerBound(const Dim& dim) { return RangeOf(dim).low; }
std::optional<int64_t> UpperBound(const Dim& dim) { return RangeOf(dim).high; }

// The function that `dim` is, if it is nothing more.
static const DimAtom* FunctionOf(const Dim& dim, DimAtom::Kind kind) {
  bool is_atom = dim.constant() == 0 && dim.terms().size() == 1 &&
                 dim.terms()[0].coefficient == 1 && dim.terms()[0].factors.size() == 1;
  if (!is_atom || dim.terms()[0].factors[0].kind != kind) return nullptr;
  return &dim.terms()[0].factors[0];
}

bool ProvablyLessEqual(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) return a.value() <= b.value();
  // One of the two is enough: min(n,300) is at most n, whatever n is.
  if (auto* least = FunctionOf(a, DimAtom::Kind::kMin)) {
    const auto& [x, y] = *least->arguments;
    if (ProvablyLessEqual(x, b) || ProvablyLessEqual(y, b)) return true;
  }
  if (auto* most = FunctionOf(b, DimAtom::Kind::kMax)) {
    const auto& [x, y] = *most->arguments;
    if (ProvablyLessEqual(a, x) || ProvablyLessEqual(a, y)) return true;
  }
  if (HasOverflowed(a, b)) return false;
  Dim difference = b - a;
  // Near the ends of 64 bits it may be that only the difference does not fit.
  if (HasOverflowed(difference)) {
    auto high = UpperBound(a), low = LowerBound(b);
    return high && low && *high <= *low;
  }
  auto low = LowerBound(difference);
  return low && *low >= 0;
}

bool ProvablyLess(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) return a.value() < b.value();
  return ProvablyLessEqual(a + 1, b);
}

uint64_t Magnitude(int64_t value) {
  auto bits = static_cast<uint64_t>(value);
  return value < 0 ? 0 - bits : bits;
}

int64_t KnownDivisor(const Dim& dim) {
  uint64_t divisor = Magnitude(dim.constant());
  for (const DimTerm& term : dim.terms()) divisor = std::gcd(divisor, Magnitude(term.coefficient));
  // Of 2^63, which does not fit, the half divides as well.
  return static_cast<int64_t>(divisor > Magnitude(kLargest) ? divisor / 2 : divisor);
}

bool MayBeOne(const Dim& dim) {
  return KnownDivisor(dim) == 1 && !ProvablyLess(1, dim) && !ProvablyLess(dim, 1);
}

bool IsAbsurd(const Dim& dim) {
  constexpr uint64_t kAbsurd = uint64_t{1} << 47;
  if (HasOverflowed(dim) || Magnitude(dim.constant()) >= kAbsurd) return true;
  return std::any_of(dim.terms().begin(), dim.terms().end(),
                     [](const DimTerm& term) { return Magnitude(term.coefficient) >= kAbsurd; });
}

}  // namespace webnnc
