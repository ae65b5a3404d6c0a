// Arithmetic on scalars: what the operations of kernel.h give for constants.
#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

Scalar Evaluate(UnaryOp op, const Scalar& a);
Scalar Evaluate(BinaryOp op, const Scalar& a, const Scalar& b);
// What a store of `value` leaves where `old` was.
Scalar Updated(Update update, const Scalar& old, const Scalar& value);

}  // namespace webnnc::loop
