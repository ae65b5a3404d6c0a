// Determinants and inverses, by Gauss's elimination, a step a row.
#include "onnx/formula.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

namespace {

// Square matrices of a known size, in the type that is computed in.
struct Matrices {
  Shape batch;
  Dim rows;  // how many matrices
  int64_t size;
  DType dtype;
  Term x;  // [rows, size, size]
};

Result<Matrices> MatricesOf(Formula& f, const std::string& what) {
  NodeContext& c = f.context();
  const TensorType type = c.Type(0);
  constexpr int64_t kLargest = 64;
  if (type.rank() < 2 || !IsFloat(type.dtype)) return Error{"x is " + Print(type)};
  const Dim &size = type.shape.back(), &other = type.shape[type.shape.size() - 2];
  if (!size.IsConstant() || size != other || size.value() > kLargest)
    return Error{
        what + " of " + Print(other) + " by " + Print(size) + " elements are not supported",
        {},
        {"matrices are square and of a known size, up to " + std::to_string(kLargest)}};
  const Shape batch(type.shape.begin(), type.shape.end() - 2);
  const Dim rows = ElementCount(batch);
  DType dtype = type.dtype == DType::kF16 ? DType::kF32 : type.dtype;
  Term x = Reshape(Cast(f(c[0]), dtype), {rows, size, size});
  return Matrices{batch, rows, size.value(), dtype, x};
}

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

// The product of the pivots.
static Result<Values> ImportDet(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto m, MatricesOf(f, "determinants"));
  Term product = Expand(f.Number(1, m.dtype), {m.rows}), x = m.x;
  for (int64_t n = m.size; n > 0; --n) {
    Elimination step = Eliminate(f, x, m.rows, n, m.dtype);
    product = product * step.pivot;
    x = step.rest;
  }
  TRY_ASSIGN(auto result, f.Result(Cast(Reshape(product, m.batch), c.Type(0).dtype)));
  return Values{result};
}

// Gauss and Jordan's: the unit matrix beside each becomes the inverse while the matrix becomes the
// unit matrix, a column a step, and what is finished goes.
static Result<Values> ImportInverse(NodeContext& c) {
  Formula f(c);
  TRY_ASSIGN(auto m, MatricesOf(f, "inverses"));
  const int64_t n = m.size;
  Term place = f.Iota(n, DType::kI64);
  Term is_diagonal = Reshape(place, {n, 1}) == Reshape(place, {1, n});
  Term x = Concat({m.x, Expand(Cast(is_diagonal, m.dtype), {m.rows, n, n})}, 2);
  Term row = Reshape(place, {1, n, 1});
  for (int64_t step = 0; step < n; ++step) {
    const Dim width = 2 * n - step;
    // Of the rows that have not had their turn, the one with the column's largest element.
    Term column = Abs(Reshape(Slice(Slice(x, 1, step, n - step), 2, 0, 1), {m.rows, n - step}));
    Term where = f.Add(graph::ArgReduce{false, 1, true, false}, {column}) + step;
    Term chosen = Reshape(where, {m.rows, 1, 1});
    Term pivot_row = f.Add(graph::GatherElements{1}, {x, Expand(chosen, {m.rows, 1, width})});
    Term scaled = pivot_row / Slice(pivot_row, 2, 0, 1);
    // This step's row takes the place of the pivot's.
    Term moved = Where(row == chosen, Slice(x, 1, step, 1), x);
    Term rest = moved - Slice(moved, 2, 0, 1) * scaled;
    x = Slice(Where(row == static_cast<double>(step), scaled, rest), 2, 1, width - 1);
  }
  TRY_ASSIGN(auto result, f.Result(Cast(Reshape(x, c.Type(0).shape), c.Type(0).dtype)));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Det", 1, ImportDet},
    {"com.microsoft", "Inverse", 1, ImportInverse},
};

std::span<const Operator> MatrixOperators() { return kOperators; }

}  // namespace webnnc::onnx
