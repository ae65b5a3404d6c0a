#include "tensor/assumption.h"

#include "base/diagnostics.h"

namespace webnnc {

using Relation = Assumption::Relation;

bool Holds(const Assumption& assumption, const SymbolValues& symbols) {
  int64_t left = assumption.left.Evaluate(symbols), right = assumption.right.Evaluate(symbols);
  switch (assumption.relation) {
    case Relation::kEqual: return left == right;
    case Relation::kLessEqual: return left <= right;
    case Relation::kBroadcasts: return left == right || left == 1 || right == 1;
  }
  CHECK(false);
  return false;
}

static Dim Distance(const Dim& a, const Dim& b) { return Max(a - b, b - a); }

std::vector<Dim> NotNegativeIf(const Assumption& assumption) {
  const Dim &left = assumption.left, &right = assumption.right;
  switch (assumption.relation) {
    case Relation::kEqual: return {right - left, left - right};
    case Relation::kLessEqual: return {right - left};
    case Relation::kBroadcasts: {
      Dim from_one = Min(Distance(left, 1), Distance(right, 1));
      return {Dim(0) - Min(Distance(left, right), from_one)};
    }
  }
  CHECK(false);
  return {};
}

std::string Print(const Assumption& assumption) {
  bool at_most = assumption.relation == Relation::kLessEqual;
  std::string text = Print(assumption.left) + (at_most ? " <= " : " == ") + Print(assumption.right);
  if (assumption.relation == Relation::kBroadcasts) text += ", or one of them is 1";
  return text;
}

std::string Describe(const Assumption& assumption) {
  return Print(assumption) + " (node " + Quote(assumption.origin) + ")";
}

Result<Assumption> ParseAssumption(Lexer& lexer) {
  Assumption assumption;
  TRY_ASSIGN(assumption.left, ParseDim(lexer));
  if (lexer.Eat("<=")) {
    assumption.relation = Relation::kLessEqual;
  } else {
    TRY(lexer.Expect("=="));
  }
  TRY_ASSIGN(assumption.right, ParseDim(lexer));
  if (assumption.relation == Relation::kEqual && lexer.Eat(",")) {
    for (std::string_view word : {"or", "one", "of", "them", "is", "1"}) TRY(lexer.Expect(word));
    assumption.relation = Relation::kBroadcasts;
  }
  return assumption;
}

}  // namespace webnnc
