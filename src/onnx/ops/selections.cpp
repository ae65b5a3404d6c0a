// Elements that data selects: how many there are is known in a run only.
#include <algorithm>

#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using graph::Function;
using graph::ReduceKind;
using loop::BinaryOp;

// Where x is not 0: for each dimension a row of indices.
static Result<Values> ImportNonZero(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  Formula f(c);
  Term mask = Reshape(Cast(f(c[0]), DType::kBool), {ElementCount(shape)});
  TRY_ASSIGN(auto positions, PositionsOf(f, mask, "count"));
  std::vector<Term> rows;
  Dim stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    // What has no elements is not divided.
    Term index = FloorDiv(positions.where, f.Size(Max(stride, 1), DType::kI64));
    if (d > 0) index = FloorMod(index, f.Size(Max(shape[d], 1), DType::kI64));
    rows.insert(rows.begin(), Reshape(index, {1, positions.count}));
    stride = stride * shape[d];
  }
  // A scalar has no dimensions.
  Term result =
      rows.empty() ? Expand(f.Number(0, DType::kI64), {0, positions.count}) : Concat(rows, 0);
  TRY_ASSIGN(auto id, f.Result(result));
  return Values{id};
}

// The slices of x along an axis, or its elements, for which a vector is true.
static Result<Values> ImportCompress(NodeContext& c) {
  const TensorType type = c.Type(0), condition = c.Type(1);
  if (condition.rank() != 1 || condition.dtype != DType::kBool)
    return Error{"the condition is " + Print(condition)};
  Formula f(c);
  Term x = f(c[0]);
  int64_t axis = 0;
  Dim size = ElementCount(type.shape);
  if (c.HasAttribute("axis")) {
    TRY_ASSIGN(axis, c.Axis(c.Int("axis", 0), type.rank()));
    size = type.shape[static_cast<size_t>(axis)];
  } else {
    x = Reshape(x, {size});
  }
  if (ProvablyLess(size, condition.shape[0]))
    return Error{"the condition is " + Print(condition) + ", for " + Print(size) + " elements"};
  if (!ProvablyLessEqual(condition.shape[0], size)) c.AssumeLessEqual(condition.shape[0], size);
  TRY_ASSIGN(auto positions, PositionsOf(f, f(c[1]), "count"));
  TRY_ASSIGN(auto id, f.Result(f.Add(graph::Gather{axis}, {x, positions.where})));
  return Values{id};
}

namespace {

// The rows of a matrix [n, m], each of which counts once: of each the first like it, of all rows
// which one they are like, and how many are.
class DistinctRows {
 public:
  DistinctRows(NodeContext& c, Formula& f, Term rows) : c_(c), f_(f), rows_(rows) {
    const TensorType type = f.TypeOf(rows);
    n_ = type.shape[0];
    m_ = type.shape[1];
    is_real_ = IsFloat(type.dtype);
  }

  struct Found {
    Term indices, inverse, counts;
  };
  Result<Found> Run(bool sorted) {
    TRY(f_.Result(rows_));
    // Each column is a sort, and of comparing all with all nothing but one more element.
    constexpr int64_t kMostSorted = 8;
    bool sorts = m_.IsConstant() && m_.value() <= kMostSorted;
    return sorts ? BySorting(sorted) : ByComparing(sorted);
  }

 private:
  // What is alike is side by side where rows are in order, the first of it first.
  Result<Found> BySorting(bool sorted) {
    TRY_ASSIGN(Term order, Order());
    Term i = f_.Iota(n_, DType::kI64), above = Max(i - 1, 0);
    Term all = f_.Add(graph::Gather{0}, {rows_, order});
    Term equal = AreEqual(all, f_.Add(graph::Gather{0}, {all, above}));
    Term is_equal = Reduce(ReduceKind::kMin, Cast(equal, DType::kI32), {1}) == 1;
    Term begins = Not(is_equal) | (i == 0);
    TRY_ASSIGN(auto groups, PositionsOf(f_, begins, "count"));
    const Dim& count = groups.count;
    Term last = f_.Size(count, DType::kI64) - 1, number = f_.Iota(count, DType::kI64);
    Term next = f_.Add(graph::Gather{0}, {groups.where, Max(Min(number + 1, last), 0)});
    Term end = Where(number == last, f_.Size(n_, DType::kI64), next);
    Found found{f_.Add(graph::Gather{0}, {order, groups.where}), {}, end - groups.where};
    Term group = f_.Add(graph::Cumulate{ReduceKind::kSum, 0}, {Cast(begins, DType::kI64)}) - 1;
    found.inverse = f_.Add(graph::ScatterElements{0}, {Zeros(n_), order, group});
    return sorted ? found : AsTheyCome(found, count);
  }

  // Columns one by one, the last first: what is equal stays in order.
  Result<Term> Order() {
    Term order = f_.Iota(n_, DType::kI64);
    for (int64_t column = m_.value(); column-- > 0;) {
      Term own = Reshape(Slice(rows_, 1, column, 1), {n_});
      bool is_last = column + 1 == m_.value();
      TRY_ASSIGN(auto keys, f_.Result(is_last ? own : f_.Add(graph::Gather{0}, {own, order})));
      TRY_ASSIGN(auto results, c_.AddAll(graph::TopK{0, n_, true}, {keys}));
      Term places = f_(results[1]);
      order = is_last ? places : f_.Add(graph::Gather{0}, {order, places});
    }
    return order;
  }

  // Those that were sorted, by the first row of each.
  Found AsTheyCome(const Found& found, const Dim& count) {
    Term ones = Expand(f_.Number(1, DType::kI64), {count});
    Term is_first = f_.Add(graph::ScatterElements{0}, {Zeros(n_), found.indices, ones});
    Term own = f_.Add(graph::Cumulate{ReduceKind::kSum, 0, true}, {is_first});
    Term number = f_.Add(graph::Gather{0}, {own, found.indices});
    auto moved = [&](Term values) {
      return f_.Add(graph::ScatterElements{0}, {Zeros(count), number, values});
    };
    return {moved(found.indices), f_.Add(graph::Gather{0}, {number, found.inverse}),
            moved(found.counts)};
  }
  Term Zeros(const Dim& count) { return Expand(f_.Number(0, DType::kI64), {count}); }

  Result<Found> ByComparing(bool sorted) {
    Term above = Reshape(rows_, {n_, 1, m_}), beside = Reshape(rows_, {1, n_, m_});
    Term equal = AreEqual(above, beside);
    Term is_equal = Reduce(ReduceKind::kMin, Cast(equal, DType::kI32), {2}) == 1;
    Term i = f_.Iota(n_, DType::kI64), upright = Reshape(i, {n_, 1});
    Term size = f_.Size(n_, DType::kI64);
    // The first row that is like each.
    Term first = Reduce(ReduceKind::kMin, Where(is_equal, upright, size), {0});
    Term is_first = first == i;
    TRY_ASSIGN(auto positions, PositionsOf(f_, is_first, "count"));
    Term own = f_.Add(graph::Cumulate{ReduceKind::kSum, 0, true}, {Cast(is_first, DType::kI64)});
    Term indices = positions.where, number = f_.Iota(positions.count, DType::kI64);
    number = Reshape(number, {positions.count, 1});
    Term zero = f_.Number(0, DType::kI64);
    if (sorted) {
      // How many of those that count are less.
      Term counts = IsLess(Cast(equal, DType::kI32)) & Reshape(is_first, {n_, 1});
      own = Reduce(ReduceKind::kSum, Cast(counts, DType::kI64), {0});
      Term taken = (number == own) & is_first;
      indices = Reduce(ReduceKind::kSum, Where(taken, i, zero), {1});
    }
    Term inverse = f_.Add(graph::Gather{0}, {own, first});
    Term counts = Reduce(ReduceKind::kSum, Cast(number == inverse, DType::kI64), {1});
    return Found{indices, inverse, counts};
  }

  // NaN is like NaN.
  Term AreEqual(Term a, Term b) {
    Term equal = a == b;
    if (!is_real_) return equal;
    return equal | (Unary(Function::kIsNan, a) & Unary(Function::kIsNan, b));
  }

  // Whether row i comes before row j, by the first elements in which they differ. NaN comes last.
  Term IsLess(Term equal) {
    Term place = f_.Add(graph::ArgReduce{true, 2, false, false}, {equal});
    Term a = f_.Add(graph::GatherElements{1}, {rows_, place}), b = Transpose(a, {1, 0});
    if (!is_real_) return a < b;
    return (a < b) | (Not(Unary(Function::kIsNan, a)) & Unary(Function::kIsNan, b));
  }

  NodeContext& c_;
  Formula& f_;
  Term rows_;
  Dim n_, m_;
  bool is_real_;
};

}  // namespace

static Result<Values> ImportUnique(NodeContext& c) {
  const TensorType type = c.Type(0);
  Formula f(c);
  Term x = f(c[0]), rows = x;
  int64_t axis = 0;
  if (c.HasAttribute("axis")) {
    TRY_ASSIGN(axis, c.Axis(c.Int("axis", 0), type.rank()));
    std::vector<int64_t> order{axis};
    Dim others = 1;
    for (int64_t d = 0; d < type.rank(); ++d) {
      if (d == axis) continue;
      order.push_back(d);
      others = others * type.shape[static_cast<size_t>(d)];
    }
    rows = Reshape(Transpose(x, order), {type.shape[static_cast<size_t>(axis)], others});
  } else {
    x = Reshape(x, {ElementCount(type.shape)});
    rows = Reshape(x, {ElementCount(type.shape), 1});
  }
  // bool has no order of its own.
  if (type.dtype == DType::kBool) rows = Cast(rows, DType::kI32);
  // Rows without elements are alike, as those are that have one more, the same.
  const Shape shape = f.TypeOf(rows).shape;
  if (LowerBound(shape[1]).value_or(0) < 1) {
    Term column = f.Add(graph::Expand{{shape[0], 1}}, {f.Number(0, f.TypeOf(rows).dtype)});
    rows = f.Add(graph::Concat{1}, {rows, column});
  }
  TRY_ASSIGN(auto found, DistinctRows(c, f, rows).Run(c.Int("sorted", 1) != 0));
  Values results;
  for (Term term : {f.Add(graph::Gather{axis}, {x, found.indices}), found.indices, found.inverse,
                    found.counts}) {
    TRY_ASSIGN(auto id, f.Result(term));
    results.push_back(id);
  }
  return results;
}

static constexpr Operator kOperators[] = {
    {"", "Compress", 2, ImportCompress, kAnyOpset},
    {"", "NonZero", 1, ImportNonZero, kAnyOpset},
    {"", "Unique", 1, ImportUnique, kAnyOpset},
};

std::span<const Operator> SelectionOperators() { return kOperators; }

}  // namespace webnnc::onnx
