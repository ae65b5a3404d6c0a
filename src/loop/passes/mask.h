#pragma once

#include "loop/passes/stream_terms.h"

namespace webnnc::loop {

// What a mask says: a condition on rows and columns, by their indices alone, without which a column
// counts for nothing in its row, as its weight is exp(-inf). Of a causal mask with j columns:
//
//   exp(%s[i, j] + select(j <= i, 0.0, -inf) - %m[i])     ->   j <= i
//
// Finite numbers that stand for -inf are taken for it where each row has a column that counts:
// beside that exp(-1e9) is 0. Where masks are data, too, what they say by indices is enough.
// Invalid if nothing is known.
ExprId MaskOf(Kernel& kernel, const Streams& found);

}  // namespace webnnc::loop
