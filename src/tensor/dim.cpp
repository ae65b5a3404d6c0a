#include "tensor/dim.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tensor/overflow.h"

namespace webnnc {

static constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

// What sums and products of 64 bits are computed in before it is looked whether they fit.
using Wide = __int128;

static bool Fits(Wide value) {
  return value >= std::numeric_limits<int64_t>::min() && value <= kLargest;
}

static Wide FloorDivide(Wide a, Wide b) {
  if (b == 0) return 0;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool Divides(Wide divisor, Wide a) { return a % divisor == 0; }

static Dim Overflow() { return Dim(kLargest); }

static Dim Narrow(Wide value) {
  return Fits(value) ? Dim(static_cast<int64_t>(value)) : Overflow();
}

// Of bounds, which stay true when they saturate.
static int64_t Saturate(Wide value) {
  return Fits(value) ? static_cast<int64_t>(value) : value < 0 ? -kLargest : kLargest;
}
static int64_t SaturatingAdd(int64_t a, int64_t b) { return Saturate(Wide{a} + b); }
static int64_t SaturatingMul(int64_t a, int64_t b) { return Saturate(Wide{a} * b); }

Dim Truncated(double value) {
  constexpr double kBeyond = 0x1p63;
  if (!(value > -kBeyond && value < kBeyond)) return Overflow();
  return Dim(static_cast<int64_t>(value));
}

bool HasOverflowed(const Dim& dim) { return dim.Is(kLargest); }

namespace {

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

}  // namespace

static const DimFunction& FunctionOf(const DimAtom& atom) {
  return static_cast<const DimFunction&>(*atom.arguments);
}

static int64_t PartsOf(const std::vector<DimTerm>& terms) {
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
static const DimAtom* LoneAtom(const Dim& dim) {
  bool alone = dim.constant() == 0 && dim.terms().size() == 1 && dim.terms()[0].coefficient == 1 &&
               dim.terms()[0].factors.size() == 1;
  return alone ? &dim.terms()[0].factors[0] : nullptr;
}

static bool HasOverflowed(const Dim& a, const Dim& b) {
  return HasOverflowed(a) || HasOverflowed(b);
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
static std::vector<Dim> ArgumentsOf(const DimAtom& atom) {
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

static Dim Apply(DimAtom::Kind kind, const Dim& a, const Dim& b) {
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

static int64_t Quotient(int64_t a, int64_t b) { return Saturate(FloorDivide(a, b)); }

static Range RangeOf(DimAtom::Kind kind, const Range& a, const Range& b) {
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

static Range RangeOf(const Dim& dim) {
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

bool ProvablyLessEqual(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) return a.value() <= b.value();
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

static uint64_t Magnitude(int64_t value) {
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

// ---- Text -------------------------------------------------------------------------------------

static constexpr std::string_view kFunctionNames[] = {"",    "floordiv", "mod",
                                                      "min", "max",      "broadcast"};

static std::string PrintAtom(const DimAtom& atom) {
  if (atom.kind == DimAtom::Kind::kSymbol) {
    // A symbol whose name would read as a number or a function is quoted.
    bool bare = atom.symbol.empty() || (atom.symbol[0] >= '0' && atom.symbol[0] <= '9') ||
                atom.symbol[0] == '.' || QuoteName(atom.symbol) != atom.symbol;
    for (std::string_view name : kFunctionNames) bare |= atom.symbol == name;
    return bare ? Quote(atom.symbol) : atom.symbol;
  }
  std::string arguments;
  for (const Dim& argument : ArgumentsOf(atom))
    arguments += (arguments.empty() ? "" : ",") + Print(argument);
  return std::string(kFunctionNames[static_cast<int>(atom.kind)]) + "(" + arguments + ")";
}

std::optional<std::string> SymbolOf(const Dim& dim) {
  const DimAtom* atom = LoneAtom(dim);
  if (!atom || atom->kind != DimAtom::Kind::kSymbol) return std::nullopt;
  return atom->symbol;
}

std::string Print(const Dim& dim) {
  if (dim.IsConstant()) return std::to_string(dim.value());
  std::string out;
  for (const DimTerm& term : dim.terms()) {
    int64_t coefficient = term.coefficient;
    if (coefficient < 0) {
      out += '-';
    } else if (!out.empty()) {
      out += '+';
    }
    if (Magnitude(coefficient) != 1) out += std::to_string(Magnitude(coefficient)) + "*";
    for (size_t i = 0; i < term.factors.size(); ++i) {
      out += (i ? "*" : "") + PrintAtom(term.factors[i]);
    }
  }
  if (dim.constant() > 0) out += "+";
  if (dim.constant() != 0) out += std::to_string(dim.constant());
  return out;
}

static Result<Dim> ParseFactor(Lexer& lexer) {
  if (lexer.depth > Lexer::kMaxDepth) return lexer.Fail("nests too deeply");
  for (int kind = 1; kind < 6; ++kind) {
    if (!lexer.Eat(kFunctionNames[kind])) continue;
    ++lexer.depth;
    TRY(lexer.Expect("("));
    TRY_ASSIGN(auto a, ParseDim(lexer));
    TRY(lexer.Expect(","));
    TRY_ASSIGN(auto b, ParseDim(lexer));
    bool divides = kind == 1 || kind == 2, more = kind == 5;
    if (divides && b.Is(0)) return lexer.Fail("divides by 0");
    Dim result = Apply(static_cast<DimAtom::Kind>(kind), a, b);
    while (more && lexer.Eat(",")) {
      TRY_ASSIGN(auto next, ParseDim(lexer));
      result = BroadcastSize(result, next);
    }
    TRY(lexer.Expect(")"));
    --lexer.depth;
    return result;
  }
  if (lexer.Sees("\"")) {
    TRY_ASSIGN(auto name, lexer.Name());
    return Dim::Symbol(name);
  }
  if (lexer.SeesNumber()) {
    TRY_ASSIGN(auto value, lexer.Integer());
    return Dim(value);
  }
  TRY_ASSIGN(auto name, lexer.Word());
  return Dim::Symbol(name);
}

static Result<Dim> ParseProduct(Lexer& lexer) {
  TRY_ASSIGN(auto product, ParseFactor(lexer));
  // A bound, since expanding (a+b)*(a+b)*... in hostile input has exponentially many terms.
  for (int factors = 0; lexer.Eat("*"); ++factors) {
    if (factors > 16) return lexer.Fail("too many factors");
    TRY_ASSIGN(auto factor, ParseFactor(lexer));
    product = product * factor;
  }
  return product;
}

Result<Dim> ParseDim(Lexer& lexer) {
  Dim sum;
  bool negative = false;
  do {
    // A '-' may also belong to a number; both readings have the same value.
    if (lexer.Eat("-")) negative = !negative;
    TRY_ASSIGN(auto product, ParseProduct(lexer));
    sum = negative ? sum - product : sum + product;
    negative = lexer.Sees("-");
  } while (lexer.Eat("+") || lexer.Eat("-"));
  return sum;
}

}  // namespace webnnc
