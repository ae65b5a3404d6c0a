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
// The space is which loop is cut into tiles of how many rows and panels, or which two that become
// one, and whether panels or rows come first. The cost is what is computed, with tiles that stand
// over the end, what registers have no room for, and what the caches have to deliver. Where no side
// can be read by vectors along a loop of the result, but both along one that is summed over, lanes
// sum parts of it.
#include <algorithm>
#include <cmath>
#include <list>

#include "schedule/rules/rules.h"

namespace webnnc::schedule {

namespace {

using Loops = std::vector<const NestLoop*>;

// How the rows of the result are cut.
struct RowTile {
  const NestLoop* loop = nullptr;  // none: there are no rows
  // What it is made of, if it is two: a tile of an image's pixels goes on in the next row of them.
  const NestLoop *outer = nullptr, *inner = nullptr;
  Border border;  // iterations that run apart
  int64_t rows = 1;
  Tail tail = Tail::kShift;
  // Numbers that differ by less than this find their elements at different places: they are not in
  // one tile (transposed convolutions).
  int64_t phases = 1;
  double tiles = 1;  // of all loops over rows
};

// What runs outside of what.
struct Placement {
  size_t outside = 0;     // loops over rows outside the loop over panels
  int64_t block = 0;      // of tiles inside it, if the next loop is the tile's and is cut once more
  double iterations = 1;  // of all that is outside
};

class CpuContraction {
 public:
  struct Point {
    RowTile tile;
    int64_t panels = 1;  // side by side in a tile
    Placement placement = {};
    double computed = 0, seconds = 0;
  };
  static constexpr std::string_view kName = "cpu_contraction";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kContraction};

  explicit CpuContraction(Problem& problem)
      : view_(problem.view()),
        machine_(problem.machine()),
        paired_(view_.SumsPairs()),
        fuses_(problem.target().Has(Feature::kRelaxedSimd)) {}

  bool Fits() {
    if (view_.ReductionLoops().empty() || !FindSides()) return false;
    SortLoops();
    return true;
  }

  // First comes what does best of what was measured on x64: of all tiles the one that computes
  // least, and then what moves least.
  std::vector<Point> Space() {
    if (!lane_) return {{.tile = {.rows = TileRows()}}};
    std::vector<Point> points;
    const Traffic traffic = TrafficOfBatch();
    for (const RowTile& tile : RowTiles()) {
      for (int64_t panels : PanelsOf(tile)) {
        double computed = Computed(tile, panels) / machine_.clock;
        for (const Placement& placement : Placements(tile)) {
          double moved = Product(batch_) * Moved(traffic, tile, placement) / machine_.clock;
          points.push_back({tile, panels, placement, computed, computed + moved});
        }
      }
    }
    std::ranges::stable_sort(points, {}, &Point::seconds);
    auto first = std::ranges::min_element(points, {}, &Point::computed);
    std::rotate(points.begin(), first, first + 1);
    return points;
  }

  double Seconds(const Point& point) { return point.seconds; }

  Schedule Write(const Point& point) {
    schedule_.clear();
    lane_parts_.clear();
    sums_ = view_.ReductionLoops();
    tile_ = point.tile;
    return lane_ ? AlongLanes(point.panels, point.placement) : AlongSum();
  }

 private:
  double Product(const Loops& loops) const {
    double product = 1;
    for (const NestLoop* loop : loops) product *= Count(*loop);
    return product;
  }

  // Iterations; an open size may be none.
  double Count(const NestLoop& loop) const { return std::max(1.0, view_.Estimate(loop.extent)); }

  bool FindSides() {
    for (bool stored : {true, false}) {
      if (FindLanes(view_.right(), view_.left(), stored) ||
          FindLanes(view_.left(), view_.right(), stored))
        return true;
    }
    vectors_ = view_.right();
    elements_ = view_.left();
    return FindSum();
  }

  // Whether `vectors` is read by vectors along a loop that `elements` does not depend on. Best is
  // one along which the result is `stored` by vectors too.
  bool FindLanes(loop::ExprId vectors, loop::ExprId elements, bool stored) {
    Loops spatial = view_.SpatialLoops();
    for (size_t i = spatial.size(); i-- > 0;) {
      const NestLoop& loop = *spatial[i];
      bool fits =
          view_.StrideOf(vectors, loop) == Stride::kOne && !view_.DependsOn(elements, loop) &&
          (!stored || view_.StoreStride(loop) == Stride::kOne) && view_.Estimate(loop.extent) >= 2;
      if (!fits) continue;
      lane_ = &loop;
      vectors_ = vectors;
      elements_ = elements;
      return true;
    }
    return false;
  }

  void SortLoops() {
    for (const NestLoop* loop : view_.SpatialLoops()) {
      if (loop == lane_) continue;
      bool in_vectors = view_.DependsOn(vectors_, *loop),
           in_elements = view_.DependsOn(elements_, *loop);
      (in_vectors && in_elements ? batch_ : in_vectors ? columns_ : rows_).push_back(loop);
    }
    sums_ = view_.ReductionLoops();
  }

  // ---- The tile

  // Products of pairs are multiplied apart and added then, whatever the engine has for floats.
  int64_t TileRows() const {
    if (IsWide({})) return machine_.tiles.rows_wide;
    if (paired_) return machine_.tiles.rows_paired;
    return fuses_ ? machine_.tiles.rows_fused : machine_.tiles.rows;
  }

  // Whether a tile has the columns of several panels. Few rows share fewer sets of the first cache
  // where they are long: a multiple of 2 KiB apart, five of them took twice as long as two.
  bool IsWide(const Border& border) const {
    return lane_ && HasWholePanels(kWidePanels) && MakesPairs(border);
  }

  bool HasWholePanels(int64_t panels) const {
    return lane_->extent.IsConstant() &&
           lane_->extent.value() % (panels * Machine::kPanelWidth) == 0;
  }

  // How many panels a tile may have, best first. Several at once where there are no rows to share
  // one.
  std::vector<int64_t> PanelsOf(const RowTile& tile) const {
    if (!tile.loop) {
      double extent = view_.Estimate(lane_->extent);
      int64_t panels = machine_.tiles.panels;
      bool several =
          extent >= static_cast<double>(machine_.tiles.rounds * panels * Machine::kPanelWidth);
      return several ? std::vector{panels, panels / 2, int64_t{1}} : std::vector{int64_t{1}};
    }
    if (paired_) return {IsWide(tile.border) ? kWidePanels : 1};
    bool whole = tile.rows * kWidePanels <= MostRows() && HasWholePanels(kWidePanels);
    return whole ? std::vector{int64_t{1}, kWidePanels} : std::vector{int64_t{1}};
  }

  // Of a tile of one panel, whose sums fit into the registers of some machine.
  static int64_t MostRows() { return kMostSums / Machine::kPanelVectors; }

  // A size that is known only when the model runs may be 1, a batch for instance: its loop is cut
  // if there is no other. The loop that is fastest in memory comes first, for all else may be
  // equal.
  std::vector<RowTile> RowTiles() {
    bool any_fixed = std::ranges::any_of(rows_, IsFixed);
    std::vector<RowTile> tiles;
    for (size_t i = rows_.size(); i-- > 0;) {
      const NestLoop& loop = *rows_[i];
      if (any_fixed && !IsFixed(&loop)) continue;
      const int64_t phases = PhasesOf(loop);
      const Border border = phases > 1 ? Border{} : BorderToPeel(loop);
      const Tail tail = loop.extent.IsConstant() ? Tail::kShift : Tail::kPeel;
      AddTiles({.loop = &loop, .border = border, .tail = tail, .phases = phases}, tiles);
      bool apart = border.first + border.last > 0;
      if (i == 0 || apart || !BecomeOne(*rows_[i - 1], loop)) continue;
      flat_.push_back(AsOne(*rows_[i - 1], loop));
      AddTiles({.loop = &flat_.back(), .outer = rows_[i - 1], .inner = &loop}, tiles);
    }
    if (tiles.empty()) tiles.emplace_back();
    return tiles;
  }

  static bool IsFixed(const NestLoop* loop) {
    return loop->extent.IsConstant() && loop->extent.value() > 1;
  }

  // Loops directly inside each other, with one code for all iterations.
  bool BecomeOne(const NestLoop& outer, const NestLoop& inner) const {
    return IsFixed(&outer) && IsFixed(&inner) && &outer + 1 == &inner && PhasesOf(outer) == 1 &&
           PhasesOf(inner) == 1;
  }

  static NestLoop AsOne(const NestLoop& outer, const NestLoop& inner) {
    NestLoop one = inner;
    one.name = outer.name + "_" + inner.name;
    one.extent = outer.extent * inner.extent;
    return one;
  }

  // The tile with all numbers of rows.
  void AddTiles(RowTile tile, std::vector<RowTile>& tiles) const {
    const Dim& extent = tile.loop->extent;
    const double count = Count(*tile.loop), others = Product(rows_) / count;
    const auto apart = static_cast<double>(tile.border.first + tile.border.last);
    for (tile.rows = MostRows(); tile.rows >= 2; --tile.rows) {
      int64_t taken = tile.rows * tile.phases;
      if (extent.IsConstant() && extent.value() < taken) continue;
      if (tile.phases > 1 && extent.value() % taken != 0) continue;
      tile.tiles =
          (count / static_cast<double>(tile.phases) - apart) / static_cast<double>(tile.rows);
      if (extent.IsConstant()) tile.tiles = std::ceil(tile.tiles);
      tile.tiles *= others;
      tiles.push_back(tile);
    }
  }

  // Cycles of all products. Registers hold a tile's sums and the vectors of its panels; sums that
  // they have no room for go to memory and back.
  double Computed(const RowTile& tile, int64_t panels) {
    const double rows = static_cast<double>(tile.rows), across = static_cast<double>(panels);
    // Of integers the rows that fit are those of all panels.
    double fit = static_cast<double>(TileRows());
    if (!paired_) fit = (fit - across + 1) / across;
    double spilled = across * std::max(0.0, rows - fit);
    double step = across * (rows + machine_.tiles.overhead) + kSpilled * spilled;
    step += Addresses(tile);
    double count = std::ceil(view_.Estimate(lane_->extent) / Machine::kPanelWidth / across);
    return Product(batch_) * Product(columns_) * count * tile.tiles *
           Product(view_.ReductionLoops()) * step * Machine::kPanelVectors * kProduct;
  }

  // In rows, to find where each row is of a tile that goes on in the next row of an image.
  double Addresses(const RowTile& tile) {
    if (!tile.outer || view_.RunsOn(elements_, *tile.outer, *tile.inner)) return 0;
    const Loops sums = view_.ReductionLoops();
    return kAddress * static_cast<double>(tile.rows) / Count(*sums.back());
  }

  int64_t PhasesOf(const NestLoop& loop) const {
    int64_t phases = view_.PhasesOf(elements_, loop);
    bool splits = loop.extent.IsConstant() && loop.extent.value() % phases == 0 &&
                  phases <= machine_.tiles.phases;
    return splits ? phases : 1;
  }

  // Where a sum runs through a few elements only before a condition is looked at again, conditions
  // cost more than the ends of the loop do if these run apart.
  Border BorderToPeel(const NestLoop& loop) const {
    const int64_t few_terms = machine_.tiles.border_sum;
    const Dim innermost = sums_.empty() ? Dim(1) : sums_.back()->extent;
    bool few = innermost.IsConstant() && innermost.value() < few_terms && loop.extent.IsConstant();
    auto border = few ? view_.BorderOf(elements_, loop) : std::nullopt;
    bool small = border && (border->first + border->last) * few_terms <= loop.extent.value();
    return small ? *border : Border{};
  }

  // ---- The order

  // Cycles that a byte takes to come to where it is used, if what is read again and again has
  // `bytes`.
  double Distance(double bytes) const {
    const Machine::Caches& caches = machine_.caches;
    if (bytes <= caches.l1) return 0;
    if (bytes <= caches.l2) return caches.from_l2;
    return bytes <= caches.l3 ? caches.from_l3 : caches.from_memory;
  }

  // Bytes of a batch.
  struct Traffic {
    double vectors, elements, panels;
  };
  Traffic TrafficOfBatch() const {
    return {view_.Estimate(view_.Footprint(vectors_)) / Product(batch_),
            view_.Estimate(view_.Footprint(elements_)) / Product(batch_),
            std::max(1.0, view_.Estimate(lane_->extent) / Machine::kPanelWidth)};
  }

  // Cycles for the memory of a batch: panels are read anew for each iteration of the rows outside,
  // and rows for each panel.
  double Moved(const Traffic& traffic, const RowTile& tile, const Placement& placement) const {
    double weights = traffic.vectors, rows = traffic.elements, panels = traffic.panels;
    double outside = placement.iterations, tiles_inside = tile.tiles / outside;
    double slab = rows / outside, panel = weights / panels;
    double cost = weights * Distance(weights + slab) * (outside - 1);
    cost += rows * Distance(slab + panel) * (panels - 1);
    cost += weights * outside * Distance(panel + slab / tiles_inside) * (tiles_inside - 1) *
            machine_.caches.read_ahead;
    return cost;
  }

  // The tile's loop is the innermost of the rows.
  Loops RowsAround(const RowTile& tile) const {
    Loops rows = rows_;
    for (const NestLoop* loop : {tile.loop, tile.outer, tile.inner}) std::erase(rows, loop);
    if (tile.loop) rows.push_back(tile.loop);
    return rows;
  }

  std::vector<Placement> Placements(const RowTile& tile) const {
    std::vector<Placement> placements{{}};
    if (Widens(tile)) return placements;
    double outside = 1;
    const Loops rows = RowsAround(tile);
    for (size_t i = 0; i < rows.size(); ++i) {
      double extent = view_.Estimate(rows[i]->extent);
      int64_t apart = tile.border.first + tile.border.last;
      if (rows[i] == tile.loop) {
        extent = std::ceil((extent - static_cast<double>(apart)) / static_cast<double>(tile.rows));
        int64_t tiles = std::llround(extent);
        bool fixed = rows[i]->extent.IsConstant() && tile.phases == 1 && apart == 0;
        for (int64_t block = 2; fixed && block < tiles; ++block) {
          bool divides =
              tiles % block == 0 && tiles * tile.rows <= rows[i]->extent.value() + tile.rows - 1;
          if (divides)
            placements.push_back({i, block, outside * static_cast<double>(tiles / block)});
        }
      }
      outside *= extent;
      placements.push_back({i + 1, 0, outside});
    }
    return placements;
  }

  // ---- The schedule

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
    // Inside the sums: the tile.
    std::vector<std::string> tile;
    if (tile_.loop) tile.push_back(tile_.loop->name + (cut ? ".2" : ".1"));
    for (const std::string& name : lane_parts_) tile.push_back(name);
    FuseSums();
    LongestSumInside();
    std::vector<std::string> order = phases, sums = Names(sums_), pair = SplitPairs(sums);
    Append(order, outer);
    Append(order, sums);
    Append(order, tile);
    Append(order, pair);
    schedule_.push_back(Order{order});
    schedule_.push_back(Keep{outer.back(), view_.HasFunctions()});
    if (Widens(tile_)) StagePanel(sums);
    UnrollPhases(phases);
    Unroll(tile);
    schedule_.push_back(Bind{{tile.back()}, loop::LoopKind::kVector});
    if (!pair.empty()) schedule_.push_back(Dot{pair[0]});
    return schedule_;
  }

  // Whether a panel is made of what is stored, once for all rows.
  bool Widens(const RowTile& tile) const {
    return tile.tiles > 1 && (IsWidened() || MakesPairs(tile.border) || IsNarrow(tile.border));
  }

  // Whether elements of a few bits are cut out of words.
  bool IsWidened() const {
    return !sums_.empty() && view_.ElementsInWord(vectors_, *sums_.back()) > 1;
  }

  // Whether pairs to multiply are to be made of what is stored. Where iterations run apart, these
  // would need a panel of their own.
  bool MakesPairs(const Border& border) const {
    if (!paired_ || sums_.empty() || border.first + border.last > 0) return false;
    const NestLoop& sum = *sums_.back();
    bool even = sum.extent.IsConstant() && sum.extent.value() % 2 == 0;
    return even && !IsWidened() && view_.PhasesOf(elements_, sum) == 1 &&
           view_.IsMadeOfBytes(vectors_);
  }

  // Whether floats to multiply are stored as others, or as integers, of less than 32 bits.
  bool IsNarrow(const Border& border) const {
    return !paired_ && !sums_.empty() && border.first + border.last == 0 &&
           view_.IsNarrow(vectors_);
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

  // Integers are multiplied in pairs along the innermost of the sums.
  std::vector<std::string> SplitPairs(std::vector<std::string>& sums) {
    const NestLoop& loop = *sums_.back();
    bool has_pairs = paired_ && loop.extent.IsConstant() && loop.extent.value() >= 2;
    if (!has_pairs || IsWidened() || view_.PhasesOf(elements_, loop) > 1) return {};
    bool even = loop.extent.value() % 2 == 0;
    schedule_.push_back(Split{loop.name, {2}, even ? Tail::kGuard : Tail::kPeel});
    sums.back() = loop.name + ".0";
    return {loop.name + ".1"};
  }

  // ---- Both sides run along what is summed over

  bool FindSum() {
    for (const NestLoop* loop : view_.ReductionLoops()) {
      bool fits = view_.StrideOf(vectors_, *loop) == Stride::kOne &&
                  view_.StrideOf(elements_, *loop) == Stride::kOne &&
                  view_.Estimate(loop->extent) >= Machine::kLanes;
      if (fits) sum_ = loop;
    }
    return sum_ != nullptr;
  }

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

  static constexpr int64_t kWidePanels = 2;
  // Vectors of sums, on machines with 32 registers.
  static constexpr int64_t kMostSums = 24;
  // In rows, one that is not in registers; cycles of a vector's product.
  static constexpr double kSpilled = 3, kProduct = 0.5;
  // In rows, an address and the conditions that decide about it.
  static constexpr double kAddress = 0.5;

  NestView& view_;
  const Machine& machine_;
  const bool paired_;
  const bool fuses_;
  loop::ExprId vectors_, elements_;
  const NestLoop *lane_ = nullptr, *sum_ = nullptr;
  Loops batch_, rows_, columns_, sums_;
  std::list<NestLoop> flat_;  // of rows
  NestLoop fused_;            // of sums
  RowTile tile_;
  std::vector<std::string> lane_parts_;
  Schedule schedule_;
};

}  // namespace

constinit const Rule kCpuContraction = RuleOf<CpuContraction>();

}  // namespace webnnc::schedule
