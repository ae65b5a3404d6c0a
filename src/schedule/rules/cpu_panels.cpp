// A product whose panels are made in the same kernel, such as the filters that
// loop::TransformWindows transforms: one after another, so that a panel stays in the caches.
//
//   for o.0 {
//     for a, c      { panel[a, c, v] = ... }
//     for a, t.0, c { y[a, 6*t.0 + r, 8*o.0 + v] += tiles[a, 6*t.0 + r, c] * panel[a, c, v] }
//   }
#include <algorithm>
#include <cmath>
#include <limits>

#include "schedule/rules/rules.h"

namespace webnnc::schedule {

namespace {

class CpuPanels : public OnePoint {
 public:
  static constexpr std::string_view kName = "cpu_panels";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kNone};

  explicit CpuPanels(Problem& problem) : problem_(problem) {}

  bool Fits() {
    return problem_.nest_count() == 2 && !Makes().is_reduction() && Multiplies().is_product() &&
           FindLanes();
  }

  Schedule Write(const Point&) {
    MakePanels();
    Multiply();
    schedule_.push_back(Merge{{lane_ + ".0"}});
    return std::move(schedule_);
  }

 private:
  using Names = std::vector<std::string>;

  NestView& Makes() { return problem_.view(0); }
  NestView& Multiplies() { return problem_.view(1); }

  static const NestLoop* LastOf(NestView& view) {
    for (const NestLoop& loop : view.loops()) {
      if (view.StoreStride(loop) == Stride::kOne) return &loop;
    }
    return nullptr;
  }

  // Whole panels of columns, which both stages run through.
  bool FindLanes() {
    const NestLoop *made = LastOf(Makes()), *product = LastOf(Multiplies());
    if (!made || !product || !made->extent.Is(Machine::kPanelWidth)) return false;
    lane_ = product->name;
    in_panel_ = made->name;
    const auto& loops = Makes().loops();
    return std::ranges::any_of(loops, [&](const NestLoop& loop) {
      return loop.name == lane_ && loop.extent * Machine::kPanelWidth == product->extent;
    });
  }

  void Add(int stage, const Names& order, const Names& copies, const std::string& vector) {
    schedule_.push_back(Order{{order, stage}});
    schedule_.push_back(Bind{{copies, stage}, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{{vector, stage}}, loop::LoopKind::kVector});
  }

  // Of loops whose iterations compute each in a way of its own, those of the last are inside of the
  // lanes' loop: few places far apart are stored in turns.
  void MakePanels() {
    schedule_.push_back(Split{{lane_, 0}, {1}});
    schedule_.push_back(Split{{in_panel_, 0}, {Machine::kLanes}});
    Names order{lane_ + ".0", lane_ + ".1"}, others, copies;
    for (const NestLoop& loop : Makes().loops()) {
      if (loop.name == lane_ || loop.name == in_panel_) continue;
      bool copied = Makes().WaysOf(Makes().left(), loop) > 1;
      (copied ? copies : others).push_back(loop.name);
    }
    if (!copies.empty()) order.insert(order.end(), copies.begin(), copies.end() - 1);
    order.insert(order.end(), others.begin(), others.end());
    order.push_back(in_panel_ + ".0");
    if (!copies.empty()) order.push_back(copies.back());
    order.push_back(in_panel_ + ".1");
    Add(0, order, copies, in_panel_ + ".1");
  }

  // Tiles of rows go on where a row of them ends. Of sizes that are open the last may be cut into
  // tiles, if no other can.
  void Multiply() {
    NestView& view = Multiplies();
    schedule_.push_back(Split{{lane_, 1}, {Machine::kPanelVectors, Machine::kLanes}});
    Names order{lane_ + ".0"}, rows, open, sums;
    Dim count = 1;
    for (const NestLoop& loop : view.loops()) {
      if (loop.name == lane_) continue;
      if (loop.reduction) {
        sums.push_back(loop.name);
      } else if (view.DependsOn(view.right(), loop)) {
        order.push_back(loop.name);
      } else if (loop.extent.IsConstant()) {
        rows.push_back(loop.name);
        count = count * loop.extent;
      } else {
        open.push_back(loop.name);
      }
    }
    if (rows.empty() && !open.empty()) {
      for (const NestLoop& loop : view.loops()) {
        if (loop.name == open.back()) count = loop.extent;
      }
      rows = {open.back()};
      open.pop_back();
    }
    order.insert(order.end(), open.begin(), open.end());
    Names inner{lane_ + ".1"};
    if (!rows.empty()) {
      const std::string tile = rows.size() > 1 ? "rows" : rows[0];
      if (rows.size() > 1) schedule_.push_back(Fuse{{rows, 1}, tile});
      const Tail tail = count.IsConstant() ? Tail::kShift : Tail::kPeel;
      schedule_.push_back(Split{{tile, 1}, {RowsOf(count)}, tail});
      order.push_back(tile + ".0");
      inner.insert(inner.begin(), tile + ".1");
    }
    const std::string keep = order.back();
    order.insert(order.end(), sums.begin(), sums.end());
    order.insert(order.end(), inner.begin(), inner.end());
    order.push_back(lane_ + ".2");
    Add(1, order, inner, lane_ + ".2");
    schedule_.push_back(Keep{{keep, 1}});
  }

  // Of all tiles that registers hold, those that compute least. What is left behind whole tiles of
  // an open size runs row by row.
  int64_t RowsOf(const Dim& count) {
    const Machine::Tiles& tiles = problem_.machine().tiles;
    const bool fuses = problem_.target().Has(Feature::kRelaxedSimd);
    const double typical = Multiplies().Estimate(count);
    int64_t best = 1;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t rows = fuses ? tiles.rows_fused : tiles.rows; rows >= 1; --rows) {
      const double each = static_cast<double>(rows);
      if (each > typical) continue;
      double whole = std::floor(typical / each), left = typical - whole * each;
      if (count.IsConstant() && left > 0) whole += 1;
      if (count.IsConstant()) left = 0;
      const double cost = whole * (each + tiles.overhead) + left * (1 + tiles.overhead);
      if (cost > least) continue;
      least = cost;
      best = rows;
    }
    return best;
  }

  Problem& problem_;
  // Of the columns, and of those in a panel where it is made.
  std::string lane_, in_panel_;
  Schedule schedule_;
};

}  // namespace

constinit const Rule kCpuPanels = RuleOf<CpuPanels>();

}  // namespace webnnc::schedule
