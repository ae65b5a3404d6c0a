// Conditions on indices, and what is left of them where some of the indices are not known.
#pragma once

#include <map>

#include "loop/kernel.h"
#include "tensor/likely_sizes.h"

namespace webnnc::loop {

// A condition without the variables `open`, each of 0 <= var < extent, that holds wherever
// `condition` does for some of their values:
//
//   b * 64 + j <= i     with j in 64                 ->  b * 64 <= i
//   b * 64 <= t * 4 + e with t in 16 and e in 4      ->  b * 64 <= 63
//
// Inequalities of indices become as weak as they can. Whatever else is said, of indices or of what
// tensors hold, may be true.
ExprId Relax(Kernel& kernel, ExprId condition, const std::map<VarId, Dim>& open);

// The same condition as inequalities of i32; invalid if it is about anything but indices.
ExprId OnIndices(Kernel& kernel, ExprId condition);

// The part of all combinations of values of `over`, each of 0 <= var < extent, for which the
// condition holds; of `tiled`, tiles of so many values for one of which it does. All variables of
// the condition are among them; sizes are what is typical.
double ShareOf(Kernel kernel, ExprId condition, std::map<VarId, double> over, VarId tiled,
               int64_t tile, const LikelySizes& sizes);

}  // namespace webnnc::loop
