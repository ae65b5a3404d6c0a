// The tile of a workgroup and how its threads share it:
//
//   for m.0, n.0, batch   workgroups
//     for k.0             tiles of both operands go to workgroup memory, all threads together
//       for k.1, m.1, n.2, n.3   threads: slices of k, rows, vectors of columns
//         for k.2         four rows' worth of the left operand go to registers
//           for k.3 in 4, m.2, n.1, n.4 in 4    products, unrolled
// Where subgroups multiply fragments of matrices (f16), they have tiles of a workgroup's in the
// threads' place:
//
//   for m.0, n.0, batch, k.0
//     for m.1, n.1        subgroups
//       for k.1, m.2, n.2   fragments, unrolled
//
// Names: m are the result's loops that only one operand (the left, here) depends on, n those that
// only the other depends on, the result's innermost loop among them. Loops of both are the batch.
#include <algorithm>
#include <iterator>
#include <optional>

#include "schedule/rules/gpu.h"
#include "schedule/rules/gpu_fragments.h"
#include "schedule/rules/gpu_tiling.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes, kPanel = Machine::kPanelVectors;

class ContractionRule {
 public:
  ContractionRule(NestView& view, const Target& target)
      : view_(view),
        target_(target),
        machine_(*target.machine),
        half_(target.Has(Feature::kF16)),
        matrices_(target.Has(Feature::kMatrices)) {}

  // Whether the loops are what this rule is for.
  bool FindLoops() {
    std::vector<const NestLoop*> spatial = view_.SpatialLoops();
    if (spatial.empty() || !view_.is_product()) return false;
    const NestLoop& innermost = *spatial.back();
    bool in_left = view_.DependsOn(view_.left(), innermost),
         in_right = view_.DependsOn(view_.right(), innermost);
    if (in_left == in_right) return false;
    swapped_ = in_left;
    rows_ = swapped_ ? view_.right() : view_.left();
    columns_ = swapped_ ? view_.left() : view_.right();
    for (const NestLoop* loop : spatial) {
      bool rows = view_.DependsOn(rows_, *loop), columns = view_.DependsOn(columns_, *loop);
      Names& names = rows == columns ? batch_ : rows ? m_ : n_;
      Grow(rows == columns ? &ProductSize::batch
           : rows          ? &ProductSize::m
                           : &ProductSize::n,
           loop->extent);
      names.push_back(loop->name);
      if (names.size() > 1 && &names == &n_) n_is_one_ = false;
    }
    for (const NestLoop* loop : view_.ReductionLoops()) {
      k_.push_back(loop->name);
      Grow(&ProductSize::k, loop->extent);
    }
    n_loop_ = &innermost;
    widened_ = half_ && IsHalf(rows_) && IsHalf(columns_);
    if (widened_) {
      for (ProductSize& product : products_) product.element_bytes = 2;
    }
    // Sizes that are not open make one product of the three.
    if (products_[0] == products_[2]) products_.resize(1);
    return !m_.empty() && !k_.empty();
  }

  std::vector<Candidate> Run(const Sample& sample) {
    std::vector<Candidate> candidates;
    std::vector<RankedTiling> ranked = RankTilings(products_, machine_);
    for (size_t i : sample.Of(ranked.size()))
      candidates.push_back({Write(ranked[i].tiling), ranked[i].seconds});
    if (widened_ && matrices_) Add(Fragments(sample), candidates);
    if (std::optional<Candidate> few = FewRows())
      candidates.insert(candidates.begin(), std::move(*few));
    return candidates;
  }

 private:
  void Grow(double ProductSize::* side, const Dim& extent) {
    const LikelySizes& sizes = view_.sizes();
    double extents[] = {sizes.Low(extent), sizes.Typical(extent), sizes.High(extent)};
    for (size_t i = 0; i < products_.size(); ++i) products_[i].*side *= std::max(1.0, extents[i]);
  }

  // The loop along k that tiles are cut from; loops before it run around the tiles. Short ones are
  // made one first.
  std::string TileLoop(ScheduleBuilder& build, int64_t depth, Names& around) {
    const auto& last = build.Find(k_.back());
    if (k_.size() == 1 || view_.Estimate(last.extent) >= static_cast<double>(depth)) {
      around.assign(k_.begin(), k_.end() - 1);
      return k_.back();
    }
    return build.Fuse(k_, "k");
  }

  Schedule Write(const Tiling& t) {
    ScheduleBuilder build(view_.loops());
    Names around;
    std::string k = TileLoop(build, t.k(), around);
    std::string m = build.Fuse(m_, "m"), n = build.Fuse(n_, "n");
    std::string batch = batch_.empty() ? "" : build.Fuse(batch_, "b");
    Names ks = build.Split(k, {t.slices, t.depth / kLanes, kLanes});
    Names ms = build.Split(m, {t.m_threads, t.m_each});
    Names ns = build.Split(n, {t.n_vectors, t.n_threads / kPanel, kPanel, kLanes});

    Names order;
    if (!batch.empty()) order.push_back(batch);
    order.insert(order.end(), {ms[0], ns[0]});
    order.insert(order.end(), around.begin(), around.end());
    Names threads{ms[1], ns[2], ns[3]}, inside{ks[2], ks[3], ms[2], ns[1], ns[4]};
    Names& slices_in = t.slices > 1 ? threads : inside;
    slices_in.insert(slices_in.begin(), ks[1]);
    order.push_back(ks[0]);
    order.insert(order.end(), threads.begin(), threads.end());
    order.insert(order.end(), inside.begin(), inside.end());
    build.OrderFirst(order);
    if (!batch.empty()) build.Bind({batch}, LoopKind::kWorkgroupZ);
    build.Bind({ms[0]}, LoopKind::kWorkgroupY);
    build.Bind({ns[0]}, LoopKind::kWorkgroupX);
    build.Bind(threads, LoopKind::kThread);
    if (t.slices > 1) build.Combine(ks[1]);
    build.Keep(ns[0]);
    if (widened_) build.Add(Narrow{ks[0]});
    StageRows(build, t, ks, ms);
    StageColumns(build, t, ks, ns);
    build.Bind({ks[3], ms[2], ns[1]}, LoopKind::kUnrolled);
    bool whole = n_is_one_ && KnownDivisor(n_loop_->extent) % kLanes == 0;
    build.Bind({ns[4]}, whole ? LoopKind::kVector : LoopKind::kUnrolled);
    return build.Take();
  }

  // Where the best of `others` is better than that of `candidates`, they go first.
  static void Add(std::vector<Candidate> others, std::vector<Candidate>& candidates) {
    bool first =
        !others.empty() && (candidates.empty() || others[0].seconds < candidates[0].seconds);
    if (first) candidates.swap(others);
    std::move(others.begin(), others.end(), std::back_inserter(candidates));
  }

  std::vector<Candidate> Fragments(const Sample& sample) {
    std::vector<Candidate> candidates;
    std::vector<FragmentTiling> tilings = FragmentTilings(products_, machine_);
    // By words, and by what else there is where not all vectors are whole.
    for (int64_t lanes : {2 * kLanes, kLanes}) {
      for (size_t i : sample.Of(tilings.size()))
        candidates.push_back({WriteFragments(tilings[i], lanes), tilings[i].seconds});
    }
    return candidates;
  }

  // Columns are read once then, which is what takes the time: no tile reads less.
  std::optional<Candidate> FewRows() {
    Dim rows = 1;
    for (const std::string& name : m_) rows = rows * Original(name).extent;
    bool few = rows.IsConstant() && rows.value() <= machine_.threads.most_rows;
    if (!few || k_.size() > 1 || n_.size() > 1) return std::nullopt;
    double seconds = 0;
    for (const ProductSize& p : products_)
      seconds += p.batch * p.n * p.k * p.element_bytes / machine_.bandwidth;
    return Candidate{GpuFewRows(view_, target_, m_), seconds};
  }

  Schedule WriteFragments(const FragmentTiling& t, int64_t lanes) {
    ScheduleBuilder build(view_.loops());
    Names around;
    std::string k = TileLoop(build, t.k(), around);
    std::string m = build.Fuse(m_, "m"), n = build.Fuse(n_, "n");
    std::string batch = batch_.empty() ? "" : build.Fuse(batch_, "b");
    constexpr int64_t kSide = Machine::kFragment;
    Names ks = build.Split(k, {t.k_each, kSide});
    Names ms = build.Split(m, {t.m_subgroups, t.m_each, kSide});
    Names ns = build.Split(n, {t.n_subgroups, t.n_each, kSide});
    Names order;
    if (!batch.empty()) order.push_back(batch);
    order.insert(order.end(), {ms[0], ns[0]});
    order.insert(order.end(), around.begin(), around.end());
    order.insert(order.end(), {ks[0], ms[1], ns[1], ks[1], ms[2], ns[2], ms[3], ns[3], ks[2]});
    build.OrderFirst(order);
    if (!batch.empty()) build.Bind({batch}, LoopKind::kWorkgroupZ);
    build.Bind({ms[0]}, LoopKind::kWorkgroupY);
    build.Bind({ns[0]}, LoopKind::kWorkgroupX);
    build.Bind({ms[1], ns[1]}, LoopKind::kSubgroup);
    build.Bind({ms[3], ns[3], ks[2]}, LoopKind::kMatrix);
    build.Keep(ns[0]);
    Names m_side{ms[1], ms[2], ms[3]}, n_side{ns[1], ns[2], ns[3]}, depth{ks[1], ks[2]};
    StageFragments(build, lanes, RowsOperand(), ks[0], m_side, Original(m_.back()), depth);
    StageFragments(build, lanes, ColumnsOperand(), ks[0], n_side, *n_loop_, depth);
    build.Bind({ks[1], ms[2], ns[2]}, LoopKind::kUnrolled);
    return build.Take();
  }

  // A tile lies as its operand does in memory: with what are neighbours there in its rows.
  void StageFragments(ScheduleBuilder& build, int64_t lanes, Operand operand, const std::string& at,
                      const Names& side, const NestLoop& side_loop, const Names& depth) {
    loop::ExprId value = operand == RowsOperand() ? rows_ : columns_;
    const NestLoop& depth_loop = Original(k_.back());
    bool along_depth = view_.StrideOf(value, depth_loop) == Stride::kOne;
    const NestLoop& neighbours = along_depth ? depth_loop : side_loop;
    Stage tile{operand, at, loop::Space::kWorkgroup, along_depth ? side : depth};
    const Names& rows = along_depth ? depth : side;
    tile.layout.insert(tile.layout.end(), rows.begin(), rows.end());
    tile.row = static_cast<int64_t>(rows.size());
    tile.pad = machine_.fragments.pad;
    tile.ahead = true;
    bool packed = view_.IsPanelled(value, side_loop);
    bool whole = packed || (view_.StrideOf(value, neighbours) == Stride::kOne &&
                            KnownDivisor(neighbours.extent) % lanes == 0);
    if (whole) tile.lanes = lanes;
    // Panels have neighbours along the depth behind each other.
    if (packed) tile.fill = {side[0], side[1], depth[0], depth[1], side[2]};
    build.Add(tile);
  }

  // An element of f16 that is widened for the product.
  bool IsHalf(loop::ExprId side) const { return view_.WidenedFrom(side) == DType::kF16; }

  Operand RowsOperand() const { return swapped_ ? Operand::kRight : Operand::kLeft; }
  Operand ColumnsOperand() const { return swapped_ ? Operand::kLeft : Operand::kRight; }

  // The loop of the original nest by name.
  const NestLoop& Original(const std::string& name) const {
    for (const NestLoop& loop : view_.loops()) {
      if (loop.name == name) return loop;
    }
    CHECK(false);
  }

  // Rows lie along k, as in memory; a thread reads four of k at once.
  void StageRows(ScheduleBuilder& build, const Tiling& t, const Names& ks, const Names& ms) {
    const NestLoop& last = Original(k_.back());
    bool along_k =
        view_.StrideOf(rows_, last) == Stride::kOne && KnownDivisor(last.extent) % kLanes == 0;
    Stage tile{RowsOperand(), ks[0], loop::Space::kWorkgroup, {ms[1], ms[2], ks[1], ks[2], ks[3]}};
    tile.lanes = along_k ? kLanes : 1;
    tile.row = 3;
    tile.ahead = t.ahead;
    tile.pad = PadOfRows(t, machine_);
    // Where neighbours in memory are rows, threads that are neighbours take those.
    const NestLoop& row = Original(m_.back());
    if (!along_k && view_.StrideOf(rows_, row) == Stride::kOne)
      tile.fill = {ks[1], ks[2], ks[3], ms[1], ms[2]};
    build.Add(tile);
    Stage registers{RowsOperand(), ks[2], loop::Space::kRegister, {ms[2], ks[3]}};
    registers.lanes = kLanes;
    build.Add(registers);
  }

  void StageColumns(ScheduleBuilder& build, const Tiling& t, const Names& ks, const Names& ns) {
    Stage tile{ColumnsOperand(),
               ks[0],
               loop::Space::kWorkgroup,
               {ks[1], ks[2], ks[3], ns[1], ns[2], ns[3], ns[4]}};
    tile.row = 4;
    tile.ahead = t.ahead;
    bool panels = view_.IsPanelled(columns_, *n_loop_);
    bool along_n = view_.StrideOf(columns_, *n_loop_) == Stride::kOne;
    const NestLoop& last = Original(k_.back());
    bool whole = n_is_one_ && KnownDivisor(n_loop_->extent) % kLanes == 0;
    if (panels) {
      tile.lanes = kLanes;
      tile.fill = {ns[1], ns[2], ks[1], ks[2], ks[3], ns[3], ns[4]};
    } else if (along_n && whole) {
      tile.lanes = kLanes;
    } else if (!along_n && view_.StrideOf(columns_, last) == Stride::kOne) {
      tile.fill = {ns[1], ns[2], ns[3], ns[4], ks[1], ks[2], ks[3]};
    }
    build.Add(tile);
  }

  NestView& view_;
  const Target& target_;
  const Machine& machine_;
  const bool half_, matrices_;
  bool swapped_ = false, n_is_one_ = true, widened_ = false;
  loop::ExprId rows_, columns_;
  const NestLoop* n_loop_ = nullptr;
  Names batch_, m_, n_, k_;
  // For the sizes that are likely least, typical, and likely most.
  std::vector<ProductSize> products_{3, ProductSize{}};
};

}  // namespace

std::vector<Candidate> GpuContraction(NestView& view, const Target& target, const Sample& sample) {
  ContractionRule rule(view, target);
  std::vector<Candidate> candidates;
  if (rule.FindLoops()) candidates = rule.Run(sample);
  for (Schedule& other : GpuReduction(view, target)) candidates.push_back({std::move(other)});
  return candidates;
}

}  // namespace webnnc::schedule
