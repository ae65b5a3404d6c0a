// Several stages over the same rows: softmax, normalisation. A row's stages run one after another,
// so that what flows between them stays in registers and the row in the cache. Lanes are neighbours
// in the row, whose sums they keep in parts,
//
//   for r { max = -inf;  for q.0 { max[v] max= x[r, 4*q.0 + v] };  sum = ... }
//
// or, where a row's elements are not neighbours but those of neighbouring rows are, rows.
#include <algorithm>
#include <map>
#include <set>

#include "schedule/rules/rules.h"
#include "schedule/rules/subtotals.h"

namespace webnnc::schedule {

namespace {

class CpuRows : public OnePoint {
 public:
  static constexpr std::string_view kName = "cpu_rows";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kRows};

  explicit CpuRows(Problem& problem)
      : rows_(problem.rows()),
        machine_(problem.machine()),
        sizes_(problem.sizes()),
        views_(problem.views()) {}

  bool Fits() { return true; }

  Schedule Write(const Point&) {
    return !rows_.empty() && RowsAreLanes() ? AlongRows() : WithinRows();
  }

 private:
  // ---- Lanes are rows

  // Whether every stage reads and writes neighbouring rows side by side.
  bool RowsAreLanes() {
    const std::string& name = rows_.back();
    bool reads = false;
    for (NestView* view : views_) {
      const NestLoop& loop = *view->nest().main.Find(name);
      if (!loop.extent.IsConstant() || loop.extent.value() < Machine::kLanes) return false;
      Stride read = view->StrideOf(view->nest().value(), loop), write = view->StoreStride(loop);
      if (read == Stride::kOther || write == Stride::kOther) return false;
      reads |= read == Stride::kOne && HasOwnLoops(*view);
    }
    return reads;
  }

  bool HasOwnLoops(const NestView& view) const { return view.loops().size() > rows_.size(); }

  Schedule AlongRows() {
    const std::string lane = rows_.back();
    schedule_.push_back(Split{lane, {Machine::kLanes}, Tail::kShift});
    std::vector<std::string> shared(rows_.begin(), rows_.end() - 1);
    shared.push_back(lane + ".0");
    // Stages that have loops within the row have the same: those of the longest are cut for all.
    std::vector<NestLoop> within;
    bool agree = true;
    for (NestView* view : views_) {
      auto own = view->loops().begin() + static_cast<int64_t>(rows_.size());
      std::vector<NestLoop> loops(own, view->loops().end());
      agree &= loops.empty() || within.empty() || loops.size() == within.size();
      if (loops.size() > within.size()) within = loops;
    }
    std::vector<std::string> names;
    if (agree && AnyReduction()) {
      names = CutLongSum(within, sizes_, schedule_);
    } else {
      for (const NestLoop& loop : within) names.push_back(loop.name);
    }
    std::set<std::vector<std::string>> orders;
    for (NestView* view : views_) {
      std::vector<std::string> order = shared;
      if (agree && HasOwnLoops(*view)) {
        order.insert(order.end(), names.begin(), names.end());
      } else {
        for (size_t i = rows_.size(); i < view->loops().size(); ++i)
          order.push_back(view->loops()[i].name);
      }
      order.push_back(lane + ".1");
      if (orders.insert(order).second) schedule_.push_back(Order{order});
    }
    schedule_.push_back(Merge{shared});
    if (AnyReduction()) schedule_.push_back(Keep{shared.back()});
    schedule_.push_back(Bind{{lane + ".1"}, loop::LoopKind::kVector});
    return schedule_;
  }

  bool AnyReduction() const {
    return std::any_of(views_.begin(), views_.end(),
                       [](const NestView* view) { return view->is_reduction(); });
  }

  // ---- Lanes are within a row

  Schedule WithinRows() {
    std::vector<LoopId> lanes = InnerLanes();
    for (const LoopId& lane : lanes)
      schedule_.push_back(Split{lane, {parts_.at(lane.name), Machine::kLanes}, Tail::kPeel});
    if (!rows_.empty()) schedule_.push_back(Merge{rows_});
    if (AnyReduction()) schedule_.push_back(Keep{rows_.empty() ? "" : rows_.back()});
    for (const LoopId& lane : lanes) {
      auto part = [&](const char* number) { return LoopId(lane.name + number, lane.stage); };
      schedule_.push_back(Bind{{part(".1")}, loop::LoopKind::kUnrolled});
      schedule_.push_back(Bind{{part(".2")}, loop::LoopKind::kVector});
      schedule_.push_back(Combine{part(".1")});
      schedule_.push_back(Combine{part(".2")});
    }
    return schedule_;
  }

  // The innermost loops of the stages that run through neighbours; of all stages at once where it
  // is so wherever the name stands.
  std::vector<LoopId> InnerLanes() {
    std::map<std::string, std::vector<int>> lanes;
    std::set<std::string> others;
    for (size_t n = 0; n < views_.size(); ++n) {
      const std::vector<NestLoop>& loops = views_[n]->loops();
      for (size_t i = rows_.size(); i < loops.size(); ++i) {
        if (i + 1 == loops.size() && IsLane(*views_[n], loops[i])) {
          lanes[loops[i].name].push_back(static_cast<int>(n));
        } else {
          others.insert(loops[i].name);
        }
      }
    }
    std::vector<LoopId> found;
    for (const auto& [name, stages] : lanes) {
      if (!others.count(name)) {
        found.emplace_back(name);
      } else {
        for (int stage : stages) found.emplace_back(name, stage);
      }
    }
    return found;
  }

  bool IsLane(NestView& view, const NestLoop& loop) {
    int64_t parts = machine_.tiles.sum_vectors;
    double extent = LikelyLength(loop, view.sizes());
    if (extent < Machine::kLanes) return false;
    bool is_long = extent >= static_cast<double>(machine_.tiles.rounds * parts * Machine::kLanes);
    parts_[loop.name] = is_long ? parts : 1;
    Stride read = view.StrideOf(view.nest().value(), loop);
    if (loop.reduction) return read == Stride::kOne;
    return read != Stride::kOther && view.StoreStride(loop) == Stride::kOne;
  }

  const std::vector<std::string>& rows_;
  const Machine& machine_;
  const LikelySizes& sizes_;
  std::vector<NestView*> views_;
  std::map<std::string, int64_t> parts_;
  Schedule schedule_;
};

}  // namespace

constinit const Rule kCpuRows = RuleOf<CpuRows>();

}  // namespace webnnc::schedule
