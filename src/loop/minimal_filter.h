// Minimal filtering (Winograd; Cook and Toom): `outputs` neighbouring results of a filter of `taps`
// elements with outputs + taps - 1 products instead of outputs * taps. With d the elements that the
// filter meets and g its own,
//
//   y[u] = sum_a result[u][a] * (sum_j filter[a][j] * g[j]) * (sum_i input[a][i] * d[i])
//
// Two results of three taps take four products instead of six; in two dimensions 16 instead of 36.
// The matrices are those of polynomials that are multiplied by their values at the points 0, 1, -1,
// 2, -2 and infinity. The more points, the larger the numbers that are added and subtracted: of
// results that are exact but for rounding the error grows with the points.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace webnnc::loop {

struct MinimalFilter {
  using Matrix = std::vector<std::vector<double>>;

  Matrix input;   // [products][products]
  Matrix filter;  // [products][taps]
  Matrix result;  // [outputs][products]

  int64_t products() const { return static_cast<int64_t>(input.size()); }
};

// Nothing where there are not enough points.
std::optional<MinimalFilter> MinimalFilterOf(int64_t outputs, int64_t taps);

}  // namespace webnnc::loop
