// Writes the words of a SPIR-V module.
//
// A module is a row of sections in a fixed order: capabilities, names, decorations, types with
// constants and globals, functions. The builder keeps the sections apart, so that a type or a
// constant may be asked for in the middle of a function, and declares each only once.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <spirv/unified1/spirv.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/scalar.h"

namespace webnnc::spirv {

using Words = std::vector<uint32_t>;

// Appends one instruction to `words`.
void Append(Words& words, spv::Op op, std::span<const uint32_t> operands);
void Append(Words& words, spv::Op op, std::initializer_list<uint32_t> operands);
// `text` as the operands that a literal string takes.
Words StringWords(std::string_view text);

class ModuleBuilder {
 public:
  spv::Id NewId() { return next_id_++; }
  // Ids from here on are new.
  spv::Id NextId() const { return next_id_; }

  // ---- Types

  spv::Id VoidType();
  // A fragment of a matrix, which a subgroup holds.
  spv::Id FragmentType(DType dtype);
  // A scalar, or a vector if there are more lanes. Eight of f16 are the words that hold them, which
  // may be moved and chosen.
  spv::Id Type(DType dtype, int32_t lanes = 1);
  spv::Id PointerType(spv::StorageClass storage, spv::Id to);
  spv::Id FunctionType(spv::Id result, const std::vector<spv::Id>& parameters);
  // For memory that nothing outside the shader sees, so without a layout.
  spv::Id ArrayType(spv::Id element, int64_t count);
  // struct { element data[count]; }, or data[] if count is 0: what a buffer of the host holds.
  spv::Id BlockType(spv::Id element, uint32_t stride, int64_t count = 0);

  // ---- Constants

  spv::Id Constant(const Scalar& value, int32_t lanes = 1);
  spv::Id CompositeConstant(spv::Id type, const std::vector<spv::Id>& parts);

  // ---- Declarations

  // With `id`, the variable that has been used under this id already.
  spv::Id GlobalVariable(spv::StorageClass storage, spv::Id type, std::string_view name,
                         spv::Id id = 0);
  // Says that parameter `binding` of the shader is `variable`.
  void Bind(spv::Id variable, uint32_t binding);
  // `name` may be any text; what cannot stand in an identifier is replaced.
  void Name(spv::Id id, std::string_view name);
  void Decorate(spv::Id id, spv::Decoration decoration,
                std::initializer_list<uint32_t> operands = {});
  void Require(spv::Capability capability) { capabilities_.insert(capability); }
  // The input that the shader is given as `built_in`, of type `type`.
  spv::Id BuiltInVariable(spv::BuiltIn built_in, spv::Id type);
  spv::Id MathInstructions() { return math_instructions_; }

  // ---- Functions

  void AddFunction(const Words& words) {
    functions_.insert(functions_.end(), words.begin(), words.end());
  }
  // Functions that others call, by name.
  std::map<std::string, spv::Id>& named_functions() { return named_functions_; }

  // The module whose compute shader is function `main`. Nothing may be added afterwards.
  Words Finish(spv::Id main, int64_t workgroup_size);

  bool uses_fragments() const {
    return capabilities_.count(spv::CapabilityCooperativeMatrixNV) > 0;
  }
  bool uses_f16() const { return capabilities_.count(spv::CapabilityFloat16) > 0; }
  bool uses_subgroups() const { return capabilities_.count(spv::CapabilityGroupNonUniform) > 0; }
  bool uses_dots() const { return capabilities_.count(spv::CapabilityDotProduct) > 0; }

 private:
  // The id of a declaration that needs to be made once: `operands` follow the result's id, and its
  // type if it has one.
  spv::Id Declare(spv::Op op, spv::Id type, const Words& operands);

  uint32_t next_id_ = 1;
  spv::Id math_instructions_ = NewId();
  std::set<spv::Capability> capabilities_ = {spv::CapabilityShader};
  std::vector<spv::Id> inputs_;
  Words names_, decorations_, globals_, functions_;
  std::map<Words, spv::Id> declared_;
  std::map<spv::BuiltIn, spv::Id> built_ins_;
  std::map<std::string, spv::Id> named_functions_;
};

}  // namespace webnnc::spirv
