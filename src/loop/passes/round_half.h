#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Whether an expression of f16 is there to round: a sum with a constant so large that no f16 beside
// it has a fraction. Targets that compute f16 in f32 round it yet, and what a model converts by a
// node of its own (Convert::rounded).
bool IsMeantToRound(const Kernel& kernel, const Expr& expr);

// The number of f16 that is nearest to `x` of f32, as f32, for targets that have no f16 to convert
// it to: of two that are as near the even one, infinity from 65,520 on, NaN as it is.
ExprId RoundedToHalf(Kernel& kernel, ExprId x);

}  // namespace webnnc::loop
