#include "tensor/dim.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tensor/dim_parts.h"

namespace webnnc {

Dim Truncated(double value) {
  constexpr double kBeyond = 0x1p63;
  if (!(value > -kBeyond && value < kBeyond)) return Overflow();
  return Dim(static_cast<int64_t>(value));
}

bool HasOverflowed(const Dim& dim) { return dim.Is(kLargest); }

int64_t PartsOf(const std::vector<DimTerm>& terms) {
  int64_t parts = 0;
  for (const DimTerm& term : terms) {
    for (const DimAtom& atom : term.factors)
      parts += atom.kind == DimAtom::Kind::kSymbol ? 1 : FunctionOf(atom).parts;
  }
  return parts;
}

std::strong_ordering operator<=>(const DimAtom& a, const DimAtom& b) {
  if (auto order = a.kind <=> b.kind; order != 0) return order;
  if (a.kind == DimAtom::Kind::kSymbol) return a.symbol <=> b.symbol;
  if (a.arguments == b.arguments) return std::strong_ordering::equal;
  if (auto order = a.arguments->first <=> b.arguments->first; order != 0) return order;
  return a.arguments->second <=> b.arguments->second;
}

static std::strong_ordering CompareFactors(const std::vector<DimAtom>& a,
                                           const std::vector<DimAtom>& b) {
  // Longer products first, so that a polynomial prints from its highest degree down.
  if (auto order = b.size() <=> a.size(); order != 0) return order;
  for (size_t i = 0; i < a.size(); ++i) {
    if (auto order = a[i] <=> b[i]; order != 0) return order;
  }
  return std::strong_ordering::equal;
}

std::strong_ordering operator<=>(const Dim& a, const Dim& b) {
  if (auto order = a.terms_.size() <=> b.terms_.size(); order != 0) return order;
  for (size_t i = 0; i < a.terms_.size(); ++i) {
    if (auto order = CompareFactors(a.terms_[i].factors, b.terms_[i].factors); order != 0)
      return order;
    if (auto order = a.terms_[i].coefficient <=> b.terms_[i].coefficient; order != 0) return order;
  }
  return a.constant_ <=> b.constant_;
}

// Assembles a Dim from terms in any order. What leaves 64 bits on the way may come back to them.
class DimBuilder {
 public:
  void Add(std::vector<DimAtom> factors, Wide coefficient) {
    if (factors.empty()) return AddConstant(coefficient);
    std::sort(factors.begin(), factors.end());
    terms_.push_back({std::move(factors), coefficient});
  }
  void AddConstant(Wide value) {
    overflowed_ |= __builtin_add_overflow(constant_, value, &constant_);
  }
  void Add(const Dim& dim, int64_t scale) {
    overflowed_ |= HasOverflowed(dim);
    AddConstant(Wide{dim.constant_} * scale);
    for (const DimTerm& term : dim.terms_) {
      terms_.push_back({term.factors, Wide{term.coefficient} * scale});
    }
  }

  Dim Build() {
    if (overflowed_ || !Fits(constant_)) return Overflow();
    std::sort(terms_.begin(), terms_.end(), [](const WideTerm& a, const WideTerm& b) {
      return CompareFactors(a.factors, b.factors) < 0;
    });
    Dim out(static_cast<int64_t>(constant_));
    for (size_t i = 0; i < terms_.size();) {
      Wide sum = 0;
      size_t first = i;
      for (; i < terms_.size() && terms_[i].factors == terms_[first].factors; ++i)
        overflowed_ |= __builtin_add_overflow(sum, terms_[i].coefficient, &sum);
      if (overflowed_ || !Fits(sum)) return Overflow();
      if (sum != 0)
        out.terms_.push_back({std::move(terms_[first].factors), static_cast<int64_t>(sum)});
    }
    // No model means a size of this many terms or parts; squaring one again and again would fill
    // memory, and so would a function of two that are functions of two.
    constexpr int64_t kMostParts = 1024;
    bool absurd = out.terms_.size() > 128 || PartsOf(out.terms_) > kMostParts;
    for (const DimTerm& term : out.terms_) absurd |= term.factors.size() > 32;
    return absurd ? Overflow() : out;
  }

 private:
  struct WideTerm {
    std::vector<DimAtom> factors;
    Wide coefficient;
  };
  Wide constant_ = 0;
  bool overflowed_ = false;
  std::vector<WideTerm> terms_;
};

Dim Dim::Symbol(std::string name) {
  DimBuilder builder;
  builder.Add({DimAtom{DimAtom::Kind::kSymbol, std::move(name), nullptr}}, 1);
  return builder.Build();
}

// The atom that `dim` is, if it is nothing more.
const DimAtom* LoneAtom(const Dim& dim) {
  bool alone = dim.constant() == 0 && dim.terms().size() == 1 && dim.terms()[0].coefficient == 1 &&
               dim.terms()[0].factors.size() == 1;
  return alone ? &dim.terms()[0].factors[0] : nullptr;
}

static Dim FromAtom(DimAtom::Kind kind, const Dim& a, const Dim& b) {
  if (HasOverflowed(a, b)) return Overflow();
  DimBuilder builder;
  builder.Add({DimAtom{kind, "", std::make_shared<const DimFunction>(kind, a, b)}}, 1);
  return builder.Build();
}

Dim operator+(const Dim& a, const Dim& b) {
  DimBuilder builder;
  builder.Add(a, 1);
  builder.Add(b, 1);
  return builder.Build();
}

Dim operator-(const Dim& a, const Dim& b) {
  DimBuilder builder;
  builder.Add(a, 1);
  builder.Add(b, -1);
  return builder.Build();
}

Dim operator*(const Dim& a, const Dim& b) {
  if (HasOverflowed(a, b)) return Overflow();
  DimBuilder builder;
  builder.Add(a, b.constant());
  for (const DimTerm& y : b.terms()) {
    builder.Add(y.factors, Wide{a.constant()} * y.coefficient);
    for (const DimTerm& x : a.terms()) {
      std::vector<DimAtom> factors = x.factors;
      factors.insert(factors.end(), y.factors.begin(), y.factors.end());
      builder.Add(std::move(factors), Wide{x.coefficient} * y.coefficient);
    }
  }
  return builder.Build();
}

// The part of `a` that `b` divides term by term, and the rest: a = b * quotient + rest.
static std::pair<Dim, Dim> DivideTerms(const Dim& a, const Dim& b) {
  DimBuilder quotient, rest;
  if (b.IsConstant()) {
    int64_t divisor = b.value();
    for (const DimTerm& term : a.terms()) {
      Wide whole = Divides(divisor, term.coefficient) ? Wide{term.coefficient} / divisor : 0;
      quotient.Add(term.factors, whole);
      rest.Add(term.factors, term.coefficient - whole * divisor);
    }
    Wide whole = FloorDivide(a.constant(), divisor);
    quotient.AddConstant(whole);
    rest.AddConstant(a.constant() - whole * divisor);
    return {quotient.Build(), rest.Build()};
  }
  if (b.terms().size() != 1 || b.constant() != 0) {
    // Long division by a sum: only the exact multiple of the whole sum is looked for.
    const DimTerm& lead = b.terms()[0];
    Dim left = a, whole;
    for (int step = 0; step < 8 && !left.IsConstant(); ++step) {
      DimBuilder lead_builder;
      lead_builder.Add(lead.factors, lead.coefficient);
      auto [q, r] = DivideTerms(left, lead_builder.Build());
      if (q.Is(0)) break;
      whole = whole + q;
      left = left - q * b;
    }
    if (left.Is(0)) return {whole, Dim(0)};
    return {Dim(0), a};
  }
  const DimTerm& divisor = b.terms()[0];
  for (const DimTerm& term : a.terms()) {
    std::vector<DimAtom> factors = term.factors;
    bool divides = Divides(divisor.coefficient, term.coefficient);
    for (const DimAtom& atom : divisor.factors) {
      auto found = std::find(factors.begin(), factors.end(), atom);
      if (found == factors.end()) {
        divides = false;
        break;
      }
      factors.erase(found);
    }
    if (divides) {
      quotient.Add(factors, Wide{term.coefficient} / divisor.coefficient);
    } else {
      rest.Add(term.factors, term.coefficient);
    }
  }
  rest.AddConstant(a.constant());
  return {quotient.Build(), rest.Build()};
}

Dim FloorDiv(const Dim& a, const Dim& b) {
  CHECK(!b.Is(0));
  if (HasOverflowed(a, b)) return Overflow();
  if (a.IsConstant() && b.IsConstant()) return Narrow(FloorDivide(a.value(), b.value()));
  if (b.Is(1) || a.Is(0)) return a;
  auto [quotient, rest] = DivideTerms(a, b);
  if (rest.Is(0)) return quotient;
  // floordiv(b*q + r, b) is q + floordiv(r, b), whatever the signs.
  if (ProvablyLessEqual(0, rest) && ProvablyLess(rest, b)) return quotient;
  if (!quotient.Is(0)) return quotient + FloorDiv(rest, b);
  // floordiv(floordiv(x, c), d) is floordiv(x, c*d) for positive c and d.
  const DimAtom* atom = LoneAtom(a);
  if (b.IsConstant() && b.value() > 0 && atom && atom->kind == DimAtom::Kind::kFloorDiv &&
      atom->arguments->second.IsConstant() && atom->arguments->second.value() > 0) {
    Dim divisor = atom->arguments->second * b;
    if (!HasOverflowed(divisor)) return FloorDiv(atom->arguments->first, divisor);
  }
  return FromAtom(DimAtom::Kind::kFloorDiv, a, b);
}

Dim CeilDiv(const Dim& a, const Dim& b) {
  CHECK(!b.Is(0));
  if (HasOverflowed(a, b)) return Overflow();
  if (a.IsConstant() && b.IsConstant()) return Narrow(-FloorDivide(-Wide{a.value()}, b.value()));
  return FloorDiv(a + b - 1, b);
}

Dim TruncatingDiv(int64_t a, int64_t b) {
  CHECK(b != 0);
  return Narrow(Wide{a} / b);
}

Dim Mod(const Dim& a, const Dim& b) {
  CHECK(!b.Is(0));
  if (HasOverflowed(a, b)) return Overflow();
  if (a.IsConstant() && b.IsConstant()) {
    return Narrow(a.value() - FloorDivide(a.value(), b.value()) * b.value());
  }
  if (b.Is(1)) return 0;
  auto [quotient, rest] = DivideTerms(a, b);
  if (rest.Is(0)) return 0;
  if (ProvablyLessEqual(0, rest) && ProvablyLess(rest, b)) return rest;
  return FromAtom(DimAtom::Kind::kMod, rest, b);
}

Dim Min(const Dim& a, const Dim& b) {
  if (ProvablyLessEqual(a, b)) return a;
  if (ProvablyLessEqual(b, a)) return b;
  return a < b ? FromAtom(DimAtom::Kind::kMin, a, b) : FromAtom(DimAtom::Kind::kMin, b, a);
}

Dim Max(const Dim& a, const Dim& b) {
  if (ProvablyLessEqual(a, b)) return b;
  if (ProvablyLessEqual(b, a)) return a;
  return a < b ? FromAtom(DimAtom::Kind::kMax, a, b) : FromAtom(DimAtom::Kind::kMax, b, a);
}

// Those of broadcasts are one list: broadcast(k,m,n).
std::vector<Dim> ArgumentsOf(const DimAtom& atom) {
  const auto& [a, b] = *atom.arguments;
  if (atom.kind != DimAtom::Kind::kBroadcast) return {a, b};
  std::vector<Dim> parts = BroadcastParts(a);
  parts.push_back(b);
  return parts;
}

std::vector<Dim> BroadcastParts(const Dim& dim) {
  const DimAtom* atom = LoneAtom(dim);
  bool is_one = !atom || atom->kind != DimAtom::Kind::kBroadcast;
  return is_one ? std::vector<Dim>{dim} : ArgumentsOf(*atom);
}

Dim BroadcastSize(const Dim& a, const Dim& b) {
  if (HasOverflowed(a, b)) return Overflow();
  std::set<Dim> parts;
  for (const Dim* side : {&a, &b}) {
    for (const Dim& part : BroadcastParts(*side)) parts.insert(part);
  }
  parts.erase(1);
  if (parts.empty()) return 1;
  auto never_one = std::find_if_not(parts.begin(), parts.end(), MayBeOne);
  if (never_one != parts.end()) return *never_one;
  Dim all = *parts.begin();
  for (auto part = std::next(parts.begin()); part != parts.end(); ++part)
    all = FromAtom(DimAtom::Kind::kBroadcast, all, *part);
  return all;
}

std::optional<Dim> ExactDiv(const Dim& a, const Dim& b) {
  if (b.Is(0) || HasOverflowed(a, b)) return std::nullopt;
  auto [quotient, rest] = DivideTerms(a, b);
  if (rest.Is(0)) return quotient;
  return std::nullopt;
}

// ---- Values and bounds ------------------------------------------------------------------------

Dim Apply(DimAtom::Kind kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case DimAtom::Kind::kFloorDiv: return b.Is(0) ? Dim(0) : FloorDiv(a, b);
    case DimAtom::Kind::kMod: return b.Is(0) ? Dim(0) : Mod(a, b);
    case DimAtom::Kind::kMin: return Min(a, b);
    case DimAtom::Kind::kMax: return Max(a, b);
    case DimAtom::Kind::kBroadcast: return BroadcastSize(a, b);
    case DimAtom::Kind::kSymbol: break;
  }
  CHECK(false);
  return 0;
}

Dim Dim::Substitute(const SymbolValues& symbols) const {
  if (IsConstant()) return *this;
  Dim sum(constant_);
  for (const DimTerm& term : terms_) {
    Dim product(term.coefficient);
    for (const DimAtom& atom : term.factors) {
      if (atom.kind == DimAtom::Kind::kSymbol) {
        auto found = symbols.find(atom.symbol);
        product = product * (found == symbols.end() ? Symbol(atom.symbol) : Dim(found->second));
      } else {
        product = product * Apply(atom.kind, atom.arguments->first.Substitute(symbols),
                                  atom.arguments->second.Substitute(symbols));
      }
    }
    sum = sum + product;
  }
  return sum;
}

int64_t Dim::Evaluate(const SymbolValues& symbols) const { return Substitute(symbols).value(); }

void Dim::CollectSymbols(std::set<std::string>& into) const {
  for (const DimTerm& term : terms_) {
    for (const DimAtom& atom : term.factors) {
      if (atom.kind == DimAtom::Kind::kSymbol) {
        into.insert(atom.symbol);
      } else {
        atom.arguments->first.CollectSymbols(into);
        atom.arguments->second.CollectSymbols(into);
      }
    }
  }
}

}  // namespace webnnc
