#include "tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "tensor/f16.h"

namespace webnnc {

namespace {

// The scales that are tried differ by so much, as many on each side.
constexpr double kStep = 0.0125;
constexpr int kSteps = 9;

class Quantizer {
 public:
  Quantizer(std::span<const float> x, const Groups& groups, DType to, bool half_scales)
      : x_(x),
        groups_(groups),
        low_(Lowest(to).AsReal()),
        high_(Highest(to).AsReal()),
        half_scales_(half_scales),
        integers(x.size()),
        scales(static_cast<size_t>(groups.count())) {}

  void QuantizeGroup(int64_t group) {
    std::vector<float> members;
    ForEachMember(group, [&](size_t at) { members.push_back(x_[at]); });
    auto scale = static_cast<float>(BestScale(members));
    if (half_scales_) scale = HalfToFloat(FloatToHalf(scale));
    scales[static_cast<size_t>(group)] = scale;
    if (scale == 0) return;
    ForEachMember(group,
                  [&](size_t at) { integers[at] = static_cast<int8_t>(Level(x_[at] / scale)); });
  }

 private:
  template <typename Visit>
  void ForEachMember(int64_t group, Visit visit) const {
    const auto& [outer, along, inner, tail, block] = groups_;
    const int64_t i = group % inner, in_row = group / inner;
    const int64_t first = in_row % groups_.blocks() * block, o = in_row / groups_.blocks();
    for (int64_t a = first; a < std::min(first + block, along); ++a) {
      for (int64_t t = 0; t < tail; ++t)
        visit(static_cast<size_t>(((o * along + a) * inner + i) * tail + t));
    }
  }

  double Level(double quotient) const { return std::clamp(std::nearbyint(quotient), low_, high_); }

  // The scale with the least square error. With q for x, sum (x - s q)^2 is least for s = xq / qq,
  // where it is xx - xq^2 / qq.
  double BestScale(const std::vector<float>& members) const {
    auto is_nearer = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const double farthest = *std::max_element(members.begin(), members.end(), is_nearer);
    double best = 0, most = 0;
    for (int step = -kSteps; step <= kSteps && farthest != 0; ++step) {
      const double inverse = low_ / farthest * (1 + step * kStep);
      double xq = 0, qq = 0;
      for (float x : members) {
        const double q = Level(x * inverse);
        xq += x * q;
        qq += q * q;
      }
      if (qq == 0 || xq * xq / qq <= most) continue;
      most = xq * xq / qq;
      best = xq / qq;
    }
    return best;
  }

  std::span<const float> x_;
  Groups groups_;
  double low_, high_;
  bool half_scales_;

 public:
  std::vector<int8_t> integers;
  std::vector<float> scales;
};

// Elements of a few bits, the first in the lowest of a byte.
TensorData Packed(const std::vector<int8_t>& integers, const TensorType& type) {
  const int64_t bits = BitSize(type.dtype);
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
  for (size_t i = 0; i < integers.size(); ++i) {
    const auto at = static_cast<int64_t>(i) * bits;
    bytes[static_cast<size_t>(at / 8)] |=
        static_cast<uint8_t>((integers[i] & ((1 << bits) - 1)) << at % 8);
  }
  return TensorData::Own(std::move(bytes));
}

}  // namespace

QuantizedWeights Quantize(const TensorType& type, std::span<const float> x, const Groups& groups,
                          DType to, bool half_scales) {
  Quantizer quantizer(x, groups, to, half_scales);
  // A thread has many groups.
  constexpr int64_t kShares = 256;
  const int64_t share = (groups.count() + kShares - 1) / kShares;
  InParallel(kShares, [&](size_t s) {
    const int64_t first = static_cast<int64_t>(s) * share;
    for (int64_t g = first; g < std::min(first + share, groups.count()); ++g)
      quantizer.QuantizeGroup(g);
  });
  const TensorType integers{to, type.shape};
  return {{integers, Packed(quantizer.integers, integers)}, std::move(quantizer.scales)};
}

}  // namespace webnnc
