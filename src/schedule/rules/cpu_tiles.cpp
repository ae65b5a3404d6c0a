#include "schedule/rules/cpu_tiles.h"

#include <cmath>

#include "schedule/bytes.h"
#include "target/caches.h"

namespace webnnc::schedule {

// In rows, one that is not in registers; cycles of a vector's product.
static constexpr double kSpilled = 3, kProduct = 0.5;
// Rows that a panel is transposed for.
static constexpr double kFewestTransposed = 16;
// In rows, an address and the conditions that decide about it.
static constexpr double kAddress = 0.5;

std::vector<ContractionTiles::Point> ContractionTiles::Space() {
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

double ContractionTiles::Product(const Loops& loops) const {
  double product = 1;
  for (const NestLoop* loop : loops) product *= Count(*loop);
  return product;
}

bool ContractionTiles::FindSides() {
  for (bool stored : {true, false}) {
    if (FindLanes(view_.right(), view_.left(), stored) ||
        FindLanes(view_.left(), view_.right(), stored))
      return true;
  }
  vectors_ = view_.right();
  elements_ = view_.left();
  if (!FindSum()) return false;
  if (!FindTransposed(vectors_, elements_)) FindTransposed(elements_, vectors_);
  return true;
}

bool ContractionTiles::FindTransposed(loop::ExprId vectors, loop::ExprId elements) {
  double panel = Machine::kPanelWidth * static_cast<double>(ByteSize(DType::kF32)), rows = 1;
  for (const NestLoop* loop : view_.ReductionLoops()) {
    if (!loop->extent.IsConstant()) return false;
    panel *= static_cast<double>(loop->extent.value());
  }
  const NestLoop* lane = nullptr;
  for (const NestLoop* loop : view_.SpatialLoops()) {
    if (!view_.DependsOn(vectors, *loop)) {
      rows *= Count(*loop);
    } else if (!view_.DependsOn(elements, *loop) && view_.StoreStride(*loop) == Stride::kOne) {
      lane = loop;
    }
  }
  bool pays = lane && view_.Estimate(lane->extent) >= Machine::kPanelWidth &&
              rows >= kFewestTransposed && panel <= machine_.caches.l1 / 2;
  if (paired_ || !pays) return false;
  lane_ = lane;
  vectors_ = vectors;
  elements_ = elements;
  return transposes_ = true;
}

bool ContractionTiles::FindLanes(loop::ExprId vectors, loop::ExprId elements, bool stored) {
  Loops spatial = view_.SpatialLoops();
  for (size_t i = spatial.size(); i-- > 0;) {
    const NestLoop& loop = *spatial[i];
    bool fits = view_.StrideOf(vectors, loop) == Stride::kOne && !view_.DependsOn(elements, loop) &&
                (!stored || view_.StoreStride(loop) == Stride::kOne) &&
                view_.Estimate(loop.extent) >= 2;
    if (!fits) continue;
    lane_ = &loop;
    vectors_ = vectors;
    elements_ = elements;
    return true;
  }
  return false;
}

void ContractionTiles::SortLoops() {
  for (const NestLoop* loop : view_.SpatialLoops()) {
    if (loop == lane_) continue;
    bool in_vectors = view_.DependsOn(vectors_, *loop),
         in_elements = view_.DependsOn(elements_, *loop);
    (in_vectors && in_elements ? batch_ : in_vectors ? columns_ : rows_).push_back(loop);
  }
  sums_ = view_.ReductionLoops();
}

int64_t ContractionTiles::TileRows() const {
  if (IsWide({})) return machine_.tiles.rows_wide;
  if (paired_) return machine_.tiles.rows_paired;
  return fuses_ ? machine_.tiles.rows_fused : machine_.tiles.rows;
}

bool ContractionTiles::IsWide(const Border& border) const {
  return lane_ && HasWholePanels(kWidePanels) && MakesPairs(border);
}

bool ContractionTiles::HasWholePanels(int64_t panels) const {
  return lane_->extent.IsConstant() && lane_->extent.value() % (panels * Machine::kPanelWidth) == 0;
}

std::vector<int64_t> ContractionTiles::PanelsOf(const RowTile& tile) const {
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

std::vector<RowTile> ContractionTiles::RowTiles() {
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

bool ContractionTiles::IsFixed(const NestLoop* loop) {
  return loop->extent.IsConstant() && loop->extent.value() > 1;
}

bool ContractionTiles::BecomeOne(const NestLoop& outer, const NestLoop& inner) const {
  return IsFixed(&outer) && IsFixed(&inner) && &outer + 1 == &inner && PhasesOf(outer) == 1 &&
         PhasesOf(inner) == 1;
}

NestLoop ContractionTiles::AsOne(const NestLoop& outer, const NestLoop& inner) {
  NestLoop one = inner;
  one.name = outer.name + "_" + inner.name;
  one.extent = outer.extent * inner.extent;
  return one;
}

void ContractionTiles::AddTiles(RowTile tile, std::vector<RowTile>& tiles) const {
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

double ContractionTiles::Computed(const RowTile& tile, int64_t panels) {
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

double ContractionTiles::Addresses(const RowTile& tile) {
  if (!tile.outer || view_.RunsOn(elements_, *tile.outer, *tile.inner)) return 0;
  const Loops sums = view_.ReductionLoops();
  return kAddress * static_cast<double>(tile.rows) / Count(*sums.back());
}

int64_t ContractionTiles::PhasesOf(const NestLoop& loop) const {
  int64_t phases = view_.PhasesOf(elements_, loop);
  bool splits = loop.extent.IsConstant() && loop.extent.value() % phases == 0 &&
                phases <= machine_.tiles.phases;
  return splits ? phases : 1;
}

Border ContractionTiles::BorderToPeel(const NestLoop& loop) const {
  const int64_t few_terms = machine_.tiles.border_sum;
  const Dim innermost = sums_.empty() ? Dim(1) : sums_.back()->extent;
  bool few = innermost.IsConstant() && innermost.value() < few_terms && loop.extent.IsConstant();
  auto border = few ? view_.BorderOf(elements_, loop) : std::nullopt;
  bool small = border && (border->first + border->last) * few_terms <= loop.extent.value();
  return small ? *border : Border{};
}

ContractionTiles::Traffic ContractionTiles::TrafficOfBatch() const {
  return {view_.Estimate(view_.Footprint(vectors_)) / Product(batch_),
          view_.Estimate(view_.Footprint(elements_)) / Product(batch_),
          std::max(1.0, view_.Estimate(lane_->extent) / Machine::kPanelWidth)};
}

double ContractionTiles::Moved(const Traffic& traffic, const RowTile& tile,
                               const Placement& placement) const {
  double weights = traffic.vectors, rows = traffic.elements, panels = traffic.panels;
  double outside = placement.iterations, tiles_inside = tile.tiles / outside;
  double slab = rows / outside, panel = weights / panels;
  double cost = weights * CyclesAByte(machine_.caches, weights + slab) * (outside - 1);
  cost += rows * CyclesAByte(machine_.caches, slab + panel) * (panels - 1);
  cost += weights * outside * CyclesAByte(machine_.caches, panel + slab / tiles_inside) *
          (tiles_inside - 1) * machine_.caches.read_ahead;
  return cost;
}

ContractionTiles::Loops ContractionTiles::RowsAround(const RowTile& tile) const {
  Loops rows = rows_;
  for (const NestLoop* loop : {tile.loop, tile.outer, tile.inner}) std::erase(rows, loop);
  if (tile.loop) rows.push_back(tile.loop);
  return rows;
}

std::vector<Placement> ContractionTiles::Placements(const RowTile& tile) const {
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
        if (divides) placements.push_back({i, block, outside * static_cast<double>(tiles / block)});
      }
    }
    outside *= extent;
    placements.push_back({i + 1, 0, outside});
  }
  return placements;
}

bool ContractionTiles::Widens(const RowTile& tile) const {
  return transposes_ ||
         (tile.tiles > 1 && (IsWidened() || MakesPairs(tile.border) || IsNarrow(tile.border)));
}

bool ContractionTiles::IsWidened() const {
  return !sums_.empty() && view_.ElementsInWord(vectors_, *sums_.back()) > 1;
}

bool ContractionTiles::MakesPairs(const Border& border) const {
  if (!paired_ || sums_.empty() || border.first + border.last > 0) return false;
  const NestLoop& sum = *sums_.back();
  bool even = sum.extent.IsConstant() && sum.extent.value() % 2 == 0;
  return even && !IsWidened() && view_.PhasesOf(elements_, sum) == 1 &&
         view_.IsMadeOfBytes(vectors_);
}

bool ContractionTiles::SumsBytes(const RowTile& tile) const {
  return tile.tiles > 1 && MakesPairs(tile.border) &&
         sums_.back()->extent.value() % kBytesInWord == 0 && view_.TakesEither(elements_) &&
         view_.IsSignedByte(vectors_);
}

bool ContractionTiles::IsNarrow(const Border& border) const {
  return !paired_ && !sums_.empty() && border.first + border.last == 0 && view_.IsNarrow(vectors_);
}

bool ContractionTiles::FindSum() {
  for (const NestLoop* loop : view_.ReductionLoops()) {
    bool fits = view_.StrideOf(vectors_, *loop) == Stride::kOne &&
                view_.StrideOf(elements_, *loop) == Stride::kOne &&
                view_.Estimate(loop->extent) >= Machine::kLanes;
    if (fits) sum_ = loop;
  }
  return sum_ != nullptr;
}

}  // namespace webnnc::schedule
