#include "plan/variant.h"

#include <gtest/gtest.h>

#include <set>

namespace webnnc::plan {
namespace {

std::vector<Variant> AllVariants() {
  std::vector<Variant> variants;
  for (const VariantKind& kind : kVariants) {
    const Machine& machine =
        kind.kind == Target::Kind::kWebGpu ? GpuMachines().front() : WasmMachine();
    variants.push_back({});
    variants.back().program.target = {kind.kind, kind.features, &machine};
  }
  return variants;
}

TEST(VariantTest, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const Variant& variant : AllVariants()) names.insert(variant.name());
  EXPECT_EQ(names,
            (std::set<std::string>{"generic", "generic-f16", "generic-dots", "generic-subgroups",
                                   "generic-f16-subgroups", "generic-f16-subgroups-matrices",
                                   "wasm", "wasm-relaxed", "wasm-relaxed-dots"}));
}

// model.js has a fallback for every browser, and a WASI engine a module that it can run.
TEST(VariantTest, TheFirstModuleIsForAllEngines) { EXPECT_TRUE(Modules().front().empty()); }

TEST(VariantTest, AModuleHasAllVariantsForGpusAndOneForTheCpu) {
  std::vector<Variant> variants = AllVariants();
  for (FeatureSet features : Modules()) {
    ModuleVariants module(variants, features);
    ASSERT_EQ(module.all().size(), module.gpu().size() + 1);
    for (const Variant* gpu : module.gpu()) EXPECT_TRUE(gpu->target().IsGpu());
    ASSERT_NE(module.cpu(), nullptr);
    EXPECT_EQ(module.cpu(), &module.all().back()->program);
    EXPECT_EQ(module.cpu()->target.features, features);
  }
}

TEST(VariantTest, ModulesAreThereWithoutVariantsForTheCpu) {
  std::vector<Variant> variants = AllVariants();
  std::erase_if(variants, [](const Variant& variant) { return !variant.target().IsGpu(); });
  ModuleVariants module(variants, Modules().back());
  EXPECT_EQ(module.cpu(), nullptr);
  EXPECT_EQ(module.all().size(), variants.size());
  EXPECT_EQ(&module.any(), &variants.back().program);
}

}  // namespace
}  // namespace webnnc::plan
