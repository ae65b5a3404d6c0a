#include "bundle/profile_script.h"

#include <algorithm>

#include "bundle/identity.h"
#include "bundle/page.h"
#include "plan/work.h"

namespace webnnc::bundle {

namespace {

// What stands in runtime-js/work.js where the work belongs.
constexpr std::string_view kPlaceholder = "globalThis.__webnnc_work__";

// Sizes as JavaScript, in which `s` has the symbols' values.
class SizePrinter {
 public:
  explicit SizePrinter(std::vector<std::string> symbols) : symbols_(std::move(symbols)) {}

  std::string Print(const Dim& size) const {
    std::string sum;
    for (const DimTerm& term : size.terms()) {
      sum += (sum.empty() || term.coefficient < 0 ? "" : "+") + std::to_string(term.coefficient);
      for (const DimAtom& atom : term.factors) sum += "*" + PrintAtom(atom);
    }
    if (sum.empty()) return std::to_string(size.constant());
    if (size.constant() == 0) return sum;
    return sum + (size.constant() < 0 ? "" : "+") + std::to_string(size.constant());
  }

 private:
  std::string PrintAtom(const DimAtom& atom) const {
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

  std::vector<std::string> symbols_;
};

std::string ListOf(const std::vector<std::string>& parts) {
  std::string list = "[";
  for (const std::string& part : parts) list += (list.size() > 1 ? ",\n" : "") + part;
  return list + "]";
}

// One a step.
std::string ProgramScript(const plan::Program& program, const SizePrinter& sizes) {
  std::vector<Dim> operations;
  std::vector<std::vector<Dim>> touched;
  for (const plan::Kernel& kernel : program.kernels) {
    operations.push_back(plan::Operations(kernel.plain));
    touched.push_back(plan::ElementsTouched(kernel.plain));
  }
  std::vector<std::string> steps;
  for (const plan::Launch* launch : LaunchesOf(program, plan::Place::kDevice)) {
    auto kernel = static_cast<size_t>(launch->kernel.index);
    Dim bytes = plan::BytesMoved(program, *launch, touched[kernel]);
    steps.push_back("s=>[" + sizes.Print(operations[kernel]) + "," + sizes.Print(bytes) + "]");
  }
  return ListOf(steps);
}

}  // namespace

std::string WorkScript(const Contents& contents) {
  std::vector<std::string> models;
  for (const ModelContents& model : contents.models) {
    SizePrinter sizes(SymbolsOf(model.variants.any()));
    std::vector<std::string> programs;
    for (const plan::Variant* variant : model.variants.all())
      programs.push_back(ProgramScript(variant->program, sizes));
    models.push_back(ListOf(programs));
  }
  return ListOf(models);
}

std::string ProfileScript(const Contents& contents, const std::string& record) {
  std::string script = WithBuildRecord(PageFile("model.profile.js"), record);
  size_t at = script.find(kPlaceholder);
  CHECK(at != std::string::npos);
  return script.replace(at, kPlaceholder.size(), WorkScript(contents));
}

}  // namespace webnnc::bundle
