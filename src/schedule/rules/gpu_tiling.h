// How a workgroup's tile of a product is shared among its threads, and what that costs.
#pragma once

#include <vector>

#include "target/machine.h"

namespace webnnc::schedule {

// A point of the space that gpu_contraction.cpp writes schedules for.
struct Tiling {
  int64_t m_threads = 1, n_threads = 1, slices = 1;  // threads along m, n and k
  int64_t m_each = 1, n_vectors = 1;                 // a thread's rows and vectors of columns
  int64_t depth = 4;                                 // of a slice's tile, along k
  // The next tiles are loaded while these are used.
  bool ahead = false;
  // A thread's rows are vectors that lie along m in the left tile, and products of all of k in it
  // are unrolled; else they lie along k.
  bool along_m = false;

  int64_t threads() const { return m_threads * n_threads * slices; }
  int64_t m() const { return m_threads * m_each; }
  int64_t n() const { return n_threads * n_vectors * Machine::kLanes; }
  int64_t k() const { return slices * depth; }
};

// A product of [batch, m, k] and [batch, k, n].
struct ProductSize {
  double batch = 1, m = 1, n = 1, k = 1;
  double element_bytes = 4;
  // Elements that each of a tile is made of.
  double in_word = 1;
  // What an element of the rows is made of when a tile is filled: elements that are read, and
  // operations on them.
  double row_loads = 1, row_operations = 0;

  bool operator==(const ProductSize&) const = default;
};

// Elements that rows of the left tile (columns, if vectors lie along m) are padded by, so that
// threads beside each other read from, or write to, different banks.
int64_t PadOfRows(const Tiling& tiling, const Machine& machine);

// What one workgroup takes, in cycles of its core.
struct GroupCycles {
  // Its share of what the core issues and moves, and the time that it takes at the least.
  double busy, alone;
  // How many a core has room for.
  double resident;
};

// Seconds that the product takes on the machine, roughly.
double Seconds(const ProductSize& product, const Tiling& tiling, const Machine& machine);

struct RankedTiling {
  Tiling tiling;
  // Of all the products together.
  double seconds = 0;
};

// All tilings that fit the machine and are not much larger than the problem, best first. With
// several products, which have the same loops, what is best for all: where one is a little slower
// and another much faster, the latter counts.
std::vector<RankedTiling> RankTilings(const std::vector<ProductSize>& products,
                                      const Machine& machine);

}  // namespace webnnc::schedule
