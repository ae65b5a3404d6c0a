#include "tensor/substitute.h"

namespace webnnc {

static Dim Substitute(const DimAtom& atom, const SymbolSizes& sizes) {
  if (atom.kind == DimAtom::Kind::kSymbol) {
    auto found = sizes.find(atom.symbol);
    return found == sizes.end() ? Dim::Symbol(atom.symbol) : found->second;
  }
  Dim a = Substitute(atom.arguments->first, sizes), b = Substitute(atom.arguments->second, sizes);
  switch (atom.kind) {
    case DimAtom::Kind::kFloorDiv: return FloorDiv(a, b);
    case DimAtom::Kind::kMod: return Mod(a, b);
    case DimAtom::Kind::kMin: return Min(a, b);
    case DimAtom::Kind::kMax: return Max(a, b);
    default: return BroadcastSize(a, b);
  }
}

Dim Substitute(const Dim& dim, const SymbolSizes& sizes) {
  Dim sum = dim.constant();
  for (const DimTerm& term : dim.terms()) {
    Dim product = term.coefficient;
    for (const DimAtom& atom : term.factors) product = product * Substitute(atom, sizes);
    sum = sum + product;
  }
  return sum;
}

}  // namespace webnnc
