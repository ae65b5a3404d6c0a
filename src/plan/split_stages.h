#pragma once

#include <vector>

#include "plan/program.h"

namespace webnnc::plan {

// Cuts a step whose kernel has several stages into one step a stage. What flowed between the stages
// becomes buffers of the program:
//
//   run @softmax(%x, %y)    ->    run @softmax_0(%x, %max)
//                                 run @softmax_1(%x, %max, %sum)
//                                 run @softmax_2(%x, %max, %sum, %y)
//
// Stages of one ordered loop stay together. For stages that share no loops, or more than a
// workgroup's memory holds.
void SplitStages(Program& program, size_t step);

// The same into steps of so many stages each.
void SplitStages(Program& program, size_t step, const std::vector<size_t>& counts);

// Two kernels of one, of its first `count` stages and of the others. What flows between them is a
// parameter of both, and buffers keep their ids.
std::vector<loop::Kernel> CutStages(const loop::Kernel& plain, size_t count);
// Makes two steps of one with such a kernel.
void CutStages(Program& program, size_t step, size_t count);

// Whether SplitStages would make more than one step of the kernel.
bool HasSeveralParts(const loop::Kernel& plain);

// The most buffers that one of the steps which SplitStages makes of the kernel has.
int64_t MostBuffersOfAStage(const loop::Kernel& plain);

}  // namespace webnnc::plan
