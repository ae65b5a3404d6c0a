#include "graph/ops/cubic.h"

namespace webnnc::graph {

static double Evaluate(const Polynomial3& c, double x) {
  return ((c[0] * x + c[1]) * x + c[2]) * x + c[3];
}

double CubicWeights::At(double distance) const {
  if (distance <= 1) return Evaluate(near, distance);
  return distance < 2 ? Evaluate(far, distance) : 0;
}

std::array<loop::ExprId, 4> CubicTaps(loop::Builder& build, loop::ExprId part, double a) {
  auto real = [&](double value) { return build.Real(build.dtype(part), value); };
  auto evaluate = [&](const Polynomial3& c, loop::ExprId x) {
    loop::ExprId sum = build.Add(build.Mul(x, real(c[0])), real(c[1]));
    sum = build.Add(build.Mul(x, sum), real(c[2]));
    return build.Add(build.Mul(x, sum), real(c[3]));
  };
  CubicWeights weights(a);
  loop::ExprId rest = build.Sub(real(1), part);
  return {evaluate(weights.far, build.Add(part, real(1))), evaluate(weights.near, part),
          evaluate(weights.near, rest), evaluate(weights.far, build.Add(rest, real(1)))};
}

}  // namespace webnnc::graph
