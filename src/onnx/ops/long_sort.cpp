// Batcher's bitonic network (Knuth, The Art of Computer Programming, 5.3.4) as a loop, a step an
// iteration: steps (k, j) with k = 2, 4, ..., n and j = k/2, k/4, ..., 1, in each of which places i
// and i xor j are compared, for ascending order where i has no bit k. What is sorted are indices
// into a row, of as many as the next power of two; those behind the row's end come last.
#include "onnx/ops/long_sort.h"

#include <numeric>

#include "onnx/formula.h"
#include "onnx/ops/bodies.h"

namespace webnnc::onnx {

using graph::ReduceKind;
using loop::BinaryOp;

bool IsLongToSort(const NodeContext& c, const graph::TopK& op) {
  // Up to here a comparison of all with all takes less than some dozen passes over a row.
  constexpr int64_t kLongestCompared = 4096;
  auto largest = c.LargestOf(c.Type(0).shape[static_cast<size_t>(op.axis)]);
  return !largest || *largest > kLongestCompared;
}

namespace {

class LongSort {
 public:
  LongSort(NodeContext& c, const graph::TopK& op) : c_(c), f_(c), op_(op) {}

  Result<Values> Run() {
    Shape shape = InRows();
    Term powers = f_.Integers(PowersOfTwo());
    Term levels =
        Reduce(ReduceKind::kSum, Cast(powers < f_.Size(size_, DType::kI64), DType::kI64), {0});
    Term padded = Binary(BinaryOp::kShiftLeft, f_.Number(1, DType::kI64), levels);
    TRY_ASSIGN(auto vector, f_.Result(Reshape(padded, {1})));
    TRY_ASSIGN(auto sizes, c_.DefineSizes(vector, "sorted", {Max(2 * size_, 1)}));
    padded_ = sizes[0];
    LoopBody loop;
    TRY_ASSIGN(loop.trips, f_.Result(FloorDiv(levels * (levels + 1), f_.Number(2, DType::kI64))));
    Term places = Expand(Reshape(f_.Iota(padded_, DType::kI32), {1, padded_}), {rows_, padded_});
    TRY(Carry(loop, "places", places));
    TRY(Carry(loop, "k", f_.Number(2, DType::kI64)));
    TRY(Carry(loop, "j", f_.Number(1, DType::kI64)));
    Frame& around = c_.frame();
    loop.iterate = [&](NodeContext& inside, ValueId, const Values& carried) {
      return Step(inside, around, carried);
    };
    TRY_ASSIGN(auto results, AddLoop(c_, loop));
    Term first = Slice(f_(results[0]), 1, 0, op_.count);
    shape.back() = op_.count;
    TRY_ASSIGN(auto values,
               f_.Result(OutOfRows(f_.Add(graph::GatherElements{1}, {x_, first}), shape)));
    TRY_ASSIGN(auto indices, f_.Result(OutOfRows(Cast(first, DType::kI64), shape)));
    return Values{values, indices};
  }

 private:
  static std::vector<int64_t> PowersOfTwo() {
    std::vector<int64_t> powers;
    for (int bit = 0; bit < 31; ++bit) powers.push_back(int64_t{1} << bit);
    return powers;
  }

  Status Carry(LoopBody& loop, const std::string& name, Term start) {
    TRY_ASSIGN(auto id, f_.Result(start));
    loop.carried.push_back({name, id});
    return kSuccess;
  }

  // The axis changes places with the last dimension, there and back.
  std::vector<int64_t> Order() const {
    std::vector<int64_t> order(c_.Type(0).shape.size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[static_cast<size_t>(op_.axis)], order.back());
    return order;
  }

  // Sets x_ to [rows, size]; gives x's shape with the axis last.
  Shape InRows() {
    Shape shape = c_.Type(0).shape;
    size_ = shape[static_cast<size_t>(op_.axis)];
    std::swap(shape[static_cast<size_t>(op_.axis)], shape.back());
    rows_ = ElementCount(Shape(shape.begin(), shape.end() - 1));
    x_ = Reshape(Transpose(f_(c_[0]), Order()), {rows_, size_});
    return shape;
  }
  Term OutOfRows(Term rows, const Shape& shape) const {
    return Transpose(Reshape(rows, shape), Order());
  }

  // Whether what is at index `a` of a row comes before what is at `b`: a total order, in which NaN
  // is larger than all numbers, and of equals the first is first.
  Term ComesBefore(Formula& f, Term x, Term a, Term b) const {
    Term last = f.Size(size_, DType::kI32) - 1;
    auto at = [&](Term index) { return f.Add(graph::GatherElements{1}, {x, Min(index, last)}); };
    Term one = at(a), other = at(b);
    if (c_.Type(0).dtype == DType::kBool) {
      one = Cast(one, DType::kI32);
      other = Cast(other, DType::kI32);
    }
    if (op_.smallest) std::swap(one, other);
    Term larger = other < one, equal = one == other;
    if (IsFloat(c_.Type(0).dtype)) {
      auto is_nan = [](Term term) { return Unary(graph::Function::kIsNan, term); };
      larger = larger | (is_nan(one) & Not(is_nan(other)));
      equal = equal | (is_nan(one) & is_nan(other));
    }
    Term inside = (a <= last) & (b <= last), first = a < b;
    return Where(inside, larger | (equal & first), first);
  }

  Result<Values> Step(NodeContext& inside, Frame& around, const Values& carried) const {
    Formula f(inside);
    Term own = f(carried[0]), k = f(carried[1]), j = f(carried[2]);
    Term x = f(Here(inside, around, x_.id));
    Term i = f.Iota(padded_, DType::kI32), step = Cast(j, DType::kI32);
    Term partner = Reshape(Binary(BinaryOp::kXor, i, step), {1, padded_});
    Term theirs = f.Add(graph::GatherElements{1}, {own, Expand(partner, {rows_, padded_})});
    // The lower of the two places keeps what comes first where order is ascending.
    Term is_lower = (i & step) == 0, ascends = (i & Cast(k, DType::kI32)) == 0;
    Term wants_first = Reshape(is_lower == ascends, {1, padded_});
    Term keeps = wants_first == ComesBefore(f, x, own, theirs);
    Term is_last = j == 1;
    Values outputs;
    for (Term term :
         {Where(keeps, own, theirs), Where(is_last, k * 2, k), Where(is_last, k, j >> 1)}) {
      TRY_ASSIGN(auto id, f.Result(term));
      outputs.push_back(id);
    }
    return outputs;
  }

  NodeContext& c_;
  Formula f_;
  graph::TopK op_;
  Term x_{};
  Dim rows_, size_, padded_;
};

}  // namespace

Result<Values> SortLongRows(NodeContext& c, const graph::TopK& op) { return LongSort(c, op).Run(); }

}  // namespace webnnc::onnx
