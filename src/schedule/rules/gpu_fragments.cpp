// Products of f16 on subgroups that multiply fragments of matrices, which have tiles of a
// workgroup's in the place of threads:
//
//   for m.0, n.0, batch, k.0
//     for m.1, n.1        subgroups
//       for k.1, m.2, n.2   fragments, unrolled
#include <algorithm>
#include <cmath>
#include <utility>

#include "schedule/rules/gpu_product.h"
#include "schedule/rules/rules.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

struct FragmentTiling {
  int64_t m_subgroups = 1, n_subgroups = 1;  // along m and n
  int64_t m_each = 1, n_each = 1,
          k_each = 1;  // a subgroup's fragments, and those of a tile along k
  // Of all products together.
  double seconds = 0;

  int64_t m() const { return m_subgroups * m_each * Machine::kFragment; }
  int64_t n() const { return n_subgroups * n_each * Machine::kFragment; }
  int64_t k() const { return k_each * Machine::kFragment; }
  int64_t subgroups() const { return m_subgroups * n_subgroups; }
  int64_t threads() const { return subgroups() * Machine::kFragmentThreads; }
};

double Real(int64_t value) { return static_cast<double>(value); }

int64_t WorkgroupBytes(const FragmentTiling& t, const Machine& machine) {
  constexpr int64_t kHalf = 2, kSum = 4;
  int64_t tiles = (t.m() + t.n()) * (t.k() + machine.fragments.pad);
  int64_t moved = t.subgroups() * Machine::kFragment * Machine::kFragment;
  return tiles * kHalf + moved * kSum;
}

double Seconds(const ProductSize& problem, const FragmentTiling& t, const Machine& machine) {
  const Machine::Fragments& cost = machine.fragments;
  double groups =
      std::ceil(problem.m / Real(t.m())) * std::ceil(problem.n / Real(t.n())) * problem.batch;
  double a_core = std::ceil(groups / Real(machine.cores));
  double steps = std::ceil(problem.k / Real(t.k()));
  double sums = Real(t.m_each * t.n_each), operands = Real(t.m_each + t.n_each),
         depth = Real(t.k_each);

  double busy =
      cost.step + Real(t.subgroups()) * depth * (operands * cost.load + sums * cost.product);
  double alone = cost.latency + depth * (cost.depth_latency + sums * cost.product_latency);
  double registers = sums * cost.sum + operands * cost.operand + cost.other_registers;
  double resident = std::max(1.0, std::floor(cost.registers / registers / Real(t.threads())));
  double cycles =
      std::max(a_core * busy * steps, std::ceil(a_core / resident) * (alone * steps + cost.start));
  return cycles / machine.clock;
}

// Those that fit the machine, best first.
std::vector<FragmentTiling> FragmentTilings(const std::vector<ProductSize>& products,
                                            const Machine& machine) {
  std::vector<FragmentTiling> found;
  auto add = [&](FragmentTiling t) {
    bool fits =
        t.threads() <= machine.max_threads && WorkgroupBytes(t, machine) <= machine.workgroup_bytes;
    if (!fits) return;
    for (const ProductSize& product : products) t.seconds += Seconds(product, t, machine);
    found.push_back(t);
  };
  for (int64_t m_subgroups : {1, 2, 4}) {
    for (int64_t n_subgroups : {1, 2, 4}) {
      for (int64_t m_each : {1, 2, 4}) {
        for (int64_t n_each : {1, 2, 4}) {
          for (int64_t k_each : {1, 2, 4}) add({m_subgroups, n_subgroups, m_each, n_each, k_each});
        }
      }
    }
  }
  // Of those that take the same, the one that reads least.
  auto order = [](const FragmentTiling& t) {
    return std::pair(t.seconds, 1 / Real(t.m()) + 1 / Real(t.n()));
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
  return found;
}

class GpuFragments {
 public:
  static constexpr std::string_view kName = "gpu_fragments";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kContraction};
  struct Point {
    FragmentTiling tiling;
    int64_t lanes;  // of the vectors that tiles are filled by
  };

  explicit GpuFragments(Problem& problem)
      : multiplies_(problem.target().Has(Feature::kMatrices)), product_(problem) {}

  bool Fits() { return multiplies_ && product_.IsValid() && product_.widened; }
  double Seconds(const Point& point) { return point.tiling.seconds; }

  // By words, and by what else there is where not all vectors are whole.
  std::vector<Point> Space() {
    std::vector<Point> space;
    for (const FragmentTiling& tiling : FragmentTilings(product_.sizes, product_.machine)) {
      for (int64_t lanes : {2 * Machine::kLanes, Machine::kLanes}) space.push_back({tiling, lanes});
    }
    return space;
  }

  Schedule Write(const Point& point) {
    const auto& [t, lanes] = point;
    ScheduleBuilder build(product_.view.loops());
    Names around;
    std::string k = product_.TileLoop(build, t.k(), around);
    std::string m = build.Fuse(product_.m, "m"), n = build.Fuse(product_.n, "n");
    std::string batch = product_.batch.empty() ? "" : build.Fuse(product_.batch, "b");
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
    StageTile(build, lanes, product_.RowsOperand(), ks[0], m_side, product_.Loop(product_.m.back()),
              depth);
    StageTile(build, lanes, product_.ColumnsOperand(), ks[0], n_side, *product_.innermost, depth);
    build.Bind({ks[1], ms[2], ns[2]}, LoopKind::kUnrolled);
    return build.Take();
  }

 private:
  // A tile lies as its operand does in memory: with what are neighbours there in its rows.
  void StageTile(ScheduleBuilder& build, int64_t lanes, Operand operand, const std::string& at,
                 const Names& side, const NestLoop& side_loop, const Names& depth) {
    loop::ExprId value = operand == product_.RowsOperand() ? product_.rows : product_.columns;
    const NestLoop& depth_loop = product_.Loop(product_.k.back());
    bool along_depth = product_.view.StrideOf(value, depth_loop) == Stride::kOne;
    const NestLoop& neighbours = along_depth ? depth_loop : side_loop;
    Stage tile{operand, at, loop::Space::kWorkgroup, along_depth ? side : depth};
    const Names& rows = along_depth ? depth : side;
    tile.layout.insert(tile.layout.end(), rows.begin(), rows.end());
    tile.row = static_cast<int64_t>(rows.size());
    tile.pad = product_.machine.fragments.pad;
    tile.ahead = true;
    bool packed = product_.view.IsPanelled(value, side_loop);
    bool whole = packed || (product_.view.StrideOf(value, neighbours) == Stride::kOne &&
                            KnownDivisor(neighbours.extent) % lanes == 0);
    if (whole) tile.lanes = lanes;
    // Panels have neighbours along the depth behind each other.
    if (packed) tile.fill = {side[0], side[1], depth[0], depth[1], side[2]};
    build.Add(tile);
  }

  const bool multiplies_;
  const GpuProduct product_;
};

}  // namespace

constinit const Rule kGpuFragments = RuleOf<GpuFragments>();

}  // namespace webnnc::schedule
