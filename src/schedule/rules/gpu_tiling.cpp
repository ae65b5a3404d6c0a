#include "schedule/rules/gpu_tiling.h"

#include <algorithm>
#include <cmath>

namespace webnnc::schedule {

namespace {

constexpr int64_t kLanes = Machine::kLanes;

double Real(int64_t value) { return static_cast<double>(value); }

int64_t WorkgroupBytes(const Tiling& tiling, const Machine& machine) {
  int64_t pad = PadOfRows(tiling, machine);
  int64_t left = tiling.along_m ? tiling.k() * (tiling.m() + pad) : tiling.m() * (tiling.k() + pad),
          right = tiling.k() * tiling.n();
  int64_t partial = tiling.slices > 1 ? tiling.slices * tiling.m() * tiling.n() : 0;
  // Tiles have what is multiplied, which is widened when they are filled.
  return (left + right + partial) * 4;
}

// What fits the device and is not much larger than the problem.
std::vector<Tiling> Allowed(const ProductSize& problem, const Machine& machine) {
  std::vector<Tiling> found;
  const Machine::Products& cost = machine.products;
  auto fits = [&](int64_t tile, double extent) {
    return tile == 1 || Real(tile) < cost.oversize * extent;
  };
  auto is_allowed = [&](const Tiling& t) {
    bool is_whole = !t.along_m || (t.m_each % kLanes == 0 && t.depth <= cost.most_unrolled);
    return is_whole && t.threads() >= cost.fewest_threads &&
           WorkgroupBytes(t, machine) <= machine.workgroup_bytes && fits(t.k(), problem.k);
  };
  // What is not allowed whatever the others are is left out as soon as that is known: there are
  // tens of thousands of combinations.
  auto for_rest = [&](Tiling t) {
    for (int64_t slices : {1, 2, 4, 8, 16}) {
      t.slices = slices;
      if (t.threads() > machine.max_threads) break;
      for (int64_t depth : {4, 8, 16, 32}) {
        for (bool ahead : {false, true}) {
          for (bool along_m : {false, true}) {
            t.depth = depth;
            t.ahead = ahead;
            t.along_m = along_m;
            if (is_allowed(t)) found.push_back(t);
          }
        }
      }
    }
  };
  for (int64_t m_each : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16}) {
    for (int64_t n_vectors : {1, 2, 4}) {
      if (m_each * n_vectors > cost.most_vectors) continue;
      for (int64_t m_threads : {1, 2, 4, 8, 16, 32}) {
        Tiling t{.m_threads = m_threads, .m_each = m_each, .n_vectors = n_vectors};
        if (!fits(t.m(), problem.m)) continue;
        for (int64_t n_threads : {2, 4, 8, 16, 32}) {
          t.n_threads = n_threads;
          if (t.n() <= Machine::kPanelWidth || fits(t.n(), problem.n)) for_rest(t);
        }
      }
    }
  }
  return found;
}

// Of a workgroup that computes one tile of a product.
GroupCycles CyclesOf(const ProductSize& problem, const Tiling& t, const Machine& machine) {
  const Machine::Products& cost = machine.products;
  const double threads = Real(t.threads()), warps = std::ceil(threads / cost.warp);
  const double steps = std::ceil(problem.k / Real(t.k())), depth = Real(t.depth);
  const double products = Real(t.m_each * t.n_vectors * kLanes);
  // Threads of a warp lie along n first. What several of them read is read once.
  double columns = std::min(cost.warp, Real(t.n_threads));
  double loads = Real(t.n_vectors * kLanes) * columns *
                 (t.along_m ? cost.column_spread_along_m : cost.column_spread);
  double issue = products / (t.along_m ? cost.issued_along_m : cost.issued_at_once);
  double tiles = Real(t.k()) * (Real(t.m()) * problem.row_loads + Real(t.n()));
  double operations = Real(t.k() * t.m()) * problem.row_operations;
  double compute = operations / cost.warp / cost.issued_at_once;
  double fill = (t.ahead ? cost.fill_ahead : cost.fill) * (t.along_m ? cost.fill_along_m : 1) *
                problem.in_word * warps / threads / kLanes;
  double combine = t.slices > 1 ? Real(t.slices * t.m() * t.n()) * cost.combine_element : 0;

  double rows = t.along_m ? Real(t.m_each) / kLanes : Real(t.m_each);
  double registers =
      products + kLanes * (rows + Real(t.n_vectors)) + (t.ahead ? tiles / threads : 0);
  double room = std::min(Real(machine.threads_per_core), cost.registers / registers);
  return {
      warps * steps * depth * std::max(issue, loads) + steps * (tiles * fill + compute) + combine,
      steps * ((t.ahead ? cost.latency_ahead : cost.memory_latency) +
               depth * (products * cost.product + loads) + operations / threads * cost.product) +
          combine + cost.start,
      std::max(1.0, std::floor(room / threads))};
}

}  // namespace

int64_t PadOfRows(const Tiling& tiling, const Machine& machine) {
  return tiling.along_m || tiling.n_threads < machine.products.unpadded_vectors ? kLanes : 0;
}

double Seconds(const ProductSize& problem, const Tiling& t, const Machine& machine) {
  const Machine::Products& cost = machine.products;
  const GroupCycles group = CyclesOf(problem, t, machine);
  double groups =
      std::ceil(problem.m / Real(t.m())) * std::ceil(problem.n / Real(t.n())) * problem.batch;
  double a_core = std::ceil(groups / Real(machine.cores));
  double warps = std::min(a_core, group.resident) * std::ceil(Real(t.threads()) / cost.warp);
  double idle = 1 + cost.idle_warps * std::max(0.0, cost.busy_warps / warps - 1);
  double cycles =
      std::max(a_core * group.busy * idle, std::ceil(a_core / group.resident) * group.alone);
  return cycles / machine.clock;
}

std::vector<RankedTiling> RankTilings(const std::vector<ProductSize>& products,
                                      const Machine& machine) {
  std::vector<RankedTiling> ranked;
  for (const Tiling& tiling : Allowed(products.back(), machine)) ranked.push_back({tiling});
  // Each product counts as much as the others, however long it takes.
  std::vector<double> cost(ranked.size());
  for (const ProductSize& product : products) {
    std::vector<double> own;
    for (const RankedTiling& each : ranked) own.push_back(Seconds(product, each.tiling, machine));
    double least = own.empty() ? 0 : *std::min_element(own.begin(), own.end());
    for (size_t i = 0; i < own.size(); ++i) {
      cost[i] += own[i] / least;
      ranked[i].seconds += own[i];
    }
  }
  std::vector<size_t> order(ranked.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return cost[a] < cost[b]; });
  std::vector<RankedTiling> sorted;
  for (size_t i : order) sorted.push_back(ranked[i]);
  return sorted;
}

}  // namespace webnnc::schedule
