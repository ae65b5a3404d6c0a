#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// Which bytes a processor multiplies by those that have a sign.
enum class ByteFactors : uint8_t {
  kSigned,
  // Those that have a sign or those that have none, which is known where the program runs
  // (UnaryOp::kDotByte).
  kEither,
};

// For processors that multiply bytes: integers that constant weights of i8 are multiplied with
// become bytes. Those of nine bits are passed on less what moves their range there; the weights'
// sums make up for it:
//
//   x: i16 = ...                     y: i8 = i8(... - 128)
//   conv(i32(x), w)            ->    conv(i32(y), w, outside=-128) + 128 * sum(w)
//   matmul(i32(q) - i32(z), w) ->    matmul(i32(i8(i16(q) - 128)), w) + (128 - i32(z)) * sum(w)
//
// With kEither they become u8:
//
//   matmul(i32(q) - i32(z), w) ->    matmul(dotbyte(i32(q)), w) + (-dotbyte(0) - i32(z)) * sum(w)
void NarrowFactors(Graph& graph, EvaluationBudget& budget, ByteFactors factors);

// Whether it has products of i8, or of what kEither makes of factors.
bool HasByteProducts(const Graph& graph);
bool HasEitherByte(const Graph& graph);

}  // namespace webnnc::graph
