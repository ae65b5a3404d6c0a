// What normalisations share.
#pragma once

#include <string>
#include <vector>

#include "onnx/node_context.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;

// A vector with one element a channel, made to broadcast over an image of `rank` dimensions with
// channels second.
Result<ValueId> Upright(NodeContext& c, const std::string& what, ValueId vector, int64_t rank,
                        const Dim& channels, const std::string& each = "channel");

// x * scale + shift
Result<ValueId> ScaleAndShift(NodeContext& c, ValueId x, ValueId scale, ValueId shift);

// The dimensions from `first` on.
Integers Following(int64_t first, int64_t rank);

// The mean over axes, kept, in f32 or wider.
Result<ValueId> Mean(NodeContext& c, ValueId x, const Integers& axes);

// That a scale or bias of what is normalised broadcasts to it.
Status CheckFits(NodeContext& c, const std::string& what, size_t i);

}  // namespace webnnc::onnx
