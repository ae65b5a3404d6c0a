// What the operators of attention share, those of ONNX and those of ONNX Runtime: heads, positions
// and masks. An operand of heads is [batch, heads, sequence, size].
#pragma once

#include <initializer_list>
#include <optional>
#include <utility>

#include "onnx/node_context.h"

namespace webnnc::onnx {

struct Heads {
  ValueId q, k, v;
};

// [batch, sequence, heads*size] as [batch, heads, sequence, size], and back.
Result<ValueId> SplitHeads(NodeContext& c, ValueId x, int64_t heads);
Result<ValueId> JoinHeads(NodeContext& c, ValueId x);

// Keys or values with `heads` heads, each as often as that many queries' share it.
Result<ValueId> RepeatedHeads(NodeContext& c, ValueId x, const Dim& heads);

// `size` elements of x along an axis, the first at `start`.
Result<ValueId> Part(NodeContext& c, ValueId x, int64_t axis, const Dim& start, const Dim& size);

// 0, 1, ..., count - 1 along `axis` of `rank` dimensions, as i64.
Result<ValueId> Positions(NodeContext& c, const Dim& count, int64_t axis, int64_t rank);

// 1 / sqrt(size), for a size that is known.
Result<double> ScaleFor(const Dim& size);
// The attribute `scale`, or else that of q's rows.
Result<double> ScaleOf(NodeContext& c, ValueId q);

// Fails if one of the operands is there, which are those that nothing can be made of.
Status Refuse(NodeContext& c, std::initializer_list<std::pair<size_t, const char*>> operands);

// The keys of before and those of now, one behind the other.
Result<ValueId> Appended(NodeContext& c, ValueId past, ValueId now);

// A cache with room for all, [batch, heads, length, size], with what is new in it, at places
// i64[batch or 1, 1, sequence, 1]. What was at others stays.
Result<ValueId> Updated(NodeContext& c, ValueId cache, ValueId now, ValueId places);

// What is added to scores and which of them count, each if there is one.
struct Masks {
  std::optional<ValueId> bias, mask;

  // Keys that do not fulfil it do not count.
  Status Restrict(NodeContext& c, ValueId condition);
};

// graph::Attention, with the sizes of bias and mask made those of the scores where they are not 1.
Result<ValueId> AddAttention(NodeContext& c, const graph::Attention& op, ValueId q, ValueId k,
                             ValueId v, const Masks& masks);

// How much of a row is turned, and which elements are a pair: neighbours, or those of two halves.
struct Rotary {
  int64_t turned = 0;  // 0: the whole row
  bool interleaved = false;
};
// x with each pair (a, b) of a row turned: (a*cos - b*sin, b*cos + a*sin). cos and sin have an
// element a pair and broadcast to x without its last dimension.
Result<ValueId> Rotated(NodeContext& c, const Rotary& rotary, ValueId x, ValueId cos, ValueId sin);

}  // namespace webnnc::onnx
