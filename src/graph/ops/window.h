// What convolutions and pooling share: windows that slide over some dimensions of a tensor.
#pragma once

#include "graph/ops/shapes.h"

namespace webnnc::graph {

struct Window {
  Integers kernel, strides, dilations, pads_begin, pads_end;
  bool ceil = false;
};

// Checks that the vectors have `rank` sensible entries each.
Status CheckWindow(std::string_view what, const Window& window, size_t rank);

// That no place of a window over `along` elements and their padding needs more than 32 bits: size
// `along` is x's, or the result's where x is what windows make.
Status CheckPlaces(std::string_view what, const Window& window, size_t d, const Dim& along);

// How many places the window has along spatial dimension d of size `in`.
Dim OutputSize(const Window& window, size_t d, const Dim& in);

// Where the window at `place` touches the input with its element `tap`, and whether that is inside.
struct Touch {
  loop::ExprId position;  // may be outside
  loop::ExprId inside;    // bool
};
Touch TouchAt(loop::Builder& build, const Window& window, size_t d, const Dim& in,
              loop::ExprId place, loop::ExprId tap);

// Positions of the dimensions of an image under a layout: n, channels, first spatial.
struct ImageDims {
  size_t channel, spatial;
};
ImageDims DimsOf(Layout layout, size_t rank);

// "o0", "o1", ... and "k0", "k1", ...: the loops over places and taps.
std::vector<std::string> Numbered(const std::string& prefix, size_t count);

}  // namespace webnnc::graph
