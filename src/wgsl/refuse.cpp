#include "wgsl/refuse.h"

#include <algorithm>
#include <set>
#include <spirv-tools/libspirv.hpp>

#include "wgsl/math.h"
#include "wgsl/operators.h"
#include "wgsl/source.h"

namespace webnnc::wgsl {

namespace {

using Operands = std::span<const uint32_t>;

// ---- One instruction --------------------------------------------------------------------------

bool KnowsCapability(uint32_t capability) {
  return capability == spv::CapabilityShader || capability == spv::CapabilityFloat16 ||
         capability == spv::CapabilityStorageBuffer16BitAccess ||
         capability == spv::CapabilityGroupNonUniform ||
         capability == spv::CapabilityGroupNonUniformArithmetic ||
         capability == spv::CapabilityCooperativeMatrixNV ||
         capability == spv::CapabilityDotProduct ||
         capability == spv::CapabilityDotProductInput4x8BitPacked;
}

bool KnowsDecoration(Operands operands) {
  switch (operands[0]) {
    case spv::DecorationBlock:
    case spv::DecorationArrayStride:
    case spv::DecorationNonWritable:
    case spv::DecorationBinding: return true;
    case spv::DecorationOffset:
    case spv::DecorationDescriptorSet: return operands[1] == 0;
    case spv::DecorationBuiltIn:
      return operands[1] == spv::BuiltInWorkgroupId ||
             operands[1] == spv::BuiltInLocalInvocationIndex ||
             operands[1] == spv::BuiltInSubgroupId || operands[1] == spv::BuiltInNumSubgroups ||
             operands[1] == spv::BuiltInSubgroupLocalInvocationId;
    default: return false;
  }
}

bool KnowsStorage(uint32_t storage) {
  switch (storage) {
    case spv::StorageClassInput:
    case spv::StorageClassUniform:
    case spv::StorageClassStorageBuffer:
    case spv::StorageClassWorkgroup:
    case spv::StorageClassFunction: return true;
    default: return false;
  }
}

// Of a whole block or loop: hints may be ignored.
bool KnowsControl(spv::Op op) {
  switch (op) {
    case spv::OpLabel:
    case spv::OpBranch:
    case spv::OpBranchConditional:
    case spv::OpSelectionMerge:
    case spv::OpLoopMerge:
    case spv::OpReturn:
    case spv::OpReturnValue:
    case spv::OpFunction:
    case spv::OpFunctionParameter:
    case spv::OpFunctionEnd:
    case spv::OpFunctionCall: return true;
    default: return false;
  }
}

bool KnowsDeclaration(spv::Op op, Operands operands) {
  switch (op) {
    case spv::OpName:
    case spv::OpExtInstImport:
    case spv::OpMemoryModel:
    case spv::OpTypeVoid:
    case spv::OpTypeBool:
    case spv::OpTypeVector:
    case spv::OpTypeArray:
    case spv::OpTypeRuntimeArray:
    case spv::OpTypeCooperativeMatrixNV:
    case spv::OpExtension:
    case spv::OpTypeFunction:
    case spv::OpConstantTrue:
    case spv::OpConstantFalse:
    case spv::OpConstant:
    case spv::OpConstantComposite: return true;
    // A buffer's struct holds the array that the buffer is.
    case spv::OpTypeStruct: return operands.size() == 2;
    case spv::OpCapability: return KnowsCapability(operands[0]);
    case spv::OpEntryPoint: return operands[0] == spv::ExecutionModelGLCompute;
    case spv::OpExecutionMode:
      return operands[1] == spv::ExecutionModeLocalSize && operands[3] == 1 && operands[4] == 1;
    case spv::OpDecorate: return KnowsDecoration(operands.subspan(1));
    case spv::OpMemberDecorate: return KnowsDecoration(operands.subspan(2));
    case spv::OpTypeInt: return operands[1] == 32;
    case spv::OpTypeFloat: return operands[1] == 32 || operands[1] == 16;
    case spv::OpTypePointer: return KnowsStorage(operands[1]);
    // Without an initial value.
    case spv::OpVariable: return KnowsStorage(operands[2]) && operands.size() == 3;
    default: return false;
  }
}

bool KnowsValue(spv::Op op, Operands operands) {
  switch (op) {
    case spv::OpLoad:
    case spv::OpStore:
    case spv::OpAccessChain:
    case spv::OpControlBarrier:
    case spv::OpCompositeConstruct:
    case spv::OpSelect:
    case spv::OpCooperativeMatrixMulAddNV: return true;
    // In order of rows or columns, without what else may be said of the access.
    case spv::OpCooperativeMatrixLoadNV: return operands.size() == 5;
    case spv::OpCooperativeMatrixStoreNV: return operands.size() == 4;
    case spv::OpCompositeExtract: return operands.size() == 4;
    case spv::OpExtInst: return FindMath(operands[3]) != nullptr;
    default:
      if (IsReduction(op) && operands[3] != spv::GroupOperationReduce) return false;
      return FindOperator(op) != nullptr;
  }
}

// ---- The module -------------------------------------------------------------------------------

class Refuser {
 public:
  explicit Refuser(const std::vector<uint32_t>& words) : words_(words) {}

  Status Run() {
    TRY(Validate());
    std::vector<size_t> starts;
    for (size_t at = 5; at < words_.size(); at += words_[at] >> spv::WordCountShift) {
      starts.push_back(at);
    }
    for (size_t i = 0; i < starts.size(); ++i) {
      auto op = static_cast<spv::Op>(words_[starts[i]] & spv::OpCodeMask);
      Operands operands(words_.data() + starts[i] + 1, words_[starts[i]] >> spv::WordCountShift);
      operands = operands.first(operands.size() - 1);
      if (op == spv::OpFunction) in_entry_point_ = operands[1] == entry_point_;
      if (op == spv::OpEntryPoint && entry_point_) return Fail(i, "a second entry point");
      if (op == spv::OpEntryPoint) entry_point_ = operands[1];
      if (op == spv::OpVariable) NoteVariable(operands);
      if (op == spv::OpTypePointer) pointers_.insert(operands[0]);
      if (op == spv::OpTypeFunction && MentionsPointer(operands))
        return Fail(i, "a pointer passed");
      if (!KnowsDeclaration(op, operands) && !KnowsControl(op) && !KnowsValue(op, operands)) {
        return Fail(i, "something that cannot be printed");
      }
      if (op == spv::OpVariable || op == spv::OpAccessChain) places_.insert(operands[1]);
      if (FindOperator(op) && TakesPlace(operands)) return Fail(i, "a pointer taken for a number");
      if (!in_entry_point_ && TouchesGlobals(op, operands)) {
        return Fail(i, "a function that is more than its result");
      }
    }
    return kSuccess;
  }

 private:
  Status Validate() {
    spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
    std::string message;
    tools.SetMessageConsumer(
        [&](spv_message_level_t, const char*, const spv_position_t&, const char* text) {
          if (message.empty()) message = text;
        });
    spvtools::ValidatorOptions options;
    // The printer's functions call themselves as deep as control flow nests.
    options.SetUniversalLimit(spv_validator_limit_max_control_flow_nesting_depth, 100);
    if (words_.size() > 5 && tools.Validate(words_.data(), words_.size(), options)) return kSuccess;
    return Error{"not valid SPIR-V: " + (message.empty() ? "it has no instructions" : message)};
  }

  Error Fail(size_t number, const std::string& what) const {
    spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
    std::string text, line;
    tools.Disassemble(
        words_, &text,
        SPV_BINARY_TO_TEXT_OPTION_NO_HEADER | SPV_BINARY_TO_TEXT_OPTION_FRIENDLY_NAMES);
    size_t at = 0;
    for (; number > 0; --number) at = text.find('\n', at) + 1;
    line = text.substr(at, text.find('\n', at) - at);
    return Error{"the SPIR-V has " + what + ": " + line};
  }

  void NoteVariable(Operands operands) {
    if (operands[2] != spv::StorageClassFunction) globals_.insert(operands[1]);
  }

  bool MentionsPointer(Operands operands) const {
    return std::any_of(operands.begin(), operands.end(),
                       [&](uint32_t id) { return pointers_.count(id) > 0; });
  }

  bool TakesPlace(Operands operands) const {
    return std::any_of(operands.begin(), operands.end(),
                       [&](uint32_t id) { return places_.count(id) > 0; });
  }

  // Calls of functions other than the entry point are taken for arithmetic.
  bool TouchesGlobals(spv::Op op, Operands operands) const {
    if (op == spv::OpControlBarrier) return true;
    if (op == spv::OpFunctionCall || op == spv::OpEntryPoint || op == spv::OpName) return false;
    bool accesses = op == spv::OpLoad || op == spv::OpStore || op == spv::OpAccessChain;
    return accesses && std::any_of(operands.begin(), operands.end(),
                                   [&](uint32_t id) { return globals_.count(id) > 0; });
  }

  const std::vector<uint32_t>& words_;
  uint32_t entry_point_ = 0;
  bool in_entry_point_ = true;
  std::set<uint32_t> globals_, pointers_, places_;
};

}  // namespace

Status Refuse(const std::vector<uint32_t>& words) { return Refuser(words).Run(); }

}  // namespace webnnc::wgsl
