// Factors that are integers of 8 bits, whatever type they were widened to.
#pragma once

#include "loop/builder.h"

namespace webnnc::schedule {

// So many are in a word.
inline constexpr int64_t kBytesInWord = 4;

// Whether `factor` is an integer that i8 has, as far as can be seen: loaded or constant, widened
// and chosen.
bool IsByte(const loop::Kernel& kernel, loop::ExprId factor);
// Null if it is not made by kDotByte.
const loop::Unary* DotByteOf(const loop::Kernel& kernel, loop::ExprId factor);
// The same number as i32.
loop::ExprId ByteAsInteger(loop::Kernel& kernel, loop::ExprId factor);

}  // namespace webnnc::schedule
