// Arithmetic on sizes, axes and bounds that are data: what ONNX's rules make of them, as vectors of
// i64 in the graph.
#pragma once

#include "onnx/formula.h"

namespace webnnc::onnx {

// Operand i, a vector or scalar of `length` integers, as i64[length].
Term IntegersOf(Formula& f, size_t i, int64_t length);

// Of axes i64[k] that may count from the end, which of `rank` dimensions they name: bool[k,rank].
Term PlacesOf(Formula& f, Term axes, int64_t rank);
// The same for any of them: bool[rank].
Term AnyOf(Term places);
// Of each dimension the value of the axis that names it, or `otherwise`: i64[rank].
Term AtAxes(Term places, Term values, Term otherwise);

// The elements of a vector where `mask` is true, in order; as many as are told: i64[count].
Term Selected(Term values, Term mask, int64_t count);

// Where a vector of bools is true, in order: i64[count], with the count as a new symbol.
struct Positions {
  Term where;
  Dim count;
};
Result<Positions> PositionsOf(Formula& f, Term mask, const std::string& what);

// x with the dimensions that are named by data behind all others: a matrix [others, named].
class AxesLast {
 public:
  // `axes` is i64[k].
  static Result<AxesLast> Of(Formula& f, Term x, Term axes);

  Term matrix() const { return matrix_; }
  // Which dimensions of x are named: bool[rank].
  Term named() const { return named_; }
  const Dim& others() const { return others_; }
  const Dim& inner() const { return inner_; }
  // The same of a tensor of other sizes.
  AxesLast WithShape(const Shape& shape) const;
  // A matrix of the same sizes with its elements where those of x are.
  Term Back(Term matrix) const;

 private:
  // For each dimension how far apart its elements are among those where `mask` is true.
  Term StridesAmong(Term mask) const;
  // For `count` elements of the dimensions where `mask` is true, where they are in x.
  Term PlacesAmong(Term mask, const Dim& count) const;

  explicit AxesLast(Formula& f) : f_(&f) {}
  Formula* f_;
  Shape shape_;
  Dim others_, inner_;
  Term matrix_{}, named_{}, sizes_{}, strides_{};
};

}  // namespace webnnc::onnx
