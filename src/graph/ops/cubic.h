// Cubic convolution (Keys, 1981): what the four neighbours of a place between elements weigh.
#pragma once

#include <array>

#include "loop/builder.h"

namespace webnnc::graph {

// A cubic polynomial's coefficients, that of the highest power first.
using Polynomial3 = std::array<double, 4>;

// What an element weighs, by its distance: up to 1, and up to 2. Farther ones weigh nothing.
struct CubicWeights {
  Polynomial3 near, far;

  explicit CubicWeights(double a) : near{a + 2, -(a + 3), 0, 1}, far{a, -5 * a, 8 * a, -4 * a} {}
  double At(double distance) const;
};

// The weights of the elements at -1, 0, 1 and 2, if the place is at `part` of the way from 0 to 1.
std::array<loop::ExprId, 4> CubicTaps(loop::Builder& build, loop::ExprId part, double a);

}  // namespace webnnc::graph
