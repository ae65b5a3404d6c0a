#include "graph/passes/sort_in_steps.h"

#include <numeric>

namespace webnnc::graph {

using loop::BinaryOp;

namespace {

// Formulas of one graph's values.
class Terms {
 public:
  Terms(Builder& build, std::string name) : build(build), name_(std::move(name)) {}

  ValueId Add(Op op, std::vector<ValueId> operands) {
    return build.Add(std::move(op), std::move(operands), name_);
  }
  ValueId Number(DType dtype, int64_t value) {
    return build.AddScalar(dtype, static_cast<double>(value));
  }
  ValueId Apply(BinaryOp op, ValueId a, ValueId b) { return Add(Binary{op}, {a, b}); }
  ValueId Apply(BinaryOp op, ValueId a, int64_t b) {
    return Apply(op, a, Number(build.type(a).dtype, b));
  }
  ValueId Choose(ValueId condition, ValueId yes, ValueId no) {
    return Add(Where{}, {condition, yes, no});
  }
  ValueId As(ValueId a, DType to) { return build.type(a).dtype == to ? a : Add(Cast{to}, {a}); }
  ValueId InShape(ValueId a, Shape shape) { return Add(Reshape{std::move(shape)}, {a}); }
  ValueId Places(const Dim& count) { return As(Add(Iota{count}, {}), DType::kI32); }
  ValueId SizeOf(const Dim& size, DType dtype) { return As(Add(Sizes{{size}, true}, {}), dtype); }

  Builder& build;

 private:
  std::string name_;
};

class StepSort {
 public:
  StepSort(Builder& build, const TopK& op, ValueId x, const std::string& name, int64_t most)
      : t_(build, name), op_(op), type_(build.type(x)), name_(name), most_(most) {
    Shape shape = type_.shape;
    size_ = shape[static_cast<size_t>(op.axis)];
    std::swap(shape[static_cast<size_t>(op.axis)], shape.back());
    rows_ = ElementCount(Shape(shape.begin(), shape.end() - 1));
    row_shape_ = shape;
    x_ = t_.InShape(Moved(x), {rows_, size_});
  }

  Sorted Run() {
    CountPlaces();
    Loop loop;
    loop.trips = true;
    loop.carried = 3;
    loop.count = steps_;
    ValueId trips = t_.SizeOf(steps_, DType::kI64);
    ValueId places = t_.InShape(t_.Places(padded_), {1, padded_});
    places = t_.Add(Expand{{rows_, padded_}}, {places});
    std::vector<Graph> bodies;
    bodies.push_back(Body());
    auto results = t_.build.TryAddAll(
        loop, {trips, places, t_.Number(DType::kI64, 2), t_.Number(DType::kI64, 1), x_}, name_,
        std::move(bodies));
    CHECK(results);
    ValueId first = t_.Add(Slice{{0, 0}, {rows_, op_.count}, {1, 1}}, {results.value()[0]});
    row_shape_.back() = op_.count;
    ValueId values = t_.Add(GatherElements{1}, {x_, first});
    return {OutOfRows(values), OutOfRows(t_.As(first, DType::kI64))};
  }

 private:
  // How many places there are, and how many steps sort them. Each power of two below the size is a
  // level more, of one step more than the last one, and as many places as there were.
  void CountPlaces() {
    constexpr int64_t kMostBits = 30;
    const Dim last = Max(size_ - 1, 0);
    padded_ = 1;
    for (int64_t bit = 0; bit < kMostBits && int64_t{1} << bit < most_; ++bit) {
      Dim is_below = Min(FloorDiv(last, int64_t{1} << bit), 1);
      padded_ = padded_ + is_below * (int64_t{1} << bit);
      steps_ = steps_ + is_below * (bit + 1);
    }
  }

  // The axis changes places with the last dimension, there and back.
  ValueId Moved(ValueId x) {
    std::vector<int64_t> order(type_.shape.size());
    std::iota(order.begin(), order.end(), 0);
    if (op_.axis + 1 == type_.rank()) return x;
    std::swap(order[static_cast<size_t>(op_.axis)], order.back());
    return t_.Add(Transpose{order}, {x});
  }
  ValueId OutOfRows(ValueId rows) { return Moved(t_.InShape(rows, row_shape_)); }

  // A step: places, k and j to those of the next one.
  Graph Body() {
    Graph body;
    body.name = "body";
    Builder build(body);
    Terms t(build, name_);
    ValueId iteration = build.AddValue("iteration", {DType::kI64, {}});
    ValueId own = build.AddValue("places", {DType::kI32, {rows_, padded_}});
    ValueId k = build.AddValue("k", {DType::kI64, {}}), j = build.AddValue("j", {DType::kI64, {}});
    ValueId x = build.AddValue("x", {type_.dtype, {rows_, size_}});
    for (ValueId input : {iteration, own, k, j, x})
      body.inputs.push_back({body.values[input].name, input});

    ValueId i = t.Places(padded_), step = t.As(j, DType::kI32);
    ValueId partner = t.InShape(t.Apply(BinaryOp::kXor, i, step), {1, padded_});
    partner = t.Add(Expand{{rows_, padded_}}, {partner});
    ValueId theirs = t.Add(GatherElements{1}, {own, partner});
    // The lower of the two places keeps what comes first where order is ascending.
    auto has_no = [&](ValueId bit) {
      return t.Apply(BinaryOp::kEqual, t.Apply(BinaryOp::kAnd, i, bit), 0);
    };
    ValueId wants_first = t.Apply(BinaryOp::kEqual, has_no(step), has_no(t.As(k, DType::kI32)));
    ValueId keeps = t.Apply(BinaryOp::kEqual, t.InShape(wants_first, {1, padded_}),
                            ComesBefore(t, x, own, theirs));
    ValueId is_last = t.Apply(BinaryOp::kEqual, j, 1);
    ValueId next_k = t.Choose(is_last, t.Apply(BinaryOp::kMul, k, 2), k);
    ValueId next_j = t.Choose(is_last, k, t.Apply(BinaryOp::kShiftRight, j, 1));
    for (ValueId output : {t.Choose(keeps, own, theirs), next_k, next_j})
      body.outputs.push_back({body.values[output].name, output});
    return body;
  }

  // Whether what is at index `a` of a row comes before what is at `b`: a total order, in which NaN
  // is larger than all numbers, and of equals the first is first.
  ValueId ComesBefore(Terms& t, ValueId x, ValueId a, ValueId b) const {
    ValueId last = t.Apply(BinaryOp::kSub, t.SizeOf(size_, DType::kI32), 1);
    auto at = [&](ValueId index) {
      return t.Add(GatherElements{1}, {x, t.Apply(BinaryOp::kMin, index, last)});
    };
    ValueId one = at(a), other = at(b);
    if (op_.smallest) std::swap(one, other);
    ValueId larger = t.Apply(BinaryOp::kLess, other, one);
    ValueId equal = t.Apply(BinaryOp::kEqual, one, other);
    if (IsFloat(type_.dtype)) {
      ValueId is_nan = t.Add(Unary{Function::kIsNan}, {one});
      ValueId other_is = t.Add(Unary{Function::kIsNan}, {other});
      ValueId is_number = t.Add(Unary{Function::kNot}, {other_is});
      larger = t.Apply(BinaryOp::kOr, larger, t.Apply(BinaryOp::kAnd, is_nan, is_number));
      equal = t.Apply(BinaryOp::kOr, equal, t.Apply(BinaryOp::kAnd, is_nan, other_is));
    }
    ValueId inside = t.Apply(BinaryOp::kAnd, t.Apply(BinaryOp::kLessEqual, a, last),
                             t.Apply(BinaryOp::kLessEqual, b, last));
    ValueId first = t.Apply(BinaryOp::kLess, a, b);
    ValueId before = t.Apply(BinaryOp::kOr, larger, t.Apply(BinaryOp::kAnd, equal, first));
    return t.Choose(inside, before, first);
  }

  Terms t_;
  TopK op_;
  TensorType type_;
  std::string name_;
  int64_t most_;
  Shape row_shape_;  // x's, with the axis last
  Dim rows_, size_, padded_, steps_;
  ValueId x_{};
};

}  // namespace

Sorted SortInSteps(Builder& build, const TopK& op, ValueId x, const std::string& name,
                   int64_t most) {
  return StepSort(build, op, x, name, most).Run();
}

}  // namespace webnnc::graph
