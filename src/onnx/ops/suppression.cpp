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

// What is picked from: sides of boxes, scores[batch, classes, n], and how much may overlap.
struct Candidates {
  Sides sides;
  Term scores, threshold;
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
    boxes_.sides = SidesOf(f_, all, c_.Int("center_point_box", 0) != 0);
    // What is out of the running is -inf.
    boxes_.scores = Max(Cast(f_(c_[1]), DType::kF32), std::numeric_limits<float>::lowest());
    boxes_.threshold =
        c_.Has(3) ? Cast(Reshape(f_(c_[3]), {}), DType::kF32) : f_.Number(0, DType::kF32);
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
    TRY_ASSIGN(auto start, f_.Result(in_running));
    most_ = f_.Number(0, DType::kI64);
    std::optional<Dim> known = Dim(0);
    if (c_.Has(2)) {
      constexpr int64_t kFar = INT32_MAX;
      most_ = Max(Min(Cast(Reshape(f_(c_[2]), {}), DType::kI64), kFar), 0);
      TRY_ASSIGN(auto sizes, c_.FindSizes(2));
      known = sizes ? std::optional(Max(Min((*sizes)[0], kFar), 0)) : std::nullopt;
    }
    // A decision may have to wait for the GPU, so a few hundred boxes are picked without one.
    constexpr int64_t kMostUndecided = 256;
    std::optional<Dim> all = known ? std::optional(Min(*known, count_)) : std::nullopt;
    if (all && UpperBound(*all).value_or(INT64_MAX) <= kMostUndecided) {
      TRY_ASSIGN(auto trips, f_.Result(Min(most_, f_.Size(count_, DType::kI64))));
      TRY_ASSIGN(auto results, PickSeveral(c_, boxes_, start, trips, *all));
      return results[1];
    }
    return PickUntilNoneIsLeft(start, known);
  }

  // Whether there is more to pick is decided now and then: in between -1 is picked as well. How
  // many boxes there are does not matter, so that the GPU alone may know it.
  Result<ValueId> PickUntilNoneIsLeft(ValueId start, const std::optional<Dim>& known) {
    constexpr int64_t kBetweenDecisions = 16;
    LoopBody loop;
    loop.carried.push_back({"left", start});
    loop.has_condition = true;
    Term full = f_.Number(kBetweenDecisions, DType::kI64);
    TRY_ASSIGN(loop.trips, f_.Result(FloorDiv(most_ + (kBetweenDecisions - 1), full)));
    if (known) loop.known_trips = CeilDiv(*known, kBetweenDecisions);
    TRY_ASSIGN(loop.condition, f_.Result(AnyLeft(f_(start))));
    Frame& around = c_.frame();
    loop.iterate = [&](NodeContext& inside, ValueId, const Values& carried) -> Result<Values> {
      Formula f(inside);
      TRY_ASSIGN(auto trips, f.Result(f.Number(kBetweenDecisions, DType::kI64)));
      TRY_ASSIGN(auto results, PickSeveral(inside, CandidatesIn(f, around, boxes_), carried[0],
                                           trips, kBetweenDecisions));
      TRY_ASSIGN(auto goes_on, f.Result(AnyLeft(f(results[0]))));
      return Values{goes_on, results[0], results[1]};
    };
    TRY_ASSIGN(auto results, AddLoop(c_, loop));
    Term picked = f_(results[1]);
    const Dim picks = f_.TypeOf(picked).shape[0] * kBetweenDecisions;
    Term in_row = Reshape(picked, {picks, batch_, classes_});
    // The last of the rounds may have picked more than were asked for.
    Term is_wanted = Reshape(f_.Iota(picks, DType::kI64) < most_, {picks, 1, 1});
    return f_.Result(Where(is_wanted, in_row, f_.Number(-1, DType::kI64)));
  }

  static Term AnyLeft(Term left) {
    return Reduce(ReduceKind::kMax, Cast(left, DType::kI32), {0, 1, 2}) == 1;
  }

  // Gives what is left, and the picked boxes.
  Result<Values> PickSeveral(NodeContext& c, const Candidates& boxes, ValueId left, ValueId trips,
                             const Dim& known_trips) const {
    LoopBody loop;
    loop.carried.push_back({"left", left});
    loop.trips = trips;
    loop.known_trips = known_trips;
    Frame& around = c.frame();
    loop.iterate = [&](NodeContext& inside, ValueId, const Values& carried) {
      Formula f(inside);
      return PickOne(f, CandidatesIn(f, around, boxes), f(carried[0]));
    };
    return AddLoop(c, loop);
  }

  // The same boxes where a body of a frame is added to.
  static Candidates CandidatesIn(Formula& f, const Frame& around, const Candidates& boxes) {
    auto here = [&](Term term) { return f(Here(f.context(), around, term.id)); };
    const Sides& sides = boxes.sides;
    return {{here(sides.left), here(sides.top), here(sides.right), here(sides.bottom)},
            here(boxes.scores),
            here(boxes.threshold)};
  }

  Result<Values> PickOne(Formula& f, const Candidates& boxes, Term left) const {
    Term lowest = f.Number(-std::numeric_limits<double>::infinity(), DType::kF32);
    Term best =
        f.Add(graph::ArgReduce{false, 2, false, false}, {Where(left, boxes.scores, lowest)});
    Term upright = Reshape(best, {batch_, classes_, 1});
    Term any = Reduce(ReduceKind::kMax, Cast(left, DType::kI32), {2}) == 1;
    Sides its, others;
    for (Term Sides::* side : {&Sides::left, &Sides::top, &Sides::right, &Sides::bottom}) {
      Term all = boxes.sides.*side;
      Term own = f.Add(graph::GatherElements{1}, {all, best});
      its.*side = Reshape(own, {batch_, classes_, 1});
      others.*side = Reshape(all, {batch_, 1, count_});
    }
    Term gone = Overlap(its, others, boxes.threshold) | (f.Iota(count_, DType::kI64) == upright);
    TRY_ASSIGN(auto rest, f.Result(left & Not(gone)));
    TRY_ASSIGN(auto picked, f.Result(Where(any, best, f.Number(-1, DType::kI64))));
    return Values{rest, picked};
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
  Candidates boxes_{};
  // How many boxes are asked for, of each class of each batch.
  Term most_{};
};

}  // namespace

static Result<Values> ImportNonMaxSuppression(NodeContext& c) { return Suppression(c).Run(); }

static constexpr Operator kOperators[] = {
    {"", "NonMaxSuppression", 2, ImportNonMaxSuppression},
};

std::span<const Operator> SuppressionOperators() { return kOperators; }

}  // namespace webnnc::onnx
