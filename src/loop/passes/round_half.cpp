#include "loop/passes/round_half.h"

#include <cmath>

#include "loop/builder.h"

namespace webnnc::loop {

// The magnitude of a constant, or 0.
static double LargestOf(const Kernel& kernel, ExprId id) {
  auto* splat = std::get_if<Splat>(&kernel.exprs[id].node);
  auto* constant = std::get_if<Constant>(&kernel.exprs[splat ? splat->a : id].node);
  return constant ? std::fabs(constant->value.AsReal()) : 0;
}

bool IsMeantToRound(const Kernel& kernel, const Expr& expr) {
  constexpr double kFirstWithoutFraction = 1024;
  auto* sum = std::get_if<Binary>(&expr.node);
  if (!sum || (sum->op != BinaryOp::kAdd && sum->op != BinaryOp::kSub)) return false;
  return LargestOf(kernel, sum->a) >= kFirstWithoutFraction ||
         LargestOf(kernel, sum->b) >= kFirstWithoutFraction;
}

// By bits, which nobody reorders. f32 has 13 more of a fraction than f16; the smallest numbers of
// f16 are multiples of 2^-24.
ExprId RoundedToHalf(Kernel& kernel, ExprId x) {
  Builder build(kernel);
  const int32_t lanes = kernel.exprs[x].lanes;
  auto bits = [&](int32_t value) {
    return build.Splat(build.Constant(Scalar::Integer(DType::kI32, value)), lanes);
  };
  auto real = [&](double value) {
    return build.Splat(build.Constant(Scalar::Real(DType::kF32, value)), lanes);
  };
  constexpr int32_t kInfinity = 0x7f800000, kTooLarge = 0x47800000, kSmallestNormal = 0x38800000;
  ExprId all = build.Apply(UnaryOp::kBits, x);
  ExprId magnitude = build.And(all, bits(INT32_MAX)), sign = build.And(all, bits(INT32_MIN));

  // Half of what is cut off, less one where the last bit that stays is even.
  ExprId finite = build.Min(magnitude, bits(kInfinity));
  ExprId odd = build.And(build.Apply(BinaryOp::kShiftRight, finite, bits(13)), bits(1));
  ExprId raised = build.Add(finite, build.Add(odd, bits((1 << 12) - 1)));
  ExprId normal = build.And(raised, bits(-1 << 13));
  normal = build.Select(build.Less(normal, bits(kTooLarge)), normal, bits(kInfinity));

  ExprId scaled = build.Mul(build.Apply(UnaryOp::kFromBits, finite), real(0x1p24));
  ExprId small = build.Mul(build.Apply(UnaryOp::kRound, scaled), real(0x1p-24));
  ExprId rounded = build.Select(build.Less(finite, bits(kSmallestNormal)),
                                build.Apply(UnaryOp::kBits, small), normal);
  ExprId result = build.Apply(UnaryOp::kFromBits, build.Or(rounded, sign));
  return build.Select(build.LessEqual(magnitude, bits(kInfinity)), result, x);
}

}  // namespace webnnc::loop
