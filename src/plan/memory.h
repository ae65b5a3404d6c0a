#pragma once

#include <cstdint>
#include <vector>

#include "plan/program.h"

namespace webnnc::plan {

// The steps between which a buffer is in use, both included.
struct Lifetime {
  uint32_t first_step = 0, last_step = 0;
};

// One a buffer. Inputs are in use from the first step on and outputs until the last, so that a
// caller can write and read them around a run. What is used inside of a loop and around it is in
// use during all of the loop, and so is what a loop without a plan of its own swaps, as long as
// either.
std::vector<Lifetime> Lifetimes(const Program& program);

// Which plan places each buffer: the last one before it is in use. -1 of what takes the places of
// others.
std::vector<int> PlansOf(const Program& program, const std::vector<Lifetime>& lifetimes);

// The arena for these sizes: where each buffer is, and how good the plan is.
struct MemoryPlan {
  std::vector<int64_t> offsets;  // -1 for weights
  int64_t bytes = 0;
  // The largest sum of bytes in use together: no plan is smaller.
  int64_t lower_bound = 0;
};
MemoryPlan PlanMemory(const Program& program, const SymbolValues& symbols);

// Alignment of buffers in the arena.
int64_t ArenaAlignment(const Target& target);

}  // namespace webnnc::plan
