#pragma once

#include <map>
#include <optional>
#include <vector>

#include "loop/passes/simplify.h"

namespace webnnc::schedule {

// The places in a buffer that a thread's loads or stores have, as a function of its number.
struct ThreadPlaces {
  // Of a dimension: what the number contributes, and, by coefficient, loops inside of the region:
  // 3*(t floordiv 8) + i, for i in 3.
  struct Dimension {
    loop::Polynomial thread;
    std::map<int64_t, int64_t> loops;
    friend bool operator==(const Dimension&, const Dimension&) = default;
  };
  std::vector<Dimension> dimensions;
  // Whether it is proven that no other thread has any of them.
  bool are_own = false;

  friend bool operator==(const ThreadPlaces&, const ThreadPlaces&) = default;
};

// A loop over threads, and the loops inside of it that are around a load or a store.
struct Region {
  loop::VarId thread;
  int64_t threads = 1;
  std::map<loop::VarId, int64_t> loops;  // how far they run
};

class ThreadPlaceFinder {
 public:
  explicit ThreadPlaceFinder(loop::Kernel& kernel);

  // Nothing if the index depends on more than the region.
  std::optional<ThreadPlaces> Find(const loop::Index& index, const Region& region);

 private:
  bool AreOwn(const ThreadPlaces& places, int64_t threads) const;

  loop::Kernel& kernel_;
  loop::Simplifier simplify_;
  loop::VarId number_;  // the thread's, in all regions
};

}  // namespace webnnc::schedule
