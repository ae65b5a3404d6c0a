#include "tensor/assumption.h"

#include "base/diagnostics.h"

namespace webnnc {

using Relation = Assumption::Relation;

bool Holds(const Assumption& assumption, const SymbolValues& symbols) {
  int64_t left = assumption.left.Evaluate(symbols), right = assumption.right.Evaluate(symbols);
  return assumption.relation == Relation::kEqual ? left == right : left <= right;
}

std::vector<Dim> NotNegativeIf(const Assumption& assumption) {
  Dim difference = assumption.right - assumption.left;
  if (assumption.relation == Relation::kLessEqual) return {difference};
  return {difference, Dim(0) - difference};
}

std::string Print(const Assumption& assumption) {
  std::string_view relation = assumption.relation == Relation::kEqual ? " == " : " <= ";
  return Print(assumption.left) + std::string(relation) + Print(assumption.right);
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
  return assumption;
}

}  // namespace webnnc
