#pragma once

#include <cstdint>
#include <optional>

#include "loop/kernel.h"

namespace webnnc::loop {

// Computes a convolution of stride 1 with fewer products (minimal_filter.h): `outputs` neighbours
// along each dimension of the window together. The sum of products
//
//   for p in 56 { for o in 64 { for k in 3 { for c in 64 {
//     %y[p, o] += %x[p + k, c] * %w[k, o/8, c, o%8]
//
// becomes stages that transform the filters and what they meet, multiply both for each place of a
// tile, and transform what comes of it:
//
//   %filters[a, o/8, c, o%8] = filter[a][0] * %w[0, ...] + ...    a in 4
//   %tiles[a, t, c] = input[a][0] * %x[2*t, c] + ...              t in 28
//   %products[a, t, o] += %tiles[a, t, c] * %filters[a, o/8, c, o%8]
//   %y[p, o] = result[p%2][0] * %products[0, p/2, o] + ...
//
// What is computed of the result follows. Gives nothing where the plain kernel is no such
// convolution in f32: each dimension of its window has as many elements as points allow, moves by
// one and meets neighbours. What of a tile is outside of the result reads zeros, so that it adds
// nothing to its neighbours but rounding; what is not finite makes all of its tile NaN.
std::optional<Kernel> TransformWindows(const Kernel& plain, int64_t outputs);

}  // namespace webnnc::loop
