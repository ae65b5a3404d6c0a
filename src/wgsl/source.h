// A SPIR-V module as SPIRV-Cross has parsed it.
//
// What SPIRV-Cross has parsed is for classes derived from its Compiler; this is the only one, and
// everything else here asks it.
#pragma once

#include <spirv_cross/GLSL.std.450.h>

#include <span>
#include <spirv_cross/spirv_cross.hpp>
#include <string>
#include <vector>

#include "wgsl/matrices.h"

namespace webnnc::wgsl {

using SpirvId = uint32_t;
using spirv_cross::SPIRBlock;
using spirv_cross::SPIRConstant;
using spirv_cross::SPIRFunction;
using spirv_cross::SPIRType;
using spirv_cross::SPIRVariable;

// An instruction inside a function. `operands` are those behind the result's id.
struct Instruction {
  spv::Op op = spv::OpNop;
  SpirvId type = 0, result = 0;
  std::span<const uint32_t> operands;
};

// Whether it reduces what the invocations of a subgroup have.
bool IsReduction(spv::Op op);

// The operands of `instruction` that are values and pointers: neither literals nor what is called.
std::vector<SpirvId> ValuesOf(const Instruction& instruction);

class Source : private spirv_cross::Compiler {
 public:
  // Throws spirv_cross::CompilerError if SPIRV-Cross cannot make sense of the words.
  explicit Source(const std::vector<uint32_t>& words) : Source(Matrices(words)) {}
  // Not called: a Compiler compiles, a Source is read.
  std::string compile() override { return ""; }

  const SPIRType& Type(SpirvId id) const { return get<SPIRType>(id); }
  const SPIRBlock& Block(SpirvId id) const { return get<SPIRBlock>(id); }
  const SPIRFunction& Function(SpirvId id) const { return get<SPIRFunction>(id); }
  // Null if the id is something else.
  const SPIRConstant* Constant(SpirvId id) const { return maybe_get<SPIRConstant>(id); }
  const SPIRVariable* Variable(SpirvId id) const { return maybe_get<SPIRVariable>(id); }

  SpirvId EntryPoint() const { return ir.default_entry_point; }
  uint32_t WorkgroupSize() const { return get_entry_point().workgroup_size.x; }
  // In the order of the module.
  std::vector<SpirvId> Functions() const;
  std::vector<SpirvId> GlobalVariables() const;

  // What `variable` holds.
  SpirvId TypeIdOfVariable(const SPIRVariable& variable) const {
    return get_variable_data_type_id(variable);
  }
  const SPIRType& TypeOfVariable(const SPIRVariable& variable) const {
    return Type(TypeIdOfVariable(variable));
  }
  const std::string& NameOf(SpirvId id) const { return ir.get_name(id); }
  // What `id` is decorated with, or 0.
  uint32_t Decoration(SpirvId id, spv::Decoration decoration) const {
    return ir.get_decoration(id, decoration);
  }
  bool Has(SpirvId id, spv::Decoration decoration) const {
    return ir.has_decoration(id, decoration);
  }
  bool IsNonWritable(const SPIRVariable& variable) const {
    return ir.get_buffer_block_flags(variable).get(spv::DecorationNonWritable);
  }

  bool UsesF16() const { return Declares(spv::CapabilityFloat16); }
  bool UsesMatrices() const { return Declares(spv::CapabilityCooperativeMatrixNV); }
  bool UsesSubgroups() const { return Declares(spv::CapabilityGroupNonUniform); }

  std::vector<Instruction> Instructions(const SPIRBlock& block) const;

  // Null if the type is something else.
  const Matrices::Type* Matrix(const SPIRType& type) const {
    auto found = matrices_.types.find(type.self);
    return found == matrices_.types.end() ? nullptr : &found->second;
  }
  bool IsRight(SpirvId matrix) const { return matrices_.right.count(matrix) > 0; }

 private:
  explicit Source(Matrices matrices) : Compiler(matrices.words), matrices_(std::move(matrices)) {}

  bool Declares(spv::Capability capability) const;

  Matrices matrices_;
};

}  // namespace webnnc::wgsl
