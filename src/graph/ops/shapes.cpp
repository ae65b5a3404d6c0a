#include "graph/ops/shapes.h"

namespace webnnc::graph {

std::string Describe(std::string_view what, std::span<const TensorType> operands) {
  std::string out(what);
  for (size_t i = 0; i < operands.size(); ++i) {
    out += (i == 0 ? " of " : i + 1 == operands.size() ? " and " : ", ") + Print(operands[i]);
  }
  return out;
}

Status CheckAxes(std::string_view what, const Integers& axes, int64_t rank) {
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= rank) {
      return Error{std::string(what) + ": axis " + std::to_string(axis) + " of " +
                   std::to_string(rank) + " dimensions"};
    }
    last = axis;
  }
  return kSuccess;
}

Result<Shape> BroadcastAll(std::string_view what, std::span<const TensorType> operands) {
  Shape shape;
  for (const TensorType& operand : operands) {
    auto both = Broadcast(shape, operand.shape);
    if (!both) {
      Error error{"cannot broadcast the operands of " + Describe(what, operands)};
      if (!IsStatic(shape) || !IsStatic(operand.shape)) {
        error.notes.push_back(
            "sizes that are equal when the model runs need the same name; "
            "--dim NAME=N fixes one");
      }
      return error;
    }
    shape = std::move(*both);
  }
  return shape;
}

std::vector<EqualSizes> BroadcastSizes(std::span<const TensorType> operands, size_t apart) {
  size_t most = 0;
  for (const TensorType& operand : operands) most = std::max(most, operand.shape.size());
  std::vector<EqualSizes> equal;
  for (size_t from_end = apart; from_end < most; ++from_end) {
    equal.push_back({{}, true});
    for (size_t i = 0; i < operands.size(); ++i) {
      size_t rank = operands[i].shape.size();
      if (from_end < rank) equal.back().places.push_back({i, rank - 1 - from_end});
    }
  }
  return equal;
}

void LowerMap(loop::Lowering& to, const std::function<loop::ExprId(const loop::Index&)>& value) {
  to.build.ForEach(to.Result().shape, [&](const loop::Index& index) {
    to.build.Store(to.results[0], index, value(index));
  });
}

DType AccumulatorType(DType dtype) { return dtype == DType::kF16 ? DType::kF32 : dtype; }

loop::BufferId AccumulatorFor(loop::Lowering& to) {
  TensorType type = to.Result();
  if (AccumulatorType(type.dtype) == type.dtype) return to.results[0];
  type.dtype = AccumulatorType(type.dtype);
  return to.Temporary("sum", type);
}

void Finish(loop::Lowering& to, loop::BufferId accumulator) {
  if (accumulator == to.results[0]) return;
  LowerMap(to, [&](const loop::Index& index) {
    return to.build.Convert(to.build.Load(accumulator, index), to.Result().dtype);
  });
}

// max(x, 0) + log(1 + e) with e = exp(-|x|). Next to 1 a small e has no digits left, and WebGPU
// asks for few of a logarithm near 1: so it is 2 atanh(e/(2 + e)), by the power series of atanh,
// whose argument is at most 1/3.
loop::ExprId Softplus(loop::Builder& build, loop::ExprId x) {
  DType dtype = build.dtype(x);
  auto real = [&](double value) { return build.Real(dtype, value); };
  loop::ExprId magnitude = build.Apply(loop::UnaryOp::kAbs, x);
  loop::ExprId e = build.Apply(loop::UnaryOp::kExp, build.Apply(loop::UnaryOp::kNegate, magnitude));
  loop::ExprId t = build.Div(e, build.Add(e, real(2)));
  loop::ExprId square = build.Mul(t, t);
  // What the terms leave out is less than a rounding.
  int terms = dtype == DType::kF64 ? 17 : 7;
  loop::ExprId series = real(1.0 / (2 * terms - 1));
  for (int k = terms - 2; k >= 0; --k)
    series = build.Add(build.Mul(series, square), real(1.0 / (2 * k + 1)));
  return build.Add(build.Max(x, real(0)), build.Mul(build.Add(t, t), series));
}

loop::ExprId EqualOrNan(loop::Builder& build, loop::ExprId element, loop::ExprId best) {
  loop::ExprId equal = build.Equal(element, best);
  if (!IsFloat(build.dtype(element))) return equal;
  return build.Apply(loop::BinaryOp::kOr, equal, build.Apply(loop::UnaryOp::kIsNan, element));
}

loop::ExprId ClampedIndex(loop::Builder& build, loop::ExprId index, const Dim& size) {
  loop::ExprId n = build.Size(size), zero = build.Int(0);
  // What 32 bits do not hold is outside all the same.
  if (build.dtype(index) == DType::kI64) {
    index = build.Min(index, build.Constant(Scalar::Integer(DType::kI64, INT32_MAX)));
    index = build.Max(index, build.Constant(Scalar::Integer(DType::kI64, INT32_MIN)));
  }
  loop::ExprId i = build.Convert(index, DType::kI32);
  i = build.Select(build.Less(i, zero), build.Add(i, n), i);
  return build.Max(build.Min(i, build.Sub(n, build.Int(1))), zero);
}

}  // namespace webnnc::graph
