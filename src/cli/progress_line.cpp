#include "cli/progress_line.h"

#include <unistd.h>

#include <cstdio>
#include <string>

namespace webnnc::cli {

ProgressLine::ProgressLine(const Stopwatch& watch)
    : watch_(watch), terminal_(isatty(STDERR_FILENO)) {}

void ProgressLine::Show(std::string_view step, double done) {
  constexpr double kPatience = 2;
  if (!terminal_ || watch_.Seconds() < kPatience) return;
  constexpr int kWidth = 24;
  std::string bar(static_cast<size_t>(done * kWidth), '#');
  bar.resize(kWidth, '.');
  std::fprintf(stderr, "\r\x1b[K[%s] %3.0f %%  %s", bar.c_str(), done * 100,
               std::string(step).c_str());
  shown_ = true;
}

void ProgressLine::Clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace webnnc::cli
