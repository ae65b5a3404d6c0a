// The GPU's part of the pipeline: a program for each set of features, and its kernels as shaders.
#pragma once

#include "base/result.h"
#include "compile/code.h"
#include "graph/graph.h"

namespace webnnc {

// Programs for `machine`, best first: where the model has f16 values, one that computes with them
// and one for devices that cannot. Concatenations are no larger than its kernels can bind
// (SplitConcats). Fails if the model has what no GPU program can compute; why is what the error
// says, and a CPU program can still be made.
Result<std::vector<GpuCode>> FormGpuCode(const graph::Graph& graph, const Machine& machine,
                                         IdVector<plan::WeightTag, plan::Weight>& weights);

// Emits a shader for each kernel of a scheduled program.
Status EmitShaders(GpuCode& code);

// What --emit spirv and --emit wgsl print.
std::string PrintSpirv(const Code& code);
std::string PrintWgsl(const Code& code);

}  // namespace webnnc
