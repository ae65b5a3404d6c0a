#include "plan/variant.h"

#include <algorithm>

namespace webnnc::plan {

ModuleVariants::ModuleVariants(std::span<const Variant> variants, FeatureSet features) {
  for (const Variant& variant : variants) {
    if (variant.target().IsGpu()) all_.push_back(&variant);
  }
  gpu_count_ = all_.size();
  for (const Variant& variant : variants) {
    if (!variant.target().IsGpu() && variant.target().features == features)
      all_.push_back(&variant);
  }
  CHECK(all_.size() <= gpu_count_ + 1);
}

const Program* ModuleVariants::cpu() const {
  return all_.size() > gpu_count_ ? &all_.back()->program : nullptr;
}

bool ModuleVariants::HaveCommands() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const Variant* variant) { return !IsStraight(variant->program); });
}

bool ModuleVariants::KeepStates() const {
  return cpu() &&
         std::any_of(cpu()->buffers.begin(), cpu()->buffers.end(),
                     [](const Buffer& buffer) { return buffer.kind == BufferKind::kState; });
}

std::vector<FeatureSet> Modules() {
  std::vector<FeatureSet> modules;
  for (const VariantKind& variant : kVariants) {
    if (variant.kind == Target::Kind::kWasm) modules.push_back(variant.features);
  }
  return modules;
}

}  // namespace webnnc::plan
