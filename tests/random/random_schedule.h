#pragma once

#include "schedule/schedule.h"
#include "tests/random/choices.h"

namespace webnnc::tests {

// Up to ten directives of all kinds, over loops that the kernel has where they come; most of them
// fit it, and together they need not.
schedule::Schedule DrawSchedule(const loop::Kernel& plain, Choices& choices);

}  // namespace webnnc::tests
