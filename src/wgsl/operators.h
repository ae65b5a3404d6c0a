#pragma once

#include <spirv_cross/spirv.hpp>
#include <string_view>

namespace webnnc::wgsl {

// How WGSL writes an instruction of arithmetic.
enum class Notation : uint8_t {
  kInfix,       // a + b
  kPrefix,      // -a
  kCall,        // any(a)
  kConversion,  // f32(a)
  kBitcast,     // bitcast<f32>(a), or u32(a) between integers
};

// What an instruction takes its operands for: in SPIR-V that may differ from their type.
enum class Taken : uint8_t { kAsTyped, kAsResult, kAsSigned, kAsUnsigned };

struct Operator {
  spv::Op op;
  Notation notation;
  std::string_view text;
  Taken taken = Taken::kAsTyped;
};

// Null if the instruction is not one of these.
const Operator* FindOperator(spv::Op op);

}  // namespace webnnc::wgsl
