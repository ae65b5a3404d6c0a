// Checks and lowerings that several operations share.
#pragma once

#include <functional>

#include "graph/ops.h"
#include "loop/lowering.h"

namespace webnnc::graph {

// "add of f32[2] and i32[2]", for errors.
std::string Describe(std::string_view what, std::span<const TensorType> operands);

// Whether `axes` are distinct and inside `rank`, in rising order.
Status CheckAxes(std::string_view what, const Integers& axes, int64_t rank);

// What tensors hold that are indices into others.
inline bool IsIndexType(DType dtype) { return dtype == DType::kI32 || dtype == DType::kI64; }

// The broadcast shape of all operands, or an error that names them.
Result<Shape> BroadcastAll(std::string_view what, std::span<const TensorType> operands);

// The sizes that broadcast to each other: dimensions are aligned at the last one, and the last
// `apart` of each operand do not take part.
std::vector<EqualSizes> BroadcastSizes(std::span<const TensorType> operands, size_t apart);

// One stage: result[i...] = value(i...).
void LowerMap(loop::Lowering& to, const std::function<loop::ExprId(const loop::Index&)>& value);

// The type sums of `dtype` are kept in: f32 for f16, so that long sums stay accurate.
DType AccumulatorType(DType dtype);

// The buffer a reduction goes to: the result itself, or a temporary of the accumulator's type.
// Finish then converts, if it has to.
loop::BufferId AccumulatorFor(loop::Lowering& to);
void Finish(loop::Lowering& to, loop::BufferId accumulator);

// log(1 + exp(x)), which neither overflows nor loses the digits of small results.
loop::ExprId Softplus(loop::Builder& build, loop::ExprId x);

// Whether `element` is the largest or smallest of its row, which is NaN if any of them is.
loop::ExprId EqualOrNan(loop::Builder& build, loop::ExprId element, loop::ExprId best);

// An index as tensors hold it, i32 or i64, made an i32 in [0, size): negative ones count from the
// end, and what is outside is moved to the nearest end, since a page's data must not read
// beyond a buffer.
loop::ExprId ClampedIndex(loop::Builder& build, loop::ExprId index, const Dim& size);

}  // namespace webnnc::graph
