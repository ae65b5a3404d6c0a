#pragma once

#include <cstddef>
#include <functional>

namespace webnnc {

// Calls work(0), ..., work(count - 1), each once, on as many threads as there are cores, and comes
// back when all are done. In which order is not said: what the calls make must go to places of
// their own.
void InParallel(size_t count, const std::function<void(size_t)>& work);

}  // namespace webnnc
