// The tile of a workgroup and how its threads share it:
//
//   for m.0, n.0, batch   workgroups
//     for k.0             tiles of both operands go to workgroup memory, all threads together
//       for k.1, m.1, n.2, n.3   threads: slices of k, rows, vectors of columns
//         for k.2         four rows' worth of the left operand go to registers
//           for k.3 in 4, m.2, n.1, n.4 in 4    products, unrolled
//
// Names: m are the result's loops that only one operand (the left, here) depends on, n those that
// only the other depends on, the result's innermost loop among them. Loops of both are the batch.
#include <algorithm>
#include <cmath>

#include "schedule/rules/gpu.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes, kPanel = Machine::kPanelVectors;

// A candidate.
struct Tiling {
  int64_t m_threads, n_threads, slices;  // threads along m, n and k
  int64_t m_each, n_vectors;             // a thread's rows and vectors of columns
  int64_t depth;                         // of a slice's tile, along k

  int64_t threads() const { return m_threads * n_threads * slices; }
  int64_t m() const { return m_threads * m_each; }
  int64_t n() const { return n_threads * n_vectors * kLanes; }
  int64_t k() const { return slices * depth; }
};

struct Problem {
  double batch, m, n, k;
  double element_bytes;

  bool operator==(const Problem&) const = default;
};

int64_t PadOfRows(const Tiling& tiling, const Machine& machine) {
  return tiling.n_threads < machine.products.unpadded_vectors ? kLanes : 0;
}

int64_t WorkgroupBytes(const Tiling& tiling, double element_bytes, const Machine& machine) {
  int64_t left = tiling.m() * (tiling.k() + PadOfRows(tiling, machine)),
          right = tiling.k() * tiling.n();
  int64_t partial = tiling.slices > 1 ? tiling.slices * tiling.m() * tiling.n() : 0;
  return static_cast<int64_t>(static_cast<double>(left + right) * element_bytes) + partial * 4;
}

// Cycles that the product takes on the machine, roughly.
double Cost(const Problem& problem, const Tiling& t, const Machine& machine) {
  const Machine::Products& cost = machine.products;
  auto real = [](int64_t value) { return static_cast<double>(value); };

  double groups =
      std::ceil(problem.m / real(t.m())) * std::ceil(problem.n / real(t.n())) * problem.batch;
  double warps = std::ceil(real(t.threads()) / cost.warp);
  double steps = std::ceil(problem.k / real(t.k())), own_k = steps * real(t.depth);
  double products = real(t.m_each * t.n_vectors * kLanes);
  double loads = real(t.m_each) * cost.row_load + real(t.n_vectors * kLanes) * cost.column_load;
  double elements = steps * real(t.k() * (t.m() + t.n()));
  double combine =
      t.slices > 1 ? cost.combine + real(t.slices * t.m() * t.n()) * cost.combine_element : 0;
  // A core's time for a workgroup among others.
  double busy = warps * own_k * (products / cost.issued_at_once + loads) +
                elements / kLanes / real(t.threads()) * warps * cost.fill +
                elements * problem.element_bytes / cost.bytes_a_cycle + steps * cost.barriers +
                combine;
  // A workgroup's time if it had the core to itself.
  double alone = steps * (cost.memory_latency + real(t.depth) * (products * cost.product + loads)) +
                 combine + cost.start;
  double a_core = std::ceil(groups / real(machine.cores));
  double resident = std::max(1.0, std::floor(real(machine.threads_per_core) / real(t.threads())));
  return std::max(a_core * busy, std::ceil(a_core / resident) * alone);
}

// What fits the device and is not much larger than the problem.
std::vector<Tiling> Allowed(const Problem& problem, const Machine& machine) {
  std::vector<Tiling> found;
  const Machine::Products& cost = machine.products;
  auto fits = [&](int64_t tile, double extent) {
    return tile == 1 || static_cast<double>(tile) < cost.oversize * extent;
  };
  for (int64_t m_each : {1, 2, 4, 8}) {
    for (int64_t n_vectors : {1, 2}) {
      for (int64_t m_threads : {1, 2, 4, 8, 16, 32}) {
        for (int64_t n_threads : {2, 4, 8, 16, 32}) {
          for (int64_t slices : {1, 2, 4, 8, 16}) {
            for (int64_t depth : {4, 8, 16, 32}) {
              Tiling t{m_threads, n_threads, slices, m_each, n_vectors, depth};
              bool allowed =
                  t.threads() >= cost.fewest_threads && t.threads() <= machine.max_threads &&
                  WorkgroupBytes(t, problem.element_bytes, machine) <= machine.workgroup_bytes &&
                  fits(t.m(), problem.m) &&
                  (t.n() <= Machine::kPanelWidth || fits(t.n(), problem.n)) &&
                  fits(t.k(), problem.k);
              if (allowed) found.push_back(t);
            }
          }
        }
      }
    }
  }
  return found;
}

// Best first. With several problems, which have the same loops, what is best for all: where one is
// a little slower and another much faster, the latter counts.
std::vector<Tiling> Candidates(const std::vector<Problem>& problems, const Machine& machine) {
  std::vector<Tiling> allowed = Allowed(problems.back(), machine);
  std::vector<std::pair<double, Tiling>> found;
  for (const Tiling& tiling : allowed) found.push_back({0, tiling});
  for (const Problem& problem : problems) {
    std::vector<double> costs;
    for (const Tiling& tiling : allowed) costs.push_back(Cost(problem, tiling, machine));
    double lowest = costs.empty() ? 0 : *std::min_element(costs.begin(), costs.end());
    for (size_t i = 0; i < costs.size(); ++i) found[i].first += costs[i] / lowest;
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Tiling> best;
  for (const auto& [cost, tiling] : found) best.push_back(tiling);
  return best;
}

class ContractionRule {
 public:
  ContractionRule(NestView& view, const Target& target)
      : view_(view), machine_(*target.machine), half_(target.Has(Feature::kF16)) {}

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
      Grow(rows == columns ? &Problem::batch : rows ? &Problem::m : &Problem::n, loop->extent);
      names.push_back(loop->name);
      if (names.size() > 1 && &names == &n_) n_is_one_ = false;
    }
    for (const NestLoop* loop : view_.ReductionLoops()) {
      k_.push_back(loop->name);
      Grow(&Problem::k, loop->extent);
    }
    n_loop_ = &innermost;
    widened_ = half_ && IsHalf(rows_) && IsHalf(columns_);
    if (widened_) {
      for (Problem& problem : problems_) problem.element_bytes = 2;
    }
    // Sizes that are not open make one problem of the three.
    if (problems_[0] == problems_[2]) problems_.resize(1);
    return !m_.empty() && !k_.empty();
  }

  std::vector<Schedule> Run() {
    std::vector<Schedule> schedules;
    // The first fits but for kernels whose registers or tiles come out larger than they seem here.
    constexpr size_t kMost = 4;
    for (const Tiling& tiling : Candidates(problems_, machine_)) {
      schedules.push_back(Write(tiling));
      if (schedules.size() == kMost) break;
    }
    return schedules;
  }

 private:
  void Grow(double Problem::* side, const Dim& extent) {
    const LikelySizes& sizes = view_.sizes();
    double extents[] = {sizes.Low(extent), sizes.Typical(extent), sizes.High(extent)};
    for (size_t i = 0; i < problems_.size(); ++i) problems_[i].*side *= std::max(1.0, extents[i]);
  }

  // The loop along k that tiles are cut from; loops before it run around the tiles. Short ones are
  // made one first.
  std::string TileLoop(ScheduleBuilder& build, const Tiling& tiling, Names& around) {
    const auto& last = build.Find(k_.back());
    if (k_.size() == 1 || view_.Estimate(last.extent) >= static_cast<double>(tiling.k())) {
      around.assign(k_.begin(), k_.end() - 1);
      return k_.back();
    }
    return build.Fuse(k_, "k");
  }

  Schedule Write(const Tiling& t) {
    ScheduleBuilder build(view_.loops());
    Names around;
    std::string k = TileLoop(build, t, around);
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
    StageColumns(build, ks, ns);
    build.Bind({ks[3], ms[2], ns[1]}, LoopKind::kUnrolled);
    bool whole = n_is_one_ && KnownDivisor(n_loop_->extent) % kLanes == 0;
    build.Bind({ns[4]}, whole ? LoopKind::kVector : LoopKind::kUnrolled);
    return build.Take();
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

  void StageColumns(ScheduleBuilder& build, const Names& ks, const Names& ns) {
    Stage tile{ColumnsOperand(),
               ks[0],
               loop::Space::kWorkgroup,
               {ks[1], ks[2], ks[3], ns[1], ns[2], ns[3], ns[4]}};
    tile.row = 4;
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
  const Machine& machine_;
  const bool half_;
  bool swapped_ = false, n_is_one_ = true, widened_ = false;
  loop::ExprId rows_, columns_;
  const NestLoop* n_loop_ = nullptr;
  Names batch_, m_, n_, k_;
  // For the sizes that are likely least, typical, and likely most.
  std::vector<Problem> problems_{3, Problem{1, 1, 1, 1, 4}};
};

}  // namespace

std::vector<Schedule> GpuContraction(NestView& view, const Target& target) {
  ContractionRule rule(view, target);
  if (!rule.FindLoops()) return GpuReduction(view, *target.machine);
  std::vector<Schedule> schedules = rule.Run();
  for (Schedule& other : GpuReduction(view, *target.machine)) schedules.push_back(std::move(other));
  return schedules;
}

}  // namespace webnnc::schedule
