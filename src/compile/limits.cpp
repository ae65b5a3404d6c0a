#include "compile/limits.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "loop/stage.h"
#include "plan/memory.h"

namespace webnnc {

namespace {

// Indices are i32, and sizes in the compiled model's tables too (webnnc/abi.h).
constexpr int64_t kMostBufferBytes = INT32_MAX;
// What wasm32 can address, less room for the module's own data.
constexpr int64_t kMostWasmBytes = (int64_t{1} << 32) - (int64_t{16} << 20);

constexpr size_t kMostSteps = 1 << 14;
// Each is compiled by itself, in some milliseconds.
constexpr int32_t kMostKernels = 1 << 12;

std::string InGiB(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

Status CheckBuffers(const plan::Program& program) {
  for (const plan::Buffer& buffer : program.buffers) {
    Dim bytes = ByteSize(program, buffer);
    if (!bytes.IsConstant() || bytes.value() <= kMostBufferBytes) continue;
    return Error{"tensor " + Quote(buffer.name) + " has " + InGiB(bytes.value()) +
                 ", more than the 2 GiB that one tensor may have"};
  }
  return kSuccess;
}

// Of those that are not in `seen`, where they are noted.
int64_t WeightBytes(const plan::Program& program, std::set<plan::WeightId>& seen) {
  int64_t total = 0;
  for (const plan::Buffer& buffer : program.buffers) {
    if (buffer.kind != plan::BufferKind::kWeight || !seen.insert(buffer.weight).second) continue;
    total += ByteSize(program, buffer).value();
  }
  return total;
}

// The most bytes of activations that are in use at once, as far as they do not depend on symbols.
int64_t FixedActivationBytes(const plan::Program& program) {
  std::vector<plan::Lifetime> lifetimes = plan::Lifetimes(program);
  std::vector<int64_t> change(program.steps.size() + 2);
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const plan::Buffer& buffer = program.buffers[plan::BufferId{b}];
    Dim bytes = ByteSize(program, buffer);
    if (buffer.kind == plan::BufferKind::kWeight || !bytes.IsConstant()) continue;
    const plan::Lifetime& life = lifetimes[static_cast<size_t>(b)];
    change[life.first_step] += bytes.value();
    change[life.last_step + 1] -= bytes.value();
  }
  int64_t alive = 0, most = 0;
  for (int64_t bytes : change) most = std::max(most, alive += bytes);
  return most;
}

// The steps that a kernel's loops take at least.
double StepsOf(const loop::Kernel& plain) {
  double all = 0;
  for (const loop::Stage& stage : loop::StagesOf(plain)) {
    double steps = 1;
    std::vector<loop::StageLoop> loops = stage.loops;
    if (stage.ordered) loops.push_back(*stage.ordered);
    for (const loop::StageLoop& loop : loops) {
      std::set<std::string> symbols;
      loop.extent.CollectSymbols(symbols);
      SymbolValues ones;
      for (const std::string& symbol : symbols) ones[symbol] = 1;
      int64_t extent = loop.extent.Evaluate(ones);
      bool open = !loop.extent.IsConstant();
      steps *= static_cast<double>(open ? std::max<int64_t>(1, extent) : extent);
    }
    all += steps;
  }
  return all;
}

std::string InWords(double steps) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2g", steps);
  return text;
}

std::string NodeOf(const plan::Launch& step) {
  return step.origins.empty() ? "" : step.origins.back();
}

}  // namespace

Status CheckKernels(const Model& model) {
  for (const plan::Program* program : model.programs()) {
    if (program->kernels.size() <= kMostKernels) continue;
    return Error{"the model takes " + std::to_string(program->kernels.size()) +
                 " different kernels, more than the " + std::to_string(kMostKernels) +
                 " that one program may have"};
  }
  return kSuccess;
}

Result<std::string> CheckWork(const Model& model) {
  constexpr double kMinutes = 1e11, kNever = 1e16;
  const plan::Program& program = *model.programs().front();
  const plan::Launch* longest = nullptr;
  double all = 0, most = 0;
  for (const plan::Launch* launch : LaunchesOf(program)) {
    double steps = StepsOf(program.KernelsAt(launch->place)[launch->kernel].plain);
    all += steps;
    if (steps > most) longest = launch;
    most = std::max(most, steps);
  }
  if (most > kNever) {
    return Error{"it takes at least " + InWords(most) + " steps to compute, more than the " +
                     InWords(kNever) + " that a model may have",
                 {0, 0, NodeOf(*longest)}};
  }
  if (all <= kMinutes) return std::string();
  return "a run takes " + InWords(all) + " steps or more, minutes on a CPU; the most, " +
         InWords(most) + ", in node " + Quote(NodeOf(*longest));
}

Status CheckSizes(const Model& model) {
  for (const plan::Program* program : model.programs()) {
    size_t launches = LaunchesOf(*program).size();
    if (launches > kMostSteps) {
      return Error{"the model takes " + std::to_string(launches) + " kernels, more than the " +
                   std::to_string(kMostSteps) + " that one program may have"};
    }
    TRY(CheckBuffers(*program));
  }
  return kSuccess;
}

Status CheckMemory(const Code& code) {
  std::set<plan::WeightId> seen;
  int64_t weights = 0, activations = 0;
  for (const Model& model : code.models) {
    const plan::Program* cpu = model.Module().cpu();
    if (!cpu) continue;
    weights += WeightBytes(*cpu, seen);
    activations = std::max(activations, FixedActivationBytes(*cpu));
  }
  if (weights + activations <= kMostWasmBytes) return kSuccess;
  const std::string need = code.models.size() == 1 ? "the model needs " : "the models need ";
  return Error{need + InGiB(weights) + " for weights and " + InGiB(activations) +
                   " for activations; wasm has 4 GiB for both",
               {},
               {"compile it with --target webgpu, where weights do not go through wasm's memory"}};
}

}  // namespace webnnc
