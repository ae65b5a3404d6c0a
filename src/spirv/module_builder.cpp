#include "spirv/module_builder.h"

#include <bit>

#include "base/result.h"
#include "target/machine.h"
#include "tensor/f16.h"

namespace webnnc::spirv {

void Append(Words& words, spv::Op op, std::span<const uint32_t> operands) {
  words.push_back(static_cast<uint32_t>(operands.size() + 1) << spv::WordCountShift | op);
  words.insert(words.end(), operands.begin(), operands.end());
}

void Append(Words& words, spv::Op op, std::initializer_list<uint32_t> operands) {
  Append(words, op, std::span(operands.begin(), operands.size()));
}

Words StringWords(std::string_view text) {
  // The ending zero byte always fits.
  Words words(text.size() / 4 + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    words[i / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(text[i])) << (i % 4 * 8);
  }
  return words;
}

// ---- Types ------------------------------------------------------------------------------------

spv::Id ModuleBuilder::Declare(spv::Op op, spv::Id type, const Words& operands) {
  Words key = {static_cast<uint32_t>(op), type};
  key.insert(key.end(), operands.begin(), operands.end());
  auto [found, is_new] = declared_.try_emplace(std::move(key), 0);
  if (!is_new) return found->second;
  spv::Id id = NewId();
  Words all;
  if (type) all.push_back(type);
  all.push_back(id);
  all.insert(all.end(), operands.begin(), operands.end());
  Append(globals_, op, all);
  return found->second = id;
}

spv::Id ModuleBuilder::VoidType() { return Declare(spv::OpTypeVoid, 0, {}); }

spv::Id ModuleBuilder::Type(DType dtype, int32_t lanes) {
  if (dtype == DType::kF16 && lanes == 8) return Type(DType::kU32, 4);
  if (lanes > 1) {
    return Declare(spv::OpTypeVector, 0, {Type(dtype), static_cast<uint32_t>(lanes)});
  }
  switch (dtype) {
    case DType::kBool: return Declare(spv::OpTypeBool, 0, {});
    case DType::kI32: return Declare(spv::OpTypeInt, 0, {32, 1});
    case DType::kU32: return Declare(spv::OpTypeInt, 0, {32, 0});
    case DType::kF32: return Declare(spv::OpTypeFloat, 0, {32});
    case DType::kF16: Require(spv::CapabilityFloat16); return Declare(spv::OpTypeFloat, 0, {16});
    default: break;
  }
  CHECK(false);
  return 0;
}

spv::Id ModuleBuilder::FragmentType(DType dtype) {
  Require(spv::CapabilityCooperativeMatrixNV);
  auto number = [&](int64_t value) { return Constant(Scalar::Integer(DType::kU32, value)); };
  spv::Id side = number(Machine::kFragment), scope = number(spv::ScopeSubgroup);
  return Declare(spv::OpTypeCooperativeMatrixNV, 0, {Type(dtype), scope, side, side});
}

spv::Id ModuleBuilder::PointerType(spv::StorageClass storage, spv::Id to) {
  return Declare(spv::OpTypePointer, 0, {static_cast<uint32_t>(storage), to});
}

spv::Id ModuleBuilder::FunctionType(spv::Id result, const std::vector<spv::Id>& parameters) {
  Words operands = {result};
  operands.insert(operands.end(), parameters.begin(), parameters.end());
  return Declare(spv::OpTypeFunction, 0, operands);
}

spv::Id ModuleBuilder::ArrayType(spv::Id element, int64_t count) {
  return Declare(spv::OpTypeArray, 0, {element, Constant(Scalar::Integer(DType::kU32, count))});
}

spv::Id ModuleBuilder::BlockType(spv::Id element, uint32_t stride, int64_t count) {
  // Not Declare: an array without a layout may exist already, and must not get one.
  Words key = {~0u, element, static_cast<uint32_t>(count)};
  auto [found, is_new] = declared_.try_emplace(std::move(key), 0);
  if (!is_new) return found->second;
  spv::Id array = NewId(), block = NewId();
  if (count) {
    spv::Id length = Constant(Scalar::Integer(DType::kU32, count));
    Append(globals_, spv::OpTypeArray, {array, element, length});
  } else {
    Append(globals_, spv::OpTypeRuntimeArray, {array, element});
  }
  Append(globals_, spv::OpTypeStruct, {block, array});
  Decorate(array, spv::DecorationArrayStride, {stride});
  Decorate(block, spv::DecorationBlock);
  Append(decorations_, spv::OpMemberDecorate, {block, 0, spv::DecorationOffset, 0});
  return found->second = block;
}

// ---- Constants --------------------------------------------------------------------------------

static uint32_t Bits(const Scalar& value) {
  switch (value.dtype) {
    case DType::kF32: return std::bit_cast<uint32_t>(static_cast<float>(value.real));
    case DType::kF16: return FloatToHalf(static_cast<float>(value.real));
    default: return static_cast<uint32_t>(value.integer);
  }
}

spv::Id ModuleBuilder::Constant(const Scalar& value, int32_t lanes) {
  if (value.dtype == DType::kF16 && lanes == 8) {
    return Constant(Scalar::Integer(DType::kU32, Bits(value) * 0x10001u), 4);
  }
  spv::Id type = Type(value.dtype);
  spv::Id scalar;
  if (value.dtype == DType::kBool) {
    scalar = Declare(value.integer ? spv::OpConstantTrue : spv::OpConstantFalse, type, {});
  } else {
    scalar = Declare(spv::OpConstant, type, {Bits(value)});
  }
  if (lanes == 1) return scalar;
  return CompositeConstant(Type(value.dtype, lanes),
                           std::vector<spv::Id>(static_cast<size_t>(lanes), scalar));
}

spv::Id ModuleBuilder::CompositeConstant(spv::Id type, const std::vector<spv::Id>& parts) {
  return Declare(spv::OpConstantComposite, type, parts);
}

// ---- Declarations -----------------------------------------------------------------------------

spv::Id ModuleBuilder::GlobalVariable(spv::StorageClass storage, spv::Id type,
                                      std::string_view name, spv::Id id) {
  spv::Id pointer = PointerType(storage, type);
  if (!id) id = NewId();
  Append(globals_, spv::OpVariable, {pointer, id, static_cast<uint32_t>(storage)});
  Name(id, name);
  return id;
}

void ModuleBuilder::Bind(spv::Id variable, uint32_t binding) {
  Decorate(variable, spv::DecorationDescriptorSet, {0});
  Decorate(variable, spv::DecorationBinding, {binding});
}

// "2*seq+past" -> "n2_seq_past"; what a network's author named may be long, too.
static std::string Identifier(std::string_view name) {
  constexpr size_t kLongest = 48;
  std::string out;
  for (char c : name.substr(0, kLongest)) {
    bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_word) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty() || (out[0] >= '0' && out[0] <= '9')) out = "n" + out;
  return out;
}

void ModuleBuilder::Name(spv::Id id, std::string_view name) {
  Words operands = {id};
  Words text = StringWords(Identifier(name));
  operands.insert(operands.end(), text.begin(), text.end());
  Append(names_, spv::OpName, operands);
}

void ModuleBuilder::Decorate(spv::Id id, spv::Decoration decoration,
                             std::initializer_list<uint32_t> operands) {
  Words all = {id, static_cast<uint32_t>(decoration)};
  all.insert(all.end(), operands.begin(), operands.end());
  Append(decorations_, spv::OpDecorate, all);
}

spv::Id ModuleBuilder::BuiltInVariable(spv::BuiltIn built_in, spv::Id type) {
  spv::Id& id = built_ins_[built_in];
  if (id) return id;
  spv::Id pointer = PointerType(spv::StorageClassInput, type);
  id = NewId();
  Append(globals_, spv::OpVariable, {pointer, id, spv::StorageClassInput});
  Decorate(id, spv::DecorationBuiltIn, {static_cast<uint32_t>(built_in)});
  inputs_.push_back(id);
  return id;
}

Words ModuleBuilder::Finish(spv::Id main, int64_t workgroup_size) {
  constexpr uint32_t kVersion = 0x00010300;
  Words words = {spv::MagicNumber, kVersion, 0, next_id_, 0};
  for (spv::Capability capability : capabilities_) {
    Append(words, spv::OpCapability, {static_cast<uint32_t>(capability)});
  }
  if (uses_fragments()) {
    Append(words, spv::OpExtension, StringWords("SPV_NV_cooperative_matrix"));
  }
  if (uses_dots()) Append(words, spv::OpExtension, StringWords("SPV_KHR_integer_dot_product"));
  Words import = {math_instructions_};
  Words import_name = StringWords("GLSL.std.450");
  import.insert(import.end(), import_name.begin(), import_name.end());
  Append(words, spv::OpExtInstImport, import);
  Append(words, spv::OpMemoryModel, {spv::AddressingModelLogical, spv::MemoryModelGLSL450});
  Words entry = {spv::ExecutionModelGLCompute, main};
  Words entry_name = StringWords("main");
  entry.insert(entry.end(), entry_name.begin(), entry_name.end());
  entry.insert(entry.end(), inputs_.begin(), inputs_.end());
  Append(words, spv::OpEntryPoint, entry);
  Append(words, spv::OpExecutionMode,
         {main, spv::ExecutionModeLocalSize, static_cast<uint32_t>(workgroup_size), 1, 1});
  for (const Words* section : {&names_, &decorations_, &globals_, &functions_}) {
    words.insert(words.end(), section->begin(), section->end());
  }
  return words;
}

}  // namespace webnnc::spirv
