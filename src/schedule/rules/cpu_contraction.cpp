// Matrix products and the convolutions that are such. A tile of the result stays in registers while
// the loops that are summed over run; one side is read by vectors (a panel of packed weights), the
// other element by element:
//
//   c[i, o] += a[i, k] * b[o/8, k, o%8]
//
//   for o.0 { for i.0 {
//     acc[4][2] = 0                                    8 vectors
//     for k { acc[r][v] += a[4*i.0 + r, k] * b[o.0, k, 4*v : 4] }
//     c[4*i.0 + r, 8*o.0 + 4*v : 4] = acc[r][v]
//   } }
//
// Which loops are cut into tiles of how many rows is chosen by a cost (cpu_tiles.h). Where no side
// can be read by vectors along a loop of the result, but both along one that is summed over, panels
// of one side are transposed, each once for all rows; if these are few, lanes sum parts.
#include <algorithm>

#include "schedule/bytes.h"
#include "schedule/rules/cpu_tiles.h"

namespace webnnc::schedule {

namespace {

class CpuContraction : public ContractionTiles {
 public:
  static constexpr std::string_view kName = "cpu_contraction";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kContraction};

  using ContractionTiles::ContractionTiles;

  Schedule Write(const Point& point) {
    schedule_.clear();
    lane_parts_.clear();
    sums_ = view_.ReductionLoops();
    tile_ = point.tile;
    return lane_ ? AlongLanes(point.panels, point.placement) : AlongSum();
  }

 private:
  Schedule AlongLanes(int64_t panels, const Placement& placement) {
    const Loops rows = RowsAround(tile_);
    if (tile_.outer)
      schedule_.push_back(Fuse{{tile_.outer->name, tile_.inner->name}, tile_.loop->name});
    SplitLanes(panels);
    std::vector<std::string> outer = Names(batch_), inner;
    for (const std::string& name : Names(columns_)) outer.push_back(name);
    for (size_t i = 0; i < placement.outside; ++i) Append(outer, RowLoops(rows[i], 0));
    bool cut = placement.block > 0;
    if (tile_.loop) SplitRows(cut ? placement.block : 0);
    std::vector<std::string> phases = SplitPhases(rows);
    if (cut) outer.push_back(tile_.loop->name + ".0");
    outer.push_back(lane_->name + ".0");
    for (size_t i = placement.outside; i < rows.size(); ++i)
      Append(outer, RowLoops(rows[i], cut && rows[i] == tile_.loop));
    // Inside the sums: the tile. Of bytes, whose products are one instruction each, all rows take a
    // vector at once, so that few are in registers.
    std::vector<std::string> tile = lane_parts_;
    if (tile_.loop)
      tile.insert(SumsBytes(tile_) ? tile.end() - 1 : tile.begin(),
                  tile_.loop->name + (cut ? ".2" : ".1"));
    FuseSums();
    LongestSumInside();
    std::vector<std::string> order = phases, sums = Names(sums_), pair = SplitPairs(sums);
    Append(order, outer);
    Append(order, sums);
    Append(order, tile);
    Append(order, pair);
    schedule_.push_back(Order{order});
    schedule_.push_back(Keep{outer.back(), view_.HasFunctions() || SumsBytes(tile_)});
    if (Widens(tile_)) StagePanel(sums);
    UnrollPhases(phases);
    Unroll(tile);
    schedule_.push_back(Bind{{tile.back()}, loop::LoopKind::kVector});
    if (!pair.empty()) schedule_.push_back(Dot{pair[0]});
    return schedule_;
  }

  // A panel is widened once, for all rows, and pairs become words.
  void StagePanel(const std::vector<std::string>& layout) {
    bool is_left = vectors_ == view_.left();
    Stage panel{is_left ? Operand::kLeft : Operand::kRight, lane_->name + ".0",
                loop::Space::kRegister, layout};
    for (const std::string& name : lane_parts_) panel.layout.push_back(name);
    panel.lanes = Machine::kLanes;
    panel.row = static_cast<int64_t>(lane_parts_.size());
    schedule_.push_back(panel);
  }

  // Integers are multiplied in pairs along the innermost of the sums, or four bytes at once.
  std::vector<std::string> SplitPairs(std::vector<std::string>& sums) {
    const NestLoop& loop = *sums_.back();
    bool has_pairs = paired_ && loop.extent.IsConstant() && loop.extent.value() >= 2;
    if (!has_pairs || IsWidened() || view_.PhasesOf(elements_, loop) > 1) return {};
    bool even = loop.extent.value() % 2 == 0;
    const int64_t count = SumsBytes(tile_) ? kBytesInWord : 2;
    schedule_.push_back(Split{loop.name, {count}, even ? Tail::kGuard : Tail::kPeel});
    sums.back() = loop.name + ".0";
    return {loop.name + ".1"};
  }

  // ---- Both sides run along what is summed over

  // A tile of the result whose elements' parts are vectors.
  Schedule AlongSum() {
    std::vector<std::string> outer = Names(batch_), inner, tile;
    for (const auto* side : {&rows_, &columns_}) {
      int64_t size = side == &rows_ ? tile_.rows : Machine::kPanelVectors;
      for (const NestLoop* loop : *side) {
        bool cut =
            loop == side->back() && (!loop->extent.IsConstant() || loop->extent.value() >= size);
        if (!cut) {
          outer.push_back(loop->name);
          continue;
        }
        schedule_.push_back(
            Split{loop->name, {size}, loop->extent.IsConstant() ? Tail::kShift : Tail::kPeel});
        inner.push_back(loop->name + ".0");
        tile.push_back(loop->name + ".1");
      }
    }
    Append(outer, inner);
    schedule_.push_back(Split{sum_->name, {Machine::kLanes}, Tail::kPeel});
    std::vector<std::string> order = outer;
    for (const NestLoop* loop : sums_) {
      if (loop != sum_) order.push_back(loop->name);
    }
    order.push_back(sum_->name + ".0");
    Append(order, tile);
    order.push_back(sum_->name + ".1");
    schedule_.push_back(Order{order});
    schedule_.push_back(Keep{outer.empty() ? "" : outer.back(), view_.HasFunctions()});
    if (!tile.empty()) schedule_.push_back(Bind{tile, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{sum_->name + ".1"}, loop::LoopKind::kVector});
    schedule_.push_back(Combine{sum_->name + ".1"});
    return schedule_;
  }

  static void Append(std::vector<std::string>& to, const std::vector<std::string>& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  static std::vector<std::string> Names(const Loops& loops) {
    std::vector<std::string> names;
    for (const NestLoop* loop : loops) names.push_back(loop->name);
    return names;
  }

  std::vector<std::string> RowLoops(const NestLoop* loop, int64_t part) const {
    if (loop != tile_.loop) return {loop->name + (PhasesOf(*loop) > 1 ? ".0" : "")};
    return {loop->name + "." + std::to_string(part)};
  }

  // Panels of vectors.
  void SplitLanes(int64_t panels) {
    int64_t vectors = Machine::kPanelVectors;
    if (view_.Estimate(lane_->extent) <= Machine::kLanes) vectors = 1;
    std::vector<int64_t> factors{vectors, Machine::kLanes};
    // What is loaded of integers is half as long, or less.
    if (paired_) factors = {vectors * Machine::kLanes};
    if (panels > 1) factors.insert(factors.begin(), panels);
    // A packed side has rows filled up to whole panels, others end where the loop does.
    Tail tail = Tail::kGuard;
    if (!lane_->extent.IsConstant()) tail = Tail::kPeel;
    schedule_.push_back(Split{lane_->name, factors, tail});
    for (size_t i = 1; i <= factors.size(); ++i)
      lane_parts_.push_back(lane_->name + "." + std::to_string(i));
  }

  void SplitRows(int64_t block) {
    const Border& border = tile_.border;
    if (border.first + border.last > 0)
      schedule_.push_back(Peel{tile_.loop->name, border.first, border.last});
    std::vector<int64_t> factors{tile_.rows};
    if (block > 0) factors.insert(factors.begin(), block);
    if (tile_.phases > 1) factors.push_back(tile_.phases);
    schedule_.push_back(Split{tile_.loop->name, factors, tile_.tail});
  }

  // Without conditions in the way, sums that run through memory as one loop are one: a window's
  // columns over few channels.
  void FuseSums() {
    bool peeled = tile_.border.first + tile_.border.last > 0;
    if (!peeled || sums_.size() < 2) return;
    const NestLoop &outer = *sums_[sums_.size() - 2], &inner = *sums_.back();
    if (!view_.RunsOn(vectors_, outer, inner) || !view_.RunsOn(elements_, outer, inner)) return;
    fused_ = AsOne(outer, inner);
    schedule_.push_back(Fuse{{outer.name, inner.name}, fused_.name});
    sums_.pop_back();
    sums_.back() = &fused_;
  }

  // Without conditions in the way, the longest of sums that are all short is the best innermost
  // loop: the columns of a large window over few channels.
  void LongestSumInside() {
    bool peeled = tile_.border.first + tile_.border.last > 0;
    if (!peeled) return;
    auto longest = sums_.begin();
    for (auto sum = sums_.begin(); sum != sums_.end(); ++sum) {
      if (view_.Estimate((*sum)->extent) >= view_.Estimate((*longest)->extent)) longest = sum;
    }
    std::rotate(longest, longest + 1, sums_.end());
  }

  // The innermost part of loops with phases; those of the loop that is cut into tiles are split off
  // with its tiles.
  std::vector<std::string> SplitPhases(const Loops& rows) {
    std::vector<std::string> phases;
    for (const NestLoop* loop : rows) {
      int64_t count = PhasesOf(*loop);
      if (count == 1) continue;
      if (loop != tile_.loop) schedule_.push_back(Split{loop->name, {count}});
      phases.push_back(loop->name + (loop == tile_.loop ? ".2" : ".1"));
    }
    return phases;
  }

  // A code of its own for each phase, with the parts of the filter that it meets.
  void UnrollPhases(std::vector<std::string> phases) {
    if (phases.empty()) return;
    for (const NestLoop* sum : sums_) {
      if (sum->extent.IsConstant() && view_.PhasesOf(elements_, *sum) > 1)
        phases.push_back(sum->name);
    }
    schedule_.push_back(Skip{});
    schedule_.push_back(Bind{phases, loop::LoopKind::kUnrolled});
  }

  // Sums are not unrolled, however short: engines keep what several copies load in registers, and
  // run out of them. Short loops cost less.
  void Unroll(const std::vector<std::string>& tile) {
    std::vector<std::string> loops(tile.begin(), tile.end() - 1);
    if (!loops.empty()) schedule_.push_back(Bind{loops, loop::LoopKind::kUnrolled});
  }

  NestLoop fused_;  // of sums
  RowTile tile_;
  std::vector<std::string> lane_parts_;
  Schedule schedule_;
};

}  // namespace

constinit const Rule kCpuContraction = RuleOf<CpuContraction>();

}  // namespace webnnc::schedule
