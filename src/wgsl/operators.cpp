#include "wgsl/operators.h"

namespace webnnc::wgsl {

// Comparisons that are true of NaN exist in SPIR-V only.
static constexpr Operator kOperators[] = {
    {spv::OpFAdd, Notation::kInfix, "+"},
    {spv::OpFSub, Notation::kInfix, "-"},
    {spv::OpFMul, Notation::kInfix, "*"},
    {spv::OpFDiv, Notation::kInfix, "/"},
    {spv::OpVectorTimesScalar, Notation::kInfix, "*"},
    {spv::OpFNegate, Notation::kPrefix, "-"},

    {spv::OpIAdd, Notation::kInfix, "+", Taken::kAsResult},
    {spv::OpISub, Notation::kInfix, "-", Taken::kAsResult},
    {spv::OpIMul, Notation::kInfix, "*", Taken::kAsResult},
    {spv::OpSDiv, Notation::kInfix, "/", Taken::kAsSigned},
    {spv::OpUDiv, Notation::kInfix, "/", Taken::kAsUnsigned},
    {spv::OpSRem, Notation::kInfix, "%", Taken::kAsSigned},
    {spv::OpUMod, Notation::kInfix, "%", Taken::kAsUnsigned},
    {spv::OpSNegate, Notation::kPrefix, "-", Taken::kAsSigned},

    {spv::OpBitwiseAnd, Notation::kInfix, "&", Taken::kAsResult},
    {spv::OpBitwiseOr, Notation::kInfix, "|", Taken::kAsResult},
    {spv::OpBitwiseXor, Notation::kInfix, "^", Taken::kAsResult},
    {spv::OpNot, Notation::kPrefix, "~", Taken::kAsResult},
    {spv::OpShiftLeftLogical, Notation::kInfix, "<<", Taken::kAsResult},
    {spv::OpShiftRightLogical, Notation::kInfix, ">>", Taken::kAsUnsigned},
    {spv::OpShiftRightArithmetic, Notation::kInfix, ">>", Taken::kAsSigned},

    // Not && and ||, which are branches: SPIR-V's operators evaluate both sides, and nested
    // branches take some drivers' compilers very long.
    {spv::OpLogicalAnd, Notation::kInfix, "&"},
    {spv::OpLogicalOr, Notation::kInfix, "|"},
    {spv::OpLogicalEqual, Notation::kInfix, "=="},
    {spv::OpLogicalNotEqual, Notation::kInfix, "!="},
    {spv::OpLogicalNot, Notation::kPrefix, "!"},
    {spv::OpAny, Notation::kCall, "any"},

    {spv::OpIEqual, Notation::kInfix, "=="},
    {spv::OpINotEqual, Notation::kInfix, "!="},
    {spv::OpSLessThan, Notation::kInfix, "<", Taken::kAsSigned},
    {spv::OpSLessThanEqual, Notation::kInfix, "<=", Taken::kAsSigned},
    {spv::OpULessThan, Notation::kInfix, "<", Taken::kAsUnsigned},
    {spv::OpULessThanEqual, Notation::kInfix, "<=", Taken::kAsUnsigned},
    {spv::OpFOrdEqual, Notation::kInfix, "=="},
    {spv::OpFOrdLessThan, Notation::kInfix, "<"},
    {spv::OpFOrdLessThanEqual, Notation::kInfix, "<="},

    {spv::OpSDot, Notation::kCall, "dot4I8Packed", Taken::kAsUnsigned},

    {spv::OpGroupNonUniformFAdd, Notation::kCall, "subgroupAdd"},
    {spv::OpGroupNonUniformIAdd, Notation::kCall, "subgroupAdd"},
    {spv::OpGroupNonUniformFMul, Notation::kCall, "subgroupMul"},
    {spv::OpGroupNonUniformIMul, Notation::kCall, "subgroupMul"},
    {spv::OpGroupNonUniformFMax, Notation::kCall, "subgroupMax"},
    {spv::OpGroupNonUniformSMax, Notation::kCall, "subgroupMax"},
    {spv::OpGroupNonUniformUMax, Notation::kCall, "subgroupMax"},
    {spv::OpGroupNonUniformFMin, Notation::kCall, "subgroupMin"},
    {spv::OpGroupNonUniformSMin, Notation::kCall, "subgroupMin"},
    {spv::OpGroupNonUniformUMin, Notation::kCall, "subgroupMin"},

    {spv::OpConvertSToF, Notation::kConversion, "", Taken::kAsSigned},
    {spv::OpConvertUToF, Notation::kConversion, "", Taken::kAsUnsigned},
    {spv::OpConvertFToS, Notation::kConversion, ""},
    {spv::OpConvertFToU, Notation::kConversion, ""},
    {spv::OpFConvert, Notation::kConversion, ""},
    {spv::OpBitcast, Notation::kBitcast, ""},
};

const Operator* FindOperator(spv::Op op) {
  for (const Operator& candidate : kOperators) {
    if (candidate.op == op) return &candidate;
  }
  return nullptr;
}

}  // namespace webnnc::wgsl
