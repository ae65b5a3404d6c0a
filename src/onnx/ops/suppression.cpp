// NonMaxSuppression: of boxes that overlap the one with the best score stays.
#include <limits>

#include "onnx/operators.h"
#include "onnx/ops/bodies.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using graph::ReduceKind;
using loop::BinaryOp;

namespace {

// The sides of boxes, in any shape.
struct Sides {
  Term left, top, right, bottom;
};

// The sides of boxes[batch, n, 4], each [batch, n].
Sides SidesOf(Formula& f, Term boxes, bool centered) {
  const Shape shape = f.TypeOf(boxes).shape;
  auto column = [&](int64_t i) { return Reshape(Slice(boxes, 2, i, 1), {shape[0], shape[1]}); };
  Term a = column(0), b = column(1), c = column(2), d = column(3);
  if (centered) {
    Term width = c * 0.5, height = d * 0.5;
    return {a - width, b - height, a + width, b + height};
  }
  // Opposite corners, y first.
  return {Min(b, d), Min(a, c), Max(b, d), Max(a, c)};
}

// Whether two boxes share more than so much of what they cover together, as ONNX Runtime has it.
Term Overlap(const Sides& one, const Sides& other, Term threshold) {
  Term width = Min(one.right, other.right) - Max(one.left, other.left);
  Term height = Min(one.bottom, other.bottom) - Max(one.top, other.top);
  auto area = [](const Sides& box) { return (box.right - box.left) * (box.bottom - box.top); };
  Formula& f = *threshold.formula;
  Term zero = f.Number(0, DType::kF32), one_area = area(one), other_area = area(other);
  Term shared = width * height, all = one_area + other_area - shared;
  Term is_box = (zero < width) & (zero < height) & (zero < one_area) & (zero < other_area);
  return is_box & (threshold < shared / Where(zero < all, all, f.Number(1, DType::kF32)));
}

class Suppression {
 public:
  explicit Suppression(NodeContext& c) : c_(c), f_(c) {}

  Result<Values> Run() {
    const TensorType boxes = c_.Type(0), scores = c_.Type(1);
    bool fits = boxes.rank() == 3 && scores.rank() == 3 && boxes.shape[2].Is(4);
    if (!fits) return Error{"boxes are " + Print(boxes) + ", scores " + Print(scores)};
    batch_ = scores.shape[0];
    classes_ = scores.shape[1];
    count_ = scores.shape[2];
    TRY(Equate(boxes.shape[0], batch_, "batches"));
    TRY(Equate(boxes.shape[1], count_, "boxes"));
    for (size_t i = 2; i < 5; ++i) {
      if (c_.Has(i) && !ElementCount(c_.Type(i).shape).Is(1))
        return Error{"operand " + std::to_string(i) + " is " + Print(c_.Type(i))};
    }
    Term all = Reshape(Cast(f_(c_[0]), DType::kF32), {batch_, count_, 4});
    sides_ = SidesOf(f_, all, c_.Int("center_point_box", 0) != 0);
    // What is out of the running is -inf.
    scores_ = Max(Cast(f_(c_[1]), DType::kF32), std::numeric_limits<float>::lowest());
    overlap_ = c_.Has(3) ? Cast(Reshape(f_(c_[3]), {}), DType::kF32) : f_.Number(0, DType::kF32);
    TRY_ASSIGN(auto picked, Pick());
    return Rows(f_(picked));
  }

 private:
  Status Equate(const Dim& size, const Dim& of_scores, const std::string& what) {
    if (size == of_scores) return kSuccess;
    if (size.IsConstant() && of_scores.IsConstant())
      return Error{"there are scores of " + Print(of_scores) + " " + what + " for " + Print(size)};
    c_.AssumeEqual(size, of_scores);
    return kSuccess;
  }

  // Box after box of each class of each batch: what is left of the scores is carried on, and the
  // best box, or -1, is stacked. All classes are looked at side by side.
  Result<ValueId> Pick() {
    Term in_running = c_.Has(4)
                          ? Cast(Reshape(f_(c_[4]), {}), DType::kF32) < Cast(f_(c_[1]), DType::kF32)
                          : Expand(f_.Number(1, DType::kBool), {batch_, classes_, count_});
    LoopBody loop;
    TRY_ASSIGN(auto start, f_.Result(in_running));
    loop.carried.push_back({"left", start});
    TRY(SetTrips(loop));
    // A decision may have to wait for the GPU, so a few hundred iterations are run without.
    constexpr int64_t kMostUndecided = 256;
    bool is_short =
        loop.known_trips && UpperBound(*loop.known_trips).value_or(INT64_MAX) <= kMostUndecided;
    loop.has_condition = !is_short;
    Frame& around = c_.frame();
    loop.iterate = [&](NodeContext& inside, ValueId, const Values& carried) {
      return Iterate(inside, around, carried[0], loop.has_condition);
    };
    TRY_ASSIGN(auto results, AddLoop(c_, loop));
    return results[1];
  }

  // As many as are asked for, and at most all.
  Status SetTrips(LoopBody& loop) {
    Term most = f_.Number(0, DType::kI64);
    std::optional<Dim> known = Dim(0);
    if (c_.Has(2)) {
      most = Cast(Reshape(f_(c_[2]), {}), DType::kI64);
      TRY_ASSIGN(auto sizes, c_.FindSizes(2));
      known = sizes ? std::optional((*sizes)[0]) : std::nullopt;
    }
    TRY_ASSIGN(loop.trips, f_.Result(Max(Min(most, f_.Size(count_, DType::kI64)), 0)));
    if (known) loop.known_trips = Max(Min(*known, count_), 0);
    return kSuccess;
  }

  Result<Values> Iterate(NodeContext& inside, Frame& around, ValueId carried,
                         bool has_condition) const {
    Formula f(inside);
    auto here = [&](Term term) { return f(Here(inside, around, term.id)); };
    Term left = f(carried), scores = here(scores_);
    Term lowest = f.Number(-std::numeric_limits<double>::infinity(), DType::kF32);
    Term best = f.Add(graph::ArgReduce{false, 2, false, false}, {Where(left, scores, lowest)});
    Term upright = Reshape(best, {batch_, classes_, 1});
    auto any = [&](Term mask) { return Reduce(ReduceKind::kMax, Cast(mask, DType::kI32), {2}); };
    Sides its, others;
    auto set = [&](Term Sides::* side) {
      Term all = here(sides_.*side);
      Term own = f.Add(graph::GatherElements{1}, {all, best});
      its.*side = Reshape(own, {batch_, classes_, 1});
      others.*side = Reshape(all, {batch_, 1, count_});
    };
    for (Term Sides::* side : {&Sides::left, &Sides::top, &Sides::right, &Sides::bottom}) set(side);
    Term gone = Overlap(its, others, here(overlap_)) | (f.Iota(count_, DType::kI64) == upright);
    Term rest = left & Not(gone);
    Term picked = Where(any(left) == 1, best, f.Number(-1, DType::kI64));
    Values outputs;
    if (has_condition) {
      Term total = Reduce(ReduceKind::kMax, Cast(rest, DType::kI32), {0, 1, 2});
      TRY_ASSIGN(auto goes_on, f.Result(total == 1));
      outputs.push_back(goes_on);
    }
    for (Term term : {rest, picked}) {
      TRY_ASSIGN(auto id, f.Result(term));
      outputs.push_back(id);
    }
    return outputs;
  }

  // [iterations, batch, classes] to a row (batch, class, box) for each that was picked.
  Result<Values> Rows(Term picked) {
    const Dim iterations = f_.TypeOf(picked).shape[0];
    Term flat = Reshape(Transpose(picked, {1, 2, 0}), {batch_ * classes_ * iterations});
    TRY_ASSIGN(auto positions, PositionsOf(f_, f_.Number(0, DType::kI64) <= flat, "boxes"));
    auto size = [&](const Dim& dim) { return f_.Size(Max(dim, 1), DType::kI64); };
    Term row = FloorDiv(positions.where, size(iterations));
    std::vector<Term> columns{FloorDiv(row, size(classes_)), FloorMod(row, size(classes_)),
                              f_.Add(graph::Gather{0}, {flat, positions.where})};
    for (Term& column : columns) column = Reshape(column, {positions.count, 1});
    TRY_ASSIGN(auto id, f_.Result(Concat(columns, 1)));
    return Values{id};
  }

  NodeContext& c_;
  Formula f_;
  Dim batch_, classes_, count_;
  Sides sides_{};
  Term scores_{}, overlap_{};
};

}  // namespace

static Result<Values> ImportNonMaxSuppression(NodeContext& c) { return Suppression(c).Run(); }

static constexpr Operator kOperators[] = {
    {"", "NonMaxSuppression", 2, ImportNonMaxSuppression},
};

std::span<const Operator> SuppressionOperators() { return kOperators; }

}  // namespace webnnc::onnx
