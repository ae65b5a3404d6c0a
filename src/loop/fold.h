// Arithmetic on scalars: what the operations of kernel.h give for constants.
#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

Scalar Evaluate(UnaryOp op, const Scalar& a);
Scalar Evaluate(BinaryOp op, const Scalar& a, const Scalar& b);

}  // namespace webnnc::loop
