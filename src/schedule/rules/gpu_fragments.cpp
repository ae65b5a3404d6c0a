#include "schedule/rules/gpu_fragments.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace webnnc::schedule {

namespace {

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

}  // namespace

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

}  // namespace webnnc::schedule
