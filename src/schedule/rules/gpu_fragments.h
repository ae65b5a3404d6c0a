// How a workgroup's tile of a product is shared among subgroups that multiply fragments of
// matrices, and what that costs.
#pragma once

#include <vector>

#include "schedule/rules/gpu_tiling.h"

namespace webnnc::schedule {

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

// Those that fit the machine, best first.
std::vector<FragmentTiling> FragmentTilings(const std::vector<ProductSize>& products,
                                            const Machine& machine);

}  // namespace webnnc::schedule
