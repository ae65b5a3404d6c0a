#include "onnx/formula.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

namespace {

// One step of Gauss's elimination on matrices [r, n, n]: the first column's largest element, and
// what is left of the other rows and columns.
struct Elimination {
  Term pivot;  // [r], with the sign that exchanging rows gives it
  Term rest;   // [r, n - 1, n - 1]
};

Elimination Eliminate(Formula& f, Term x, const Dim& rows, int64_t n, DType dtype) {
  Term column = Reshape(Slice(x, 2, 0, 1), {rows, n});
  Term where = f.Add(graph::ArgReduce{false, 1, true, false}, {Abs(column)});  // [r, 1]
  Term chosen = Reshape(where, {rows, 1, 1});
  Term pivot_row = f.Add(graph::GatherElements{1}, {x, Expand(chosen, {rows, 1, n})});
  Term pivot = Slice(pivot_row, 2, 0, 1);
  // The first row takes the place of the pivot's.
  Term first = Slice(x, 1, 0, 1), others = Slice(x, 1, 1, n - 1);
  Term own = Reshape(f.Iota(n - 1, DType::kI64) + 1, {1, n - 1, 1});
  Term moved = Where(own == chosen, first, others);
  // A column of zeros has nothing to take away, and makes the product zero.
  Term divisor = Where(pivot == 0, f.Number(1, dtype), pivot);
  Term factors = Slice(moved, 2, 0, 1) / divisor;
  Term rest = Slice(moved, 2, 1, n - 1) - factors * Slice(pivot_row, 2, 1, n - 1);
  Term kept = where == 0;
  Term sign = Where(kept, f.Number(1, dtype), f.Number(-1, dtype));
  return {Reshape(pivot, {rows}) * Reshape(sign, {rows}), rest};
}

}  // namespace

// The product of the pivots of Gauss's elimination, a step a row.
static Result<Values> ImportDet(NodeContext& c) {
  const TensorType type = c.Type(0);
  constexpr int64_t kLargest = 64;
  if (type.rank() < 2 || !IsFloat(type.dtype)) return Error{"x is " + Print(type)};
  const Dim &size = type.shape.back(), &other = type.shape[type.shape.size() - 2];
  if (!size.IsConstant() || size != other || size.value() > kLargest)
    return Error{
        "determinants of " + Print(other) + " by " + Print(size) + " elements are not supported",
        {},
        {"matrices are square and of a known size, up to " + std::to_string(kLargest)}};
  const Shape batch(type.shape.begin(), type.shape.end() - 2);
  const Dim rows = ElementCount(batch);
  DType dtype = type.dtype == DType::kF16 ? DType::kF32 : type.dtype;
  Formula f(c);
  Term x = Reshape(Cast(f(c[0]), dtype), {rows, size, size});
  Term product = Expand(f.Number(1, dtype), {rows});
  for (int64_t n = size.value(); n > 0; --n) {
    Elimination step = Eliminate(f, x, rows, n, dtype);
    product = product * step.pivot;
    x = step.rest;
  }
  TRY_ASSIGN(auto result, f.Result(Cast(Reshape(product, batch), type.dtype)));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Det", 1, ImportDet},
};

std::span<const Operator> DeterminantOperators() { return kOperators; }

}  // namespace webnnc::onnx
