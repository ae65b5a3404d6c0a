// What the compiler writes into scripts: sizes as JavaScript, and lists by model and program.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bundle/contents.h"

namespace webnnc::bundle {

// Sizes as JavaScript, in which `s` has the symbols' values.
class SizePrinter {
 public:
  explicit SizePrinter(std::vector<std::string> symbols) : symbols_(std::move(symbols)) {}

  std::string Print(const Dim& size) const;

 private:
  std::string PrintAtom(const DimAtom& atom) const;

  std::vector<std::string> symbols_;
};

// "[a,\nb]"
std::string ListOf(const std::vector<std::string>& parts);

// A list by model and program of what `print` gives of each.
std::string ScriptOfPrograms(
    const Contents& contents,
    const std::function<std::string(const plan::Variant&, const ModelContents&,
                                    const SizePrinter&)>& print);

}  // namespace webnnc::bundle
