#pragma once

#include <string>

#include "bundle/sample_sizes.h"
#include "plan/memory.h"

namespace webnnc::bundle {

// The arena as a drawing (SVG): steps from left to right, addresses upwards, one rectangle a
// buffer. So what is free is white, and what is above what is in use together.
//
//     bytes
//       ^  +-----+
//       |  |  b  |+--------+
//       |  +-----+|   d    |
//       | +---+   |        |
//       | | a |---+--------+
//       +-------------------> steps
std::string MemoryPicture(const plan::Program& program, const plan::MemoryPlan& plan,
                          const SampleSizes& sizes);

}  // namespace webnnc::bundle
