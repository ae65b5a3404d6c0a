#include "loop/minimal_filter.h"

#include <cmath>

namespace webnnc::loop {

namespace {

constexpr double kPoints[] = {0, 1, -1, 2, -2};
constexpr size_t kMostPoints = std::size(kPoints);

// The coefficients of the product of x - p for all of the first `count` points but `left_out`.
std::vector<double> ProductWithout(size_t left_out, size_t count) {
  std::vector<double> product{1};
  for (size_t l = 0; l < count; ++l) {
    if (l == left_out) continue;
    product.insert(product.begin(), 0);
    for (size_t i = 0; i + 1 < product.size(); ++i) product[i] -= kPoints[l] * product[i + 1];
  }
  return product;
}

}  // namespace

std::optional<MinimalFilter> MinimalFilterOf(int64_t outputs, int64_t taps) {
  const auto products = static_cast<size_t>(outputs + taps - 1);
  const size_t points = products - 1;  // besides infinity
  if (outputs < 2 || taps < 2 || points > kMostPoints) return std::nullopt;
  MinimalFilter made;
  made.input.assign(products, std::vector<double>(products));
  made.filter.assign(products, std::vector<double>(static_cast<size_t>(taps)));
  made.result.assign(static_cast<size_t>(outputs), std::vector<double>(products));
  for (size_t a = 0; a < points; ++a) {
    double scale = 1;
    for (size_t l = 0; l < points; ++l) {
      if (l != a) scale *= kPoints[a] - kPoints[l];
    }
    // What is divided by is positive: both sides change their signs.
    const double sign = scale < 0 ? -1 : 1;
    const std::vector<double> others = ProductWithout(a, points);
    for (size_t i = 0; i < others.size(); ++i) made.input[a][i] = sign * others[i];
    for (size_t j = 0; j < static_cast<size_t>(taps); ++j)
      made.filter[a][j] = std::pow(kPoints[a], j) / (sign * scale);
    for (size_t u = 0; u < static_cast<size_t>(outputs); ++u)
      made.result[u][a] = std::pow(kPoints[a], u);
  }
  made.input[points] = ProductWithout(points, points);
  made.filter[points].back() = 1;
  made.result.back()[points] = 1;
  return made;
}

}  // namespace webnnc::loop
