#include "bundle/size_script.h"

#include <algorithm>

namespace webnnc::bundle {

std::string SizePrinter::Print(const Dim& size) const {
  std::string sum;
  for (const DimTerm& term : size.terms()) {
    sum += (sum.empty() || term.coefficient < 0 ? "" : "+") + std::to_string(term.coefficient);
    for (const DimAtom& atom : term.factors) sum += "*" + PrintAtom(atom);
  }
  if (sum.empty()) return std::to_string(size.constant());
  if (size.constant() == 0) return sum;
  return sum + (size.constant() < 0 ? "" : "+") + std::to_string(size.constant());
}

std::string SizePrinter::PrintAtom(const DimAtom& atom) const {
  if (atom.kind == DimAtom::Kind::kSymbol) {
    auto found = std::find(symbols_.begin(), symbols_.end(), atom.symbol);
    CHECK(found != symbols_.end());
    return "s[" + std::to_string(found - symbols_.begin()) + "]";
  }
  std::string a = Print(atom.arguments->first), b = Print(atom.arguments->second);
  switch (atom.kind) {
    case DimAtom::Kind::kFloorDiv: return "Math.floor((" + a + ")/(" + b + "))";
    case DimAtom::Kind::kMod: return "((" + a + ")%(" + b + ")+(" + b + "))%(" + b + ")";
    case DimAtom::Kind::kMin: return "Math.min(" + a + "," + b + ")";
    case DimAtom::Kind::kMax: return "Math.max(" + a + "," + b + ")";
    // The size that is not 1.
    default: return "([" + a + "," + b + "].find(n=>n!==1)??1)";
  }
}

std::string ListOf(const std::vector<std::string>& parts) {
  std::string list = "[";
  for (const std::string& part : parts) list += (list.size() > 1 ? ",\n" : "") + part;
  return list + "]";
}

std::string ScriptOfPrograms(
    const Contents& contents,
    const std::function<std::string(const plan::Variant&, const ModelContents&,
                                    const SizePrinter&)>& print) {
  std::vector<std::string> models;
  for (const ModelContents& model : contents.models) {
    SizePrinter sizes(SymbolsOf(model.variants.any()));
    std::vector<std::string> programs;
    for (const plan::Variant* variant : model.variants.all())
      programs.push_back(print(*variant, model, sizes));
    models.push_back(ListOf(programs));
  }
  return ListOf(models);
}

}  // namespace webnnc::bundle
