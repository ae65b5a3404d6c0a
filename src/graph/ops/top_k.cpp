#include <algorithm>

#include "graph/ops/rows.h"
#include "graph/ops/sort_digits.h"

namespace webnnc::graph {

Result<Types> TopK::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckAxes(kName, {axis}, x.rank()));
  if (x.dtype == DType::kBool) return Error{"top_k does not take bool"};
  const Dim& size = x.shape[static_cast<size_t>(axis)];
  if (ProvablyLess(size, count)) {
    return Error{"top_k: " + Print(count) + " of " + Print(size) + " elements"};
  }
  TensorType values = x;
  values.shape[static_cast<size_t>(axis)] = count;
  return Types{values, {DType::kI64, values.shape}};
}

namespace {

class TopKLowering {
 public:
  TopKLowering(const TopK& op, loop::Lowering& to)
      : op_(op), to_(to), b_(to.build), x_(to.Operand(0)), rows_(to, x_.shape, {op.axis}) {}

  void Run() {
    loop::BufferId where = Places();
    for (size_t result = 0; result < 2; ++result) {
      b_.ForEach(to_.Result(0).shape, [&](const loop::Index& at) {
        loop::ExprId index = b_.Load(where, Moved(at));
        loop::ExprId value = b_.Load(to_.operands[0], With(RowOf(at), index));
        if (result == 1) value = b_.Convert(index, DType::kI64);
        b_.Store(to_.results[result], at, value);
      });
    }
  }

 private:
  loop::BufferId Places() {
    if (op_.method == SortMethod::kDigits)
      return FirstByDigits(to_, {x_.dtype, rows_.rows(), Size(), op_.count, op_.smallest},
                           [&](const loop::Index& row, loop::ExprId i) { return Element(row, i); });
    return op_.method == SortMethod::kNetwork && Size().IsConstant() ? Sort() : SelectByRank();
  }

  const Dim& Size() const { return x_.shape[static_cast<size_t>(op_.axis)]; }

  // A row's index, with a place along the axis.
  loop::Index With(loop::Index row, loop::ExprId place) const {
    row.insert(row.begin() + op_.axis, place);
    return row;
  }
  loop::Index RowOf(loop::Index at) const {
    at.erase(at.begin() + op_.axis);
    return at;
  }
  // Temporaries have rows first, then the place.
  loop::Index Moved(const loop::Index& at) const {
    loop::Index moved = RowOf(at);
    moved.push_back(at[static_cast<size_t>(op_.axis)]);
    return moved;
  }
  Shape RowsBy(const Dim& size) const {
    Shape shape = rows_.rows();
    shape.push_back(size);
    return shape;
  }

  loop::ExprId Element(const loop::Index& row, loop::ExprId place) {
    return b_.Load(to_.operands[0], With(row, place));
  }

  // Whether element a of a row comes before element b, both inside it: a total order.
  loop::ExprId Before(const loop::Index& row, loop::ExprId a, loop::ExprId b) {
    loop::ExprId x = Element(row, a), y = Element(row, b);
    if (op_.smallest) std::swap(x, y);
    loop::ExprId larger = b_.Less(y, x), equal = b_.Equal(x, y);
    if (IsFloat(x_.dtype)) {
      loop::ExprId nan_x = b_.Apply(loop::UnaryOp::kIsNan, x);
      loop::ExprId nan_y = b_.Apply(loop::UnaryOp::kIsNan, y);
      larger = b_.Or(larger, b_.And(nan_x, b_.Not(nan_y)));
      equal = b_.Or(equal, b_.And(nan_x, nan_y));
    }
    return b_.Or(larger, b_.And(equal, b_.Less(a, b)));
  }

  // Batcher's bitonic network (Knuth, The Art of Computer Programming, 5.3.4): steps (k, j) with k
  // = 2, 4, ..., n and j = k/2, k/4, ..., 1, in each of which i and i xor j are compared, for
  // ascending order where i has no bit k. What is sorted are places; those behind the row's end
  // come last.
  loop::BufferId Sort() {
    int64_t padded = 1, steps = 0;
    for (int64_t level = 1; padded < Size().value(); ++level) {
      padded *= 2;
      steps += level;
    }
    loop::BufferId one = to_.Temporary("places", {DType::kI32, RowsBy(padded)});
    loop::BufferId other = to_.Temporary("next_places", {DType::kI32, RowsBy(padded)});
    ForEachPlace(one, padded, [&](const loop::Index&, loop::ExprId i) { return i; });
    // Two steps an iteration, there and back; a last one that is too much changes nothing.
    b_.ForOrdered("s", (steps + 1) / 2, [&](loop::ExprId s) {
      loop::ExprId first = b_.Mul(s, b_.Int(2));
      Step(one, other, padded, steps, first);
      Step(other, one, padded, steps, b_.Add(first, b_.Int(1)));
    });
    return one;
  }

  void ForEachPlace(
      loop::BufferId buffer, int64_t padded,
      const std::function<loop::ExprId(const loop::Index& row, loop::ExprId)>& value) {
    b_.ForEach(RowsBy(padded), [&](const loop::Index& at) {
      loop::Index row(at.begin(), at.end() - 1);
      b_.Store(buffer, at, value(row, at.back()));
    });
  }

  void Step(loop::BufferId from, loop::BufferId into, int64_t padded, int64_t steps,
            loop::ExprId step) {
    // Level k has as many steps as k has bits: how many levels lie before this step.
    loop::ExprId level = b_.Int(0), before = b_.Int(0);
    for (int64_t l = 1; l * (l + 1) / 2 < steps; ++l) {
      loop::ExprId past = b_.LessEqual(b_.Int(l * (l + 1) / 2), step);
      level = b_.Select(past, b_.Int(l), level);
      before = b_.Select(past, b_.Int(l * (l + 1) / 2), before);
    }
    loop::ExprId one = b_.Int(1);
    loop::ExprId j = b_.Apply(loop::BinaryOp::kShiftLeft, one,
                              b_.Max(b_.Sub(level, b_.Sub(step, before)), b_.Int(0)));
    loop::ExprId k = b_.Apply(loop::BinaryOp::kShiftLeft, b_.Int(2), level);
    ForEachPlace(into, padded, [&](const loop::Index& row, loop::ExprId i) {
      loop::ExprId partner = b_.Apply(loop::BinaryOp::kXor, i, j);
      loop::Index at = row, there = row;
      at.push_back(i);
      there.push_back(b_.Min(partner, b_.Int(padded - 1)));
      loop::ExprId own = b_.Load(from, at), theirs = b_.Load(from, there);
      loop::ExprId comes_first = BeforePadded(row, own, theirs);
      // The lower of the two places keeps what comes first where order is ascending.
      loop::ExprId lower = b_.Equal(b_.And(i, j), b_.Int(0));
      loop::ExprId ascending = b_.Equal(b_.And(i, k), b_.Int(0));
      loop::ExprId keeps = b_.Equal(b_.Equal(lower, ascending), comes_first);
      loop::ExprId ended = b_.LessEqual(b_.Int(steps), step);
      return b_.Select(b_.Or(ended, keeps), own, theirs);
    });
  }

  // Behind the row's end there is nothing to load.
  loop::ExprId BeforePadded(const loop::Index& row, loop::ExprId a, loop::ExprId b) {
    loop::ExprId last = b_.Int(Size().value() - 1);
    loop::ExprId inside = b_.And(b_.LessEqual(a, last), b_.LessEqual(b, last));
    loop::ExprId decided = Before(row, b_.Min(a, last), b_.Min(b, last));
    return b_.Select(inside, decided, b_.Less(a, b));
  }

  // How many elements come before each; then who has rank 0, 1, ...
  loop::BufferId SelectByRank() {
    loop::BufferId rank = to_.Temporary("rank", {DType::kI32, RowsBy(Size())});
    loop::BufferId where = to_.Temporary("where", {DType::kI32, RowsBy(op_.count)});
    Count(rank, Size(), loop::Update::kAdd,
          [&](const loop::Index& row, loop::ExprId i, loop::ExprId other) {
            return b_.Select(Before(row, other, i), b_.Int(1), b_.Int(0));
          });
    Count(where, op_.count, loop::Update::kMax,
          [&](loop::Index row, loop::ExprId place, loop::ExprId i) {
            row.push_back(i);
            return b_.Select(b_.Equal(b_.Load(rank, row), place), i, b_.Int(0));
          });
    return where;
  }

  // buffer[row, i] update= value(row, i, j) over all j of the row, from 0.
  void Count(loop::BufferId buffer, const Dim& size, loop::Update update,
             const std::function<loop::ExprId(loop::Index, loop::ExprId, loop::ExprId)>& value) {
    Shape domain = RowsBy(size);
    domain.push_back(Size());
    b_.ForEach(domain, [&](const loop::Index& all) {
      loop::Index at(all.begin(), all.end() - 1), row(all.begin(), all.end() - 2);
      b_.Reduce(buffer, at, value(row, at.back(), all.back()), update, b_.Int(0));
    });
  }

  const TopK& op_;
  loop::Lowering& to_;
  loop::Builder& b_;
  TensorType x_;
  Rows rows_;
};

}  // namespace

void TopK::Lower(loop::Lowering& to) const { TopKLowering(*this, to).Run(); }

}  // namespace webnnc::graph
