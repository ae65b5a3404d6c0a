// What operators share whose weights are bytes with several elements of a few bits in each.
#pragma once

#include "onnx/formula.h"

namespace webnnc::onnx {

Result<DType> UnsignedOf(int64_t bits);

// Operand `i`, bytes that are known, as elements of fewer bits: as many as they have room for.
Result<Term> Elements(Formula& f, size_t i, DType dtype, Shape shape);
// The same less half of what they may be, which is where zero is if nothing is said: numbers with a
// sign, whose top bits are the others' turned.
Result<Term> CentredElements(Formula& f, size_t i, DType dtype, Shape shape);

// How many elements of so many bits fill whole bytes, if there are to be `count`.
int64_t InWholeBytes(int64_t count, DType dtype);

// The attribute `block_size`.
Result<int64_t> BlockSize(NodeContext& c, int64_t otherwise);

}  // namespace webnnc::onnx
