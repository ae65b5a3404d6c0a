// Work spread over processes, so that work which aborts takes nothing else with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace webnnc {

// work(0), ..., work(count - 1), each run in one of `jobs` child processes. Where a child dies, its
// result is "failed: ..." with the signal, and a new child goes on behind it.
std::vector<std::string> InProcesses(size_t count, int jobs,
                                     const std::function<std::string(size_t)>& work);

}  // namespace webnnc
