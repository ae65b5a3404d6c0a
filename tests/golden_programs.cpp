#include "tests/golden_programs.h"

#include <algorithm>
#include <set>

#include "graph/evaluate.h"
#include "loop/sizes.h"
#include "loop/text.h"
#include "plan/device_sizes.h"
#include "plan/memory.h"
#include "plan/merge_kernels.h"
#include "plan/schedule_for_gpu.h"
#include "spirv/grid.h"
#include "tests/golden.h"
#include "tests/run_program.h"

namespace webnnc {

using graph::Graph;

// ---- Graphs on made-up data -------------------------------------------------------------------

SymbolValues Symbols(const Graph& graph) {
  std::set<std::string> names;
  for (const graph::Port& port : graph.inputs) {
    for (const Dim& size : graph.values[port.value].type.shape) size.CollectSymbols(names);
  }
  SymbolValues values;
  for (const std::string& name : names) values[name] = kSymbolSize;
  return values;
}

std::vector<SymbolValues> RunsOf(const Graph& graph) {
  std::vector<SymbolValues> runs{Symbols(graph)};
  for (const Assumption& assumption : graph.assumptions) {
    if (assumption.relation != Assumption::Relation::kBroadcasts) continue;
    for (const Dim* size : {&assumption.left, &assumption.right}) {
      SymbolValues values = Symbols(graph);
      std::optional<std::string> symbol = SymbolOf(*size);
      if (symbol) values[*symbol] = 1;
      bool holds = std::all_of(graph.assumptions.begin(), graph.assumptions.end(),
                               [&](const Assumption& each) { return Holds(each, values); });
      if (symbol && holds) runs.push_back(std::move(values));
    }
  }
  return runs;
}

std::vector<Tensor> MadeUpInputs(const Graph& graph, const SymbolValues& symbols) {
  std::vector<Tensor> inputs;
  for (const graph::Port& port : graph.inputs) {
    TensorType type = graph.values[port.value].type;
    type.shape = Substitute(type.shape, symbols);
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
    auto tensor = static_cast<int64_t>(inputs.size());
    for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i) {
      WriteScalar(bytes.data(), i, MadeUp(type.dtype, i, tensor));
    }
    inputs.push_back({type, TensorData::Own(std::move(bytes))});
  }
  return inputs;
}

Status CompareOutputs(const Graph& graph, const std::vector<Tensor>& expected,
                      const std::vector<Tensor>& actual) {
  for (size_t o = 0; o < expected.size(); ++o) {
    const Tensor &want = expected[o], &got = actual[o];
    std::string name = "output " + Quote(graph.outputs[o].name);
    if (want.type != got.type)
      return Error{name + " is " + Print(got.type) + ", not " + Print(want.type)};
    for (int64_t i = 0; i < ElementCount(want.type.shape).value(); ++i) {
      Scalar a = want.data.At(want.type.dtype, i), b = got.data.At(want.type.dtype, i);
      if (Close(a, b)) continue;
      return Error{name + "[" + std::to_string(i) + "] is " + PrintReal(b.AsReal()) + ", not " +
                   PrintReal(a.AsReal())};
    }
  }
  return kSuccess;
}

// ---- Programs on made-up data -----------------------------------------------------------------

std::string PrintKernels(const plan::Program& program) {
  std::string text = plan::Print(program);
  for (const plan::Kernel& kernel : program.kernels) {
    const loop::Kernel& shown = kernel.flat.body.empty() ? kernel.plain : kernel.flat;
    text += "\n" + loop::Print(shown);
  }
  return text;
}

plan::Shader LaunchOf(const plan::Kernel& kernel, bool takes_more_workgroups) {
  spirv::Grid grid = spirv::ChooseGrid(kernel.flat, takes_more_workgroups);
  plan::Shader shader;
  shader.grid = {grid.workgroups[0], grid.workgroups[1], grid.workgroups[2],
                 loop::SizesOf(kernel.flat), grid.folds};
  return shader;
}

Status KeepSizes(plan::Program& program) {
  std::set<std::string> narrowed;
  plan::MergeKernels(program);
  TRY(plan::ScheduleForGpu(program, {}, {}, narrowed, {}));
  plan::Variant variant{program};
  for (const plan::Kernel& kernel : program.kernels) variant.shaders.push_back(LaunchOf(kernel));
  TRY(plan::KeepSizesOnDevice(variant, {}, {}, [](const plan::Program& own, plan::KernelId id) {
    return Result<plan::Shader>(LaunchOf(own.kernels[id], true));
  }));
  program = std::move(variant.program);
  return kSuccess;
}

std::string PrintAdded(const plan::Program& program) {
  std::string text;
  for (const plan::Kernel& kernel : program.kernels) {
    bool is_added =
        kernel.plain.name.starts_with("known.") || kernel.plain.name.starts_with("told.");
    if (is_added) text += "\n" + loop::Print(kernel.flat);
  }
  return text;
}

std::string PrintArena(const plan::Program& program, const SymbolValues& symbols) {
  plan::MemoryPlan memory = plan::PlanMemory(program, symbols);
  std::vector<plan::Lifetime> lifetimes = plan::Lifetimes(program);
  std::string text;
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const plan::Buffer& buffer = program.buffers[plan::BufferId{b}];
    auto i = static_cast<size_t>(b);
    if (memory.offsets[i] < 0) continue;
    int64_t bytes = plan::ByteSize(program, buffer).Evaluate(symbols);
    text += "%" + QuoteName(buffer.name) + " at " + std::to_string(memory.offsets[i]) + ", " +
            std::to_string(bytes) + " bytes, steps " + std::to_string(lifetimes[i].first_step) +
            " to " + std::to_string(lifetimes[i].last_step) + "\n";
  }
  return text + "arena " + std::to_string(memory.bytes) + ", at least " +
         std::to_string(memory.lower_bound) + "\n";
}

}  // namespace webnnc
