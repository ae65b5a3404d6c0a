#include "tests/random/choices.h"

#include <algorithm>

namespace webnnc::tests {

namespace {

using Numbers = std::vector<uint32_t>;
using Fails = std::function<bool(const Numbers&)>;

bool DropParts(Numbers& numbers, size_t length, const Fails& fails) {
  bool smaller = false;
  for (size_t end = numbers.size(); end >= length; --end) {
    Numbers without = numbers;
    without.erase(without.begin() + static_cast<int64_t>(end - length),
                  without.begin() + static_cast<int64_t>(end));
    if (!fails(without)) continue;
    numbers = std::move(without);
    smaller = true;
    end = std::min(end, numbers.size() + 1);
  }
  return smaller;
}

bool Lower(Numbers& numbers, size_t at, const Fails& fails) {
  for (uint32_t lower : {0u, numbers[at] / 2, numbers[at] - 1}) {
    if (lower >= numbers[at]) continue;
    Numbers changed = numbers;
    changed[at] = lower;
    if (!fails(changed)) continue;
    numbers = std::move(changed);
    return true;
  }
  return false;
}

}  // namespace

std::vector<uint32_t> Shrink(Numbers numbers, const Fails& fails) {
  constexpr int kMostTries = 1500;
  int tries = 0;
  auto counted = [&](const Numbers& candidate) {
    return ++tries <= kMostTries && fails(candidate);
  };
  // Each round makes the sequence shorter or a number of it smaller.
  for (bool smaller = true; smaller && tries < kMostTries;) {
    smaller = false;
    for (size_t length : {32, 8, 4, 3, 2, 1}) smaller |= DropParts(numbers, length, counted);
    for (size_t at = 0; at < numbers.size(); ++at) {
      while (Lower(numbers, at, counted)) smaller = true;
    }
  }
  return numbers;
}

}  // namespace webnnc::tests
