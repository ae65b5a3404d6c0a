#include "wgsl/source.h"

#include <algorithm>

namespace webnnc::wgsl {

std::vector<SpirvId> Source::Functions() const {
  std::vector<SpirvId> ids;
  ir.for_each_typed_id<SPIRFunction>([&](uint32_t id, const SPIRFunction&) { ids.push_back(id); });
  return ids;
}

std::vector<SpirvId> Source::GlobalVariables() const {
  std::vector<SpirvId> ids;
  ir.for_each_typed_id<SPIRVariable>([&](uint32_t id, const SPIRVariable& variable) {
    if (variable.storage != spv::StorageClassFunction) ids.push_back(id);
  });
  return ids;
}

bool Source::Declares(spv::Capability capability) const {
  const auto& declared = get_declared_capabilities();
  return std::find(declared.begin(), declared.end(), capability) != declared.end();
}

bool IsReduction(spv::Op op) {
  return op >= spv::OpGroupNonUniformIAdd && op <= spv::OpGroupNonUniformFMax;
}

static bool HasResult(spv::Op op) {
  return op != spv::OpStore && op != spv::OpControlBarrier && op != spv::OpCooperativeMatrixStoreNV;
}

std::vector<Instruction> Source::Instructions(const SPIRBlock& block) const {
  std::vector<Instruction> instructions;
  for (const spirv_cross::Instruction& parsed : block.ops) {
    Instruction instruction;
    instruction.op = static_cast<spv::Op>(parsed.op);
    std::span words(stream(parsed), parsed.length);
    if (HasResult(instruction.op) && words.size() >= 2) {
      instruction.type = words[0];
      instruction.result = words[1];
      words = words.subspan(2);
    }
    instruction.operands = words;
    instructions.push_back(instruction);
  }
  return instructions;
}

std::vector<SpirvId> ValuesOf(const Instruction& instruction) {
  std::span operands = instruction.operands;
  // Behind the scope and the kind of operation.
  if (IsReduction(instruction.op)) return {operands.begin() + 2, operands.end()};
  switch (instruction.op) {
    case spv::OpControlBarrier: return {};
    // What follows the pointer says how memory is accessed.
    case spv::OpLoad:
    case spv::OpCompositeExtract: operands = operands.first(1); break;
    // What follows two words says what is in them.
    case spv::OpSDot:
    case spv::OpStore:
    case spv::OpCooperativeMatrixLoadNV: operands = operands.first(2); break;
    case spv::OpCooperativeMatrixStoreNV: operands = operands.first(3); break;
    case spv::OpFunctionCall: operands = operands.subspan(1); break;
    case spv::OpExtInst: operands = operands.subspan(2); break;
    default: break;
  }
  return {operands.begin(), operands.end()};
}

}  // namespace webnnc::wgsl
