#pragma once

#include <chrono>
#include <string_view>

namespace webnnc::cli {

// Time since it was made.
class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// One line on the terminal that says what is being done. It appears when the work takes longer than
// people like to wait without a word, and goes when something else is printed.
class ProgressLine {
 public:
  explicit ProgressLine(const Stopwatch& watch);
  ~ProgressLine() { Clear(); }

  void Show(std::string_view step, double done);
  void Clear();

 private:
  const Stopwatch& watch_;
  bool terminal_, shown_ = false;
};

}  // namespace webnnc::cli
