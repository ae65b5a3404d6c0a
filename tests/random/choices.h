// Where random tests take their decisions from: a sequence of numbers, drawn from a seed and noted
// down. What a test makes of the same numbers is the same; of smaller ones, and of fewer, something
// simpler, if generators put the simplest choice first. So Shrink makes a failure small without
// knowing what it is of (the idea is Hypothesis's).
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace webnnc::tests {

class Choices {
 public:
  explicit Choices(uint64_t seed) : random_(seed), draws_(true) {}
  // These numbers, and then zeros.
  explicit Choices(std::vector<uint32_t> numbers) : numbers_(std::move(numbers)) {}

  // From 0 to n - 1.
  int Below(int n) {
    if (next_ == numbers_.size()) numbers_.push_back(draws_ ? static_cast<uint32_t>(random_()) : 0);
    auto count = static_cast<uint32_t>(n);
    numbers_[next_] %= count;
    return static_cast<int>(numbers_[next_++]);
  }
  // True for one of `n`; false is the simpler choice.
  bool Chance(int n) { return Below(n) == n - 1; }

  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(Below(static_cast<int>(from.size())))];
  }

  // What has been drawn so far.
  const std::vector<uint32_t>& numbers() const { return numbers_; }

 private:
  std::mt19937_64 random_;
  std::vector<uint32_t> numbers_;
  size_t next_ = 0;
  bool draws_ = false;
};

// The smallest numbers found for which `fails` holds, as it does for `numbers`.
std::vector<uint32_t> Shrink(std::vector<uint32_t> numbers,
                             const std::function<bool(const std::vector<uint32_t>&)>& fails);

}  // namespace webnnc::tests
