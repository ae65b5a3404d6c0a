// What is computed in order: running sums, sorting.
#include <limits>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/long_sort.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

// ---- Running sums and products

static Result<Values> ImportCumulate(NodeContext& c, graph::ReduceKind kind) {
  TRY_ASSIGN(int64_t count, c.Length(1));
  if (count != 1) return Error{"the axis is not a scalar"};
  graph::Cumulate op{kind, 0, c.Int("exclusive", 0) != 0, c.Int("reverse", 0) != 0};
  TRY_ASSIGN(auto axes, c.FindIntegers(1));
  if (!axes && c.Type(0).rank() > 1) {
    // Along the rows of a matrix.
    Formula f(c);
    op.axis = 1;
    TRY_ASSIGN(auto apart, AxesLast::Of(f, f(c[0]), IntegersOf(f, 1, 1)));
    TRY_ASSIGN(auto result, f.Result(apart.Back(f.Add(op, {apart.matrix()}))));
    return Values{result};
  }
  TRY_ASSIGN(op.axis, c.Axis(axes ? (*axes)[0] : 0, c.Type(0).rank()));
  TRY_ASSIGN(auto result, c.Add(op, {c[0]}));
  return Values{result};
}

static Result<Values> ImportCumSum(NodeContext& c) {
  return ImportCumulate(c, graph::ReduceKind::kSum);
}
static Result<Values> ImportCumProd(NodeContext& c) {
  return ImportCumulate(c, graph::ReduceKind::kProd);
}

// ---- The largest

namespace {

// The largest of a long row, by those of its blocks: what is among the first `count` of a row is
// among the first of its block. A block is what the operation sorts; longer rows it would compare
// all with all. Of equal elements the first stays first, since blocks are in order.
class TopOfBlocks {
 public:
  TopOfBlocks(NodeContext& c, const graph::TopK& op)
      : c_(c), f_(c), op_(op), block_(BlockFor(op.count.value())) {}

  // Whether blocks leave at most half of a row, which may be long where its size is open.
  static bool Suits(const graph::TopK& op, const TensorType& x) {
    const Dim& size = x.shape[static_cast<size_t>(op.axis)];
    bool is_long = !size.IsConstant() || size.value() > kLargest;
    return x.dtype != DType::kBool && is_long && op.count.IsConstant() &&
           op.count.value() <= kLargest / 2;
  }

  Result<Values> Run() {
    Term x = f_(c_[0]), places = Along(f_.Iota(Size(x), DType::kI64));
    places = Expand(places, f_.TypeOf(x).shape);
    for (int round = 0; x.id.valid() && IsLong(x, round); ++round) TakeFirst(x, places);
    Found last = FirstOf(x, op_.axis);
    Term where = f_.Add(graph::GatherElements{op_.axis}, {places, last.where});
    TRY_ASSIGN(auto values, f_.Result(last.values));
    TRY_ASSIGN(auto indices, f_.Result(where));
    return Values{values, indices};
  }

 private:
  static constexpr int64_t kLargest = graph::TopK::kLongestSorted;
  struct Found {
    Term values, where;
  };

  // What a sort takes for each element grows with the square of the block's logarithm, and a row of
  // an open size may be shorter than a block. So blocks are as small as leave an eighth.
  static int64_t BlockFor(int64_t count) {
    constexpr int64_t kSmallest = 64, kLeft = 8;
    int64_t block = kSmallest;
    while (block < kLargest && block < kLeft * count) block *= 2;
    return block;
  }

  // Of an open size three rounds leave a five hundredth, or two of the largest blocks at most a
  // quarter, and of some hundred thousand elements a few hundred times the count.
  bool IsLong(Term x, int round) const {
    const int rounds = block_ < kLargest ? 3 : 2;
    return Size(x).IsConstant() ? Size(x).value() > kLargest : round < rounds;
  }

  const Dim& Size(Term x) const { return f_.TypeOf(x).shape[static_cast<size_t>(op_.axis)]; }
  // A vector along the axis.
  Term Along(Term vector) const {
    Shape shape(c_.Type(0).shape.size(), 1);
    shape[static_cast<size_t>(op_.axis)] = f_.TypeOf(vector).shape[0];
    return Reshape(vector, shape);
  }

  Found FirstOf(Term x, int64_t axis) {
    graph::TopK op = op_;
    op.axis = axis;
    if (!x.id.valid()) return {x, x};
    auto results = c_.AddAll(op, {x.id});
    if (results) return {f_(results.value()[0]), f_(results.value()[1])};
    return {f_.Take(results.error()), f_.Take(results.error())};
  }

  // x with the axis in blocks, filled up with `filling` behind the end: [..., blocks, block_, ...].
  Term InBlocks(Term x, const webnnc::Scalar& filling) {
    Shape shape = f_.TypeOf(x).shape;
    auto along = static_cast<size_t>(op_.axis);
    Dim blocks = CeilDiv(shape[along], block_);
    graph::Pad pad{graph::Sizes1D(shape.size(), 0), graph::Sizes1D(shape.size(), 0),
                   graph::PadMode::kConstant};
    pad.end[along] = blocks * block_ - shape[along];
    Term whole = f_.Add(pad, {x, f_.Take(c_.AddConstant(ScalarTensor(filling)))});
    shape[along] = block_;
    shape.insert(shape.begin() + op_.axis, blocks);
    return Reshape(whole, shape);
  }

  // What comes after all others, so that it is never among the first.
  webnnc::Scalar Last() const {
    DType dtype = c_.Type(0).dtype;
    if (!op_.smallest) return Lowest(dtype, true);
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    return IsFloat(dtype) ? webnnc::Scalar::Real(dtype, kNan) : Highest(dtype);
  }

  // Leaves the first of each block, and where in the row each of them was.
  void TakeFirst(Term& x, Term& places) {
    Found found = FirstOf(InBlocks(x, Last()), op_.axis + 1);
    Term own = f_.Add(graph::GatherElements{op_.axis + 1},
                      {InBlocks(places, webnnc::Scalar::Integer(DType::kI64, 0)), found.where});
    Shape shape = f_.TypeOf(x).shape;
    const Dim blocks = f_.TypeOf(found.values).shape[static_cast<size_t>(op_.axis)];
    shape[static_cast<size_t>(op_.axis)] = blocks * op_.count;
    x = Reshape(found.values, shape);
    places = Reshape(own, shape);
  }

  NodeContext& c_;
  Formula f_;
  graph::TopK op_;
  int64_t block_;
};

}  // namespace

static Result<Values> ImportTopK(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), rank));
  Dim count = c.Int("k", 0);
  if (c.opset() >= 10) {
    TRY_ASSIGN(auto given, c.Sizes(1, {c.Type(0).shape[static_cast<size_t>(axis)]}));
    if (given.size() != 1) return Error{"k is not a scalar"};
    count = given[0];
  }
  if (count.IsConstant() && count.value() < 0) return Error{"k is " + Print(count)};
  const Dim& size = c.Type(0).shape[static_cast<size_t>(axis)];
  if (!ProvablyLessEqual(count, size)) c.AssumeLessEqual(count, size);
  graph::TopK op{axis, count, c.Int("largest", 1) == 0};
  if (TopOfBlocks::Suits(op, c.Type(0))) return TopOfBlocks(c, op).Run();
  if (IsLongToSort(c, op)) return SortLongRows(c, op);
  TRY_ASSIGN(auto results, c.AddAll(op, {c[0]}));
  return results;
}

static constexpr Operator kOperators[] = {
    {"", "CumProd", 2, ImportCumProd},
    {"", "CumSum", 2, ImportCumSum},
    {"", "TopK", 1, ImportTopK},
};

std::span<const Operator> OrderedOperators() { return kOperators; }

}  // namespace webnnc::onnx
