// Stages in ordered loops: recurrences, scatters. Lanes are rows where neighbours stand side by
// side in all stages,
//
//   for r0.0 { state[v] = 0;  for t { state[v] += x[t, 4*r0.0 + v];  y[t, 4*r0.0 + v] = state[v] }
//   }
//
// else each row runs by itself, and each stage in it has lanes of its own.
#include <algorithm>

#include "schedule/rules/rules.h"

namespace webnnc::schedule {

namespace {

using Names = std::vector<std::string>;

class CpuOrdered : public OnePoint {
 public:
  static constexpr std::string_view kName = "cpu_ordered";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kOrdered};

  explicit CpuOrdered(Problem& problem)
      : rows_(problem.rows()), limits_(problem.machine().tiles), views_(problem.views()) {}

  bool Fits() { return true; }

  Schedule Write(const Point&) {
    if (!rows_.empty() && RowsAreLanes()) {
      AlongRows();
    } else {
      WithinRows();
    }
    return std::move(schedule_);
  }

 private:
  // Vectors of four f32 in 64 bytes.
  static constexpr int64_t kLineVectors = 4;

  bool AnyReduction() const {
    return std::any_of(views_.begin(), views_.end(),
                       [](const NestView* view) { return view->is_reduction(); });
  }

  // The loops of a stage that are not rows, and of these the ones that it sums over or not.
  std::vector<const NestLoop*> Own(const NestView& view) const {
    std::vector<const NestLoop*> own;
    for (size_t i = rows_.size(); i < view.loops().size(); ++i) own.push_back(&view.loops()[i]);
    return own;
  }

  bool RowsAreLanes() {
    for (NestView* view : views_) {
      const NestLoop& loop = *view->nest().main.Find(rows_.back());
      // A tile over the end would need a tail, and rows are what all stages share.
      bool whole = KnownDivisor(loop.extent) % Machine::kLanes == 0;
      if (!whole || view->StrideOf(view->nest().value(), loop) == Stride::kOther ||
          view->StoreStride(loop) != Stride::kOne)
        return false;
    }
    return true;
  }

  // Rows that one round takes: several vectors where these are neighbours in memory for each step,
  // as many of them as a line of a cache has, so that a line is taken once, and so is its index.
  int64_t VectorsOfRows() {
    const NestLoop& rows = *views_[0]->nest().main.Find(rows_.back());
    bool whole = KnownDivisor(rows.extent) % (kLineVectors * Machine::kLanes) == 0;
    return whole && !AnyReduction() ? kLineVectors : 1;
  }

  void AlongRows() {
    const std::string lane = rows_.back();
    const int64_t vectors = VectorsOfRows();
    Names inner{lane + ".1"};
    if (vectors > 1) inner.push_back(lane + ".2");
    schedule_.push_back(vectors > 1 ? Split{lane, {vectors, Machine::kLanes}, Tail::kGuard}
                                    : Split{lane, {Machine::kLanes}, Tail::kGuard});
    Names shared(rows_.begin(), rows_.end() - 1);
    shared.push_back(lane + ".0");
    for (NestView* view : views_) {
      Names order = shared;
      for (const NestLoop* loop : Own(*view)) order.push_back(loop->name);
      order.insert(order.end(), inner.begin(), inner.end());
      // One order is that of all stages without loops of their own.
      bool known = std::any_of(schedule_.begin(), schedule_.end(), [&](const Directive& directive) {
        auto* other = std::get_if<Order>(&directive);
        return other && other->loops == LoopIds(order);
      });
      if (!known) schedule_.push_back(Order{order});
    }
    schedule_.push_back(Merge{shared});
    if (AnyReduction()) schedule_.push_back(Keep{shared.back()});
    if (vectors > 1) schedule_.push_back(Bind{{inner.front()}, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{inner.back()}, loop::LoopKind::kVector});
  }

  void WithinRows() {
    if (!rows_.empty()) schedule_.push_back(Merge{rows_});
    if (AnyReduction()) schedule_.push_back(Keep{rows_.empty() ? "" : rows_.back()});
    for (NestView* view : views_) {
      if (!AlongResult(*view)) AlongSum(*view);
    }
  }

  static bool IsLong(NestView& view, const NestLoop& loop, int64_t elements) {
    return LikelyLength(loop, view.sizes()) >= static_cast<double>(elements);
  }

  // Lanes are neighbours in what the stage stores.
  bool AlongResult(NestView& view) {
    const NestLoop* lane = nullptr;
    for (const NestLoop* loop : Own(view)) {
      bool fits = !loop->reduction && IsLong(view, *loop, Machine::kLanes) &&
                  view.StoreStride(*loop) == Stride::kOne &&
                  view.StrideOf(view.nest().value(), *loop) != Stride::kOther;
      if (fits) lane = loop;
    }
    if (!lane) return false;
    bool several = IsLong(view, *lane, limits_.rounds * limits_.sum_vectors * Machine::kLanes);
    Names order = rows_, sums;
    for (const NestLoop* loop : Own(view)) {
      if (loop != lane) (loop->reduction ? sums : order).push_back(loop->name);
    }
    CutLanes(*lane, several, order, sums);
    if (view.is_reduction()) schedule_.push_back(Keep{lane->name + ".0"});
    return true;
  }

  // Lanes sum parts.
  void AlongSum(NestView& view) {
    const NestLoop* lane = nullptr;
    for (const NestLoop* loop : Own(view)) {
      bool fits = loop->reduction && IsLong(view, *loop, Machine::kLanes) &&
                  view.StrideOf(view.nest().value(), *loop) == Stride::kOne;
      if (fits) lane = loop;
    }
    if (!lane) return;
    Names order = rows_, sums;
    for (const NestLoop* loop : Own(view)) {
      if (loop != lane) (loop->reduction ? sums : order).push_back(loop->name);
    }
    if (order.size() > rows_.size()) schedule_.push_back(Keep{order.back()});
    order.insert(order.end(), sums.begin(), sums.end());
    CutLanes(*lane, IsLong(view, *lane, limits_.rounds * limits_.sum_vectors * Machine::kLanes),
             order, {});
    for (const char* part : {".1", ".2"}) schedule_.push_back(Combine{lane->name + part});
  }

  // Cuts the lanes from a loop: `before` are outside of it, `between` inside.
  void CutLanes(const NestLoop& lane, bool several, Names before, const Names& between) {
    schedule_.push_back(
        Split{lane.name, {several ? limits_.sum_vectors : 1, Machine::kLanes}, Tail::kPeel});
    before.push_back(lane.name + ".0");
    before.insert(before.end(), between.begin(), between.end());
    before.insert(before.end(), {lane.name + ".1", lane.name + ".2"});
    schedule_.push_back(Order{before});
    schedule_.push_back(Bind{{lane.name + ".1"}, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{lane.name + ".2"}, loop::LoopKind::kVector});
  }

  const Names& rows_;
  const Machine::Tiles& limits_;
  std::vector<NestView*> views_;
  Schedule schedule_;
};

}  // namespace

constinit const Rule kCpuOrdered = RuleOf<CpuOrdered>();

}  // namespace webnnc::schedule
