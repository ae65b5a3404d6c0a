#include "schedule/rules/subtotals.h"

#include <cmath>

#include "schedule/accuracy.h"

namespace webnnc::schedule {

std::vector<std::string> CutLongSum(const std::vector<NestLoop>& sums, const LikelySizes& sizes,
                                    Schedule& schedule) {
  std::vector<std::string> names;
  double terms = 1;
  for (const NestLoop& loop : sums) {
    names.push_back(loop.name);
    terms *= sizes.Typical(loop.extent);
  }
  if (terms < kLongSum) return names;
  // The innermost loops that together are enough for a part.
  double inside = 1;
  size_t at = sums.size();
  while (at > 0 && inside < kShortestPart) inside *= sizes.Typical(sums[--at].extent);
  if (inside <= kLongestPart) {
    if (at > 0) schedule.push_back(Subtotal{names[at - 1]});
    return names;
  }
  // The loop that made them too many is cut.
  auto part =
      static_cast<int64_t>(std::ceil(kLongestPart / 2 / (inside / sizes.Typical(sums[at].extent))));
  schedule.push_back(Split{names[at], {part}, Tail::kPeel});
  const std::string name = names[at];
  names[at] = name + ".0";
  names.insert(names.begin() + static_cast<int64_t>(at) + 1, name + ".1");
  schedule.push_back(Subtotal{name + ".0"});
  return names;
}

}  // namespace webnnc::schedule
