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

// Whether two boxes share more than so much of what they cover together, as ONNX Runtime has it. A
// box without an area shares nothing, and 0 / 0 is not more than anything.
Term Overlap(const Sides& one, const Sides& other, Term threshold) {
  Term width = Min(one.right, other.right) - Max(one.left, other.left);
  Term height = Min(one.bottom, other.bottom) - Max(one.top, other.top);
  auto area = [](const Sides& box) { return (box.right - box.left) * (box.bottom - box.top); };
  Term shared = Max(width, 0) * Max(height, 0);
  return threshold < shared / (area(one) + area(other) - shared);
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
    Sides sides = SidesOf(f_, all, c_.Int("center_point_box", 0) != 0);
    std::vector<Term> each{sides.left, sides.top, sides.right, sides.bottom};
    for (Term& side : each) side = Reshape(side, {1, batch_, 1, count_});
    sides_ = Concat(each, 0);
    threshold_ = c_.Has(3) ? Cast(Reshape(f_(c_[3]), {}), DType::kF32) : f_.Number(0, DType::kF32);
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

  // Box after box of each class of each batch: the scores of what is left are carried on, and the
  // best box, or -1, is stacked. All classes are looked at side by side.
  Result<ValueId> Pick() {
    Term scores = Cast(f_(c_[1]), DType::kF32);
    const Dim given = count_;
    // What is out of the running is -inf.
    Term left = Max(scores, std::numeric_limits<float>::lowest());
    if (c_.Has(4)) {
      Term least = Cast(Reshape(f_(c_[4]), {}), DType::kF32);
      Term is_good = least < scores;
      TRY_ASSIGN(left, KeepGood(is_good, left));
    }
    Term most = f_.Number(0, DType::kI64);
    std::optional<Dim> known = Dim(0);
    if (c_.Has(2)) {
      constexpr int64_t kFar = INT32_MAX;
      most = Max(Min(Cast(Reshape(f_(c_[2]), {}), DType::kI64), kFar), 0);
      TRY_ASSIGN(auto sizes, c_.FindSizes(2));
      known = sizes ? std::optional(Max(Min((*sizes)[0], kFar), 0)) : std::nullopt;
    }
    LoopBody loop;
    TRY_ASSIGN(auto start, f_.Result(left));
    loop.carried.push_back({"left", start});
    // A decision may have to wait for the GPU, so a few hundred boxes are picked without one. Of
    // others, the number of boxes does not matter, which the GPU alone may know.
    constexpr int64_t kMostUndecided = 256;
    std::optional<Dim> all = known ? std::optional(Min(*known, given)) : std::nullopt;
    loop.has_condition = !all || UpperBound(*all).value_or(INT64_MAX) > kMostUndecided;
    if (loop.has_condition) {
      TRY_ASSIGN(loop.condition, f_.Result(AnyLeft(left)));
    } else {
      most = Min(most, f_.Size(given, DType::kI64));
      known = all;
    }
    Term rounds = FloorDiv(most + (kRound - 1), f_.Number(kRound, DType::kI64));
    TRY_ASSIGN(loop.trips, f_.Result(rounds));
    if (known) loop.known_trips = CeilDiv(*known, kRound);
    Frame& around = c_.frame();
    loop.iterate = [&](NodeContext& inside, ValueId, const Values& carried) {
      return PickSome(inside, around, carried[0], loop.has_condition);
    };
    TRY_ASSIGN(auto results, AddLoop(c_, loop));
    const Dim picks = f_.TypeOf(f_(results[1])).shape[0] * kRound;
    Term picked = Reshape(f_(results[1]), {picks, batch_, classes_});
    // The last round may have picked more than were asked for.
    Term is_wanted = Reshape(f_.Iota(picks, DType::kI64) < most, {picks, 1, 1});
    return f_.Result(Where(is_wanted, picked, f_.Number(-1, DType::kI64)));
  }

  // Leaves the boxes of each class whose scores are good enough, as many as any class has: in most
  // images these are few, and all are looked at for each that is picked. Gives their scores.
  Result<Term> KeepGood(Term is_good, Term scores) {
    Term numbers = Cast(is_good, DType::kI32);
    Term counts = Reduce(ReduceKind::kSum, numbers, {2}, true);
    // One if there is none, where there are boxes: rounds that nothing decides look for the best.
    Term most = Max(Cast(Reduce(ReduceKind::kMax, counts, {0, 1, 2}), DType::kI64), 1);
    most = Min(most, f_.Size(count_, DType::kI64));
    TRY_ASSIGN(auto vector, f_.Result(Reshape(most, {1})));
    TRY_ASSIGN(auto sizes, c_.DefineSizes(vector, "candidates", {count_}));
    const Dim kept = sizes[0];
    // As in PositionsOf.
    Term places = f_.Add(graph::Cumulate{ReduceKind::kSum, 2, true}, {numbers});
    Term zeros = Expand(f_.Number(0, DType::kI32), {batch_, classes_, kept + 1});
    Term each = Expand(f_.Iota(count_, DType::kI32), {batch_, classes_, count_});
    Term all = f_.Add(graph::ScatterElements{2}, {zeros, places, each});
    boxes_ = Slice(all, 2, 0, kept);
    Term is_there = f_.Iota(kept, DType::kI32) < counts;
    scores = f_.Add(graph::GatherElements{2}, {scores, boxes_});
    Term four =
        Expand(Reshape(boxes_, {1, batch_, 1, classes_ * kept}), {4, batch_, 1, classes_ * kept});
    Term sides = f_.Add(graph::GatherElements{3}, {sides_, four});
    sides_ = Reshape(sides, {4, batch_, classes_, kept});
    count_ = kept;
    return Where(is_there, scores, f_.Number(-kInfinity, DType::kF32));
  }

  static Term IsLeft(Term scores) {
    return scores.formula->Number(-kInfinity, DType::kF32) < scores;
  }
  static Term AnyLeft(Term scores) { return IsLeft(Reduce(ReduceKind::kMax, scores, {0, 1, 2})); }

  // A round: several boxes, one after the other. Those that there are none of are -1.
  Result<Values> PickSome(NodeContext& inside, Frame& around, ValueId carried,
                          bool has_condition) const {
    Formula f(inside);
    auto here = [&](Term term) { return f(Here(inside, around, term.id)); };
    Term all_sides = here(sides_), threshold = here(threshold_), left = f(carried);
    std::vector<Term> picks;
    for (int64_t i = 0; i < kRound; ++i) {
      Term best = f.Add(graph::ArgReduce{false, 2, true, false}, {left});
      Term is_there = IsLeft(f.Add(graph::GatherElements{2}, {left, best}));
      Term pick = Where(is_there, best, f.Number(-1, DType::kI64));
      picks.push_back(Reshape(pick, {1, batch_, classes_}));
      Term is_gone =
          OverlapsWith(f, all_sides, best, threshold) | (f.Iota(count_, DType::kI64) == best);
      // Arithmetic, which is stored: a choice would be made anew by each pick that comes.
      left = Min(left, Where(is_gone, f.Number(-kInfinity, DType::kF32),
                             f.Number(kInfinity, DType::kF32)));
    }
    Values outputs;
    if (has_condition) {
      TRY_ASSIGN(auto goes_on, f.Result(AnyLeft(left)));
      outputs.push_back(goes_on);
    }
    for (Term term : {left, Concat(picks, 0)}) {
      TRY_ASSIGN(auto id, f.Result(term));
      outputs.push_back(id);
    }
    return outputs;
  }

  // Which boxes overlap the one of this number, for each class of each batch.
  Term OverlapsWith(Formula& f, Term all_sides, Term number, Term threshold) const {
    // All classes have the same boxes, or each has its own.
    bool is_shared = !boxes_.id.valid();
    Shape four = is_shared ? Shape{4, batch_, 1, classes_} : Shape{4, batch_, classes_, 1};
    Shape one = four;
    one[0] = 1;
    Term each = Expand(Reshape(number, one), four);
    Term its_sides = f.Add(graph::GatherElements{3}, {all_sides, each});
    auto sides = [&](Term of, const Shape& shape) {
      auto side = [&](int64_t i) { return Reshape(Slice(of, 0, i, 1), shape); };
      return Sides{side(0), side(1), side(2), side(3)};
    };
    return Overlap(sides(its_sides, {batch_, classes_, 1}),
                   sides(all_sides, {batch_, is_shared ? 1 : classes_, count_}), threshold);
  }

  // [iterations, batch, classes] to a row (batch, class, box) for each that was picked.
  Result<Values> Rows(Term picked) {
    const Dim iterations = f_.TypeOf(picked).shape[0];
    Term flat = Reshape(Transpose(picked, {1, 2, 0}), {batch_ * classes_ * iterations});
    TRY_ASSIGN(auto positions, PositionsOf(f_, f_.Number(0, DType::kI64) <= flat, "boxes"));
    auto size = [&](const Dim& dim) { return f_.Size(Max(dim, 1), DType::kI64); };
    Term row = FloorDiv(positions.where, size(iterations));
    // Nothing needs to be checked of what says itself that it is the number of a box.
    Term box = f_.Add(graph::Gather{0}, {flat, positions.where});
    box = Max(Min(box, f_.Size(count_, DType::kI64) - 1), 0);
    if (boxes_.id.valid()) {
      Term all = Reshape(boxes_, {batch_ * classes_ * count_});
      Term place = row * f_.Size(count_, DType::kI64) + box;
      Term last = f_.Size(batch_ * classes_ * count_, DType::kI64) - 1;
      box = Cast(f_.Add(graph::Gather{0}, {all, Max(Min(place, last), 0)}), DType::kI64);
    }
    std::vector<Term> columns{FloorDiv(row, size(classes_)), FloorMod(row, size(classes_)), box};
    for (Term& column : columns) column = Reshape(column, {positions.count, 1});
    TRY_ASSIGN(auto id, f_.Result(Concat(columns, 1)));
    return Values{id};
  }

  // How many boxes are picked between decisions.
  static constexpr int64_t kRound = 8;
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  NodeContext& c_;
  Formula f_;
  Dim batch_, classes_, count_;
  // Of boxes whose scores are good enough alone: their numbers[batch, classes, count].
  Term boxes_{};
  // Sides of boxes[4, batch, classes, count] in the order of Sides, of one class if all have the
  // same boxes, and how much may overlap.
  Term sides_{}, threshold_{};
};

}  // namespace

static Result<Values> ImportNonMaxSuppression(NodeContext& c) { return Suppression(c).Run(); }

static constexpr Operator kOperators[] = {
    {"", "NonMaxSuppression", 2, ImportNonMaxSuppression},
};

std::span<const Operator> SuppressionOperators() { return kOperators; }

}  // namespace webnnc::onnx
