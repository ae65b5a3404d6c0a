#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Transposed convolutions by constant filters become convolutions whose results lie between each
// other: an element of the result meets those elements of the filter alone that are a multiple of
// the stride apart, so each place within a stride has a filter of its own.
//
//   y: f32[1,8,8,6] = conv_transpose(x: f32[1,4,4,5], w: f32[2,2,5,6], strides=[2,2])
//   ->  all: f32[1,4,4,24] = conv(x, filters: f32[1,1,5,24])
//       places: f32[1,4,4,2,2,6] = reshape(all)
//       y = reshape(transpose(places, order=[0,1,3,2,4,5]))
//
// Where the stride does not divide the filter's size, the filter gets zeros; where these would be
// more than what is there, and where a filter's elements are apart, all stays as it is.
void SubpixelConvolutions(Graph& graph);

}  // namespace webnnc::graph
