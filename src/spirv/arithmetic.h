// The kernel IR's operations as SPIR-V, with the meaning that loop/kernel.h and tensor/scalar.h
// give them: no result and no operand makes the behaviour undefined.
#pragma once

#include "loop/kernel.h"
#include "spirv/code_builder.h"

namespace webnnc::spirv {

// What is known of a binary operation's operands.
struct OperandFacts {
  // The value of b, if it is the same constant in all lanes.
  std::optional<Scalar> constant_b;
  bool a_non_negative = false;
  bool b_non_negative = false;
  // Of shifts: whether b is less than the width in all lanes, and not negative.
  bool shifts_within = false;
};

Value EmitUnary(loop::UnaryOp op, const Value& a);
Value EmitBinary(loop::BinaryOp op, const Value& a, const Value& b, const OperandFacts& facts = {});
Value EmitConvert(const Value& a, DType to);
// What a store combines the memory's old value with.
Value EmitUpdate(loop::Update update, const Value& old, const Value& value);

}  // namespace webnnc::spirv
