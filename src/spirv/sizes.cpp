#include "spirv/sizes.h"

namespace webnnc::spirv {

Value Sizes::Of(const Dim& dim) {
  if (dim.IsConstant()) return code_.Int(dim.value());
  Value& value = values_[dim];
  if (value.valid()) return value;
  if (!variable_) variable_ = code_.module().NewId();
  auto at = static_cast<int64_t>(dims_.size());
  dims_.push_back(dim);
  value = code_.AtEntry([&] {
    return code_.Load(code_.Element(spv::StorageClassUniform, variable_, DType::kI32, 1,
                                    {code_.Int(0), code_.Int(at / 4), code_.Int(at % 4)}));
  });
  return value;
}

void Sizes::Declare(uint32_t binding, bool names_symbols) {
  if (dims_.empty()) return;
  ModuleBuilder& module = code_.module();
  for (size_t at = 0; at < dims_.size(); ++at) {
    module.Name(values_.at(dims_[at]).id,
                names_symbols ? Print(dims_[at]) : "size" + std::to_string(at));
  }
  spv::Id block =
      module.BlockType(module.Type(DType::kI32, 4), 16, static_cast<int64_t>(dims_.size() + 3) / 4);
  module.GlobalVariable(spv::StorageClassUniform, block, "sizes", variable_);
  module.Bind(variable_, binding);
}

}  // namespace webnnc::spirv
