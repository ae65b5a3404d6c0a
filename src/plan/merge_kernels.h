#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// Makes one kernel of kernels that are the same but for names, so that it is compiled once:
//
//   run @conv(%a, %w1, %b)             run @conv(%a, %w1, %b)
//   run @conv_2(%b, %w2, %c)    ->     run @conv(%b, %w2, %c)
//
// Parameters are named by their place (x0, x1, ..., y0). Kernels whose arguments are stored in
// different types stay apart (StoredType), and on the GPU those whose arguments are of different
// kinds, a weight here and an activation there, which is part of the shader. An argument that is
// passed twice becomes one parameter: WebGPU does not bind the same bytes twice if they could be
// written.
void MergeKernels(Program& program);

// The first half of that: parameters get their names, and each argument is passed once.
void NameParameters(Program& program);

// What kernels have in common that are the same for a launch: `plain` is its kernel.
std::string KeyOf(const Program& program, const Launch& launch, loop::Kernel plain);

// Lets a kernel have one parameter for a buffer that it is given more than once. Where one is read
// as more elements than the other, each stays a parameter.
void JoinRepeatedArguments(loop::Kernel& kernel, std::vector<BufferId>& arguments);

}  // namespace webnnc::plan
