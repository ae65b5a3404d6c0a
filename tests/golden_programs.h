// What graphs and programs of golden tests are run on, and how they are printed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "plan/program.h"
#include "plan/variant.h"
#include "tensor/data.h"

namespace webnnc {

SymbolValues Symbols(const graph::Graph& graph);
// The sizes of the runs that are compared: 7, and where sizes broadcast, those with one or the
// other of them 1.
std::vector<SymbolValues> RunsOf(const graph::Graph& graph);
std::vector<Tensor> MadeUpInputs(const graph::Graph& graph, const SymbolValues& symbols);
Status CompareOutputs(const graph::Graph& graph, const std::vector<Tensor>& expected,
                      const std::vector<Tensor>& actual);
std::string PrintKernels(const plan::Program& program);
// Of a shader what decides how it is launched.
plan::Shader LaunchOf(const plan::Kernel& kernel, bool takes_more_workgroups = false);
// Schedules a program for a GPU, and lets sizes stay there.
Status KeepSizes(plan::Program& program);
// The kernels that compute sizes.
std::string PrintAdded(const plan::Program& program);
// Buffers that share an arena, where they are and when, for symbols of 7.
std::string PrintArena(const plan::Program& program, const SymbolValues& symbols);

}  // namespace webnnc
