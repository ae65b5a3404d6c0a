#include "plan/name_kernels.h"

#include <map>
#include <set>
#include <string>

#include "loop/passes/replace_symbols.h"
#include "loop/sizes.h"
#include "loop/text.h"

namespace webnnc::plan {

// Equal for kernels that are the same but for their names and those of symbols: whoever runs one
// passes its sizes in the order in which it speaks of them.
static std::string TextWithoutNames(const loop::Kernel& flat) {
  std::vector<Dim> sizes = loop::SizesOf(flat);
  for (const loop::Buffer& buffer : flat.buffers)
    sizes.insert(sizes.end(), buffer.type.shape.begin(), buffer.type.shape.end());
  std::map<std::string, Dim> renamed;
  for (const Dim& size : sizes) {
    std::set<std::string> symbols;
    size.CollectSymbols(symbols);
    for (const std::string& symbol : symbols)
      renamed.emplace(symbol, Dim::Symbol("s" + std::to_string(renamed.size())));
  }
  loop::Kernel kernel = flat;
  kernel.name = "kernel";
  loop::ReplaceSymbols(kernel, renamed);
  return loop::Print(kernel);
}

void NameKernels(const std::vector<Kernel*>& kernels) {
  std::set<std::string> own, taken;
  for (const Kernel* kernel : kernels) own.insert(kernel->flat.name);
  std::map<std::string, std::string> names;  // by text
  for (Kernel* kernel : kernels) {
    auto [known, is_new] = names.emplace(TextWithoutNames(kernel->flat), kernel->flat.name);
    std::string& name = known->second;
    // A further kernel of this name gets one that no kernel has.
    for (int n = 2; is_new && !taken.insert(name).second; ++n) {
      std::string numbered = kernel->flat.name + "_" + std::to_string(n);
      if (!own.count(numbered)) name = numbered;
    }
    kernel->plain.name = kernel->flat.name = name;
  }
}

}  // namespace webnnc::plan
