#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace webnnc {

void InParallel(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  auto run = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  size_t cores = std::max(1u, std::thread::hardware_concurrency());
  // Joined when this function is left, also by an exception.
  std::vector<std::jthread> helpers;
  try {
    while (helpers.size() + 1 < std::min(cores, count)) helpers.emplace_back(run);
  } catch (const std::system_error&) {
    // Where there may be no more threads, those that there are do it.
  }
  run();
}

}  // namespace webnnc
