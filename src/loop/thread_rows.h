#pragma once

#include <set>

#include "loop/kernel.h"

namespace webnnc::loop {

// The register buffers that threads have rows of, of which a back end gives each thread its own:
// every access begins with exactly a thread loop's variable.
//
//   register %acc: f32[64,4]   %acc[t, 2]     a thread has four elements
//   register %sum: f32[64]     %sum[t]        a thread has one
std::set<BufferId> ThreadRows(const Kernel& kernel);

}  // namespace webnnc::loop
