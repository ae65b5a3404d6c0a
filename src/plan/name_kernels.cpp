#include "plan/name_kernels.h"

#include <map>
#include <set>
#include <string>

#include "loop/text.h"

namespace webnnc::plan {

static std::string TextWithoutName(const loop::Kernel& flat) {
  loop::Kernel kernel = flat;
  kernel.name = "kernel";
  return loop::Print(kernel);
}

void NameKernels(const std::vector<Kernel*>& kernels) {
  std::set<std::string> own, taken;
  for (const Kernel* kernel : kernels) own.insert(kernel->flat.name);
  std::map<std::string, std::string> names;  // by text
  for (Kernel* kernel : kernels) {
    auto [known, is_new] = names.emplace(TextWithoutName(kernel->flat), kernel->flat.name);
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
