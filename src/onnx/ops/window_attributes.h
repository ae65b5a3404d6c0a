// What operators with windows read of their nodes.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

struct WindowAttributes {
  std::vector<int64_t> kernel, strides, dilations, pads_begin, pads_end;
  // What is padded apart before, where it depends on a size that is open; else empty.
  std::vector<Dim> open_begin = {}, open_end = {};
};

// What windows are computed from: products of any two fit 64 bits.
Status CheckSteps(std::initializer_list<const std::vector<int64_t>*> attributes);

// Strides, dilations and pads for a window of this size; the first operand is the image.
Result<WindowAttributes> ReadWindow(NodeContext& c, std::vector<int64_t> kernel);

// The filter's spatial sizes (operand 1), and a check that the attribute says the same.
Result<std::vector<int64_t>> KernelOf(NodeContext& c);

// Adds a vector with one element a channel.
Result<ValueId> AddBias(NodeContext& c, ValueId image, ValueId bias);

}  // namespace webnnc::onnx
