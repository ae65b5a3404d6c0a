// The text form of sizes.
#include "tensor/dim_parts.h"

namespace webnnc {

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
