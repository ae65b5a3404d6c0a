// What the sizes that a model leaves open are likely to be in its runs. Choices that make a model
// fast or slow are made for these; a run may have others, and its results are as right.
#pragma once

#include <string>

#include "tensor/dim.h"

namespace webnnc {

// What a size is taken for of which nothing was said. Rather than small loops around long ones,
// such sizes are loops around short ones; a loop that counts as a row is taken for longer.
inline constexpr int64_t kUnknownSize = 16;
inline constexpr double kOpenLength = 128;

struct LikelySize {
  int64_t low = kUnknownSize, typical = kUnknownSize, high = kUnknownSize;
};

class LikelySizes {
 public:
  void Set(const std::string& symbol, const LikelySize& size);

  // What a size is likely to be, and the least and the most of it.
  double Typical(const Dim& dim) const;
  double Low(const Dim& dim) const;
  double High(const Dim& dim) const;

  // Of each symbol that something was said of: for what depends on sizes and is to be shown.
  const SymbolValues& typical() const { return typical_; }
  bool empty() const { return typical_.empty(); }
  // "batch = 1, height = 128"
  std::string Print() const;

 private:
  SymbolValues low_, typical_, high_;
};

}  // namespace webnnc
