#include "plan/transform_windows.h"

#include <algorithm>
#include <set>

#include "loop/passes/collapse.h"
#include "loop/passes/transform_windows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/classify.h"

namespace webnnc::plan {

namespace {

// Two results at a time are as exact as the direct sum. With more, what is added and subtracted
// grows, and errors with it.
constexpr int64_t kOutputs = 2;

// What must be saved of the direct sum's time, and in seconds, so that it is worth the code of four
// kernels.
constexpr double kLeastPart = 0.1, kLeastSaved = 2e-4;

// The buffers that a stage loads and the one that it stores.
std::set<loop::BufferId> BuffersOf(const loop::Kernel& kernel, const loop::Stage& stage) {
  std::set<loop::BufferId> buffers{stage.buffer()};
  loop::ForEachLoad(kernel, stage, [&](const loop::Load& load) { buffers.insert(load.buffer); });
  return buffers;
}

// One stage as a kernel.
loop::Kernel Alone(loop::Kernel kernel, const loop::Stage& stage) {
  for (loop::BufferId buffer : BuffersOf(kernel, stage))
    kernel.buffers[buffer].space = buffer == stage.buffer() ? loop::Space::kOut : loop::Space::kIn;
  loop::SetStages(kernel, {stage});
  return kernel;
}

// What is read and written, which for all that flows is further away than the first caches.
double SecondsToMove(const loop::Kernel& kernel, const loop::Stage& stage, const Machine& machine,
                     const LikelySizes& sizes) {
  double bytes = 0;
  for (loop::BufferId buffer : BuffersOf(kernel, stage)) {
    const TensorType& type = kernel.buffers[buffer].type;
    bytes += sizes.Typical(ElementCount(type.shape)) * static_cast<double>(ByteSize(type.dtype));
  }
  return bytes * machine.caches.from_memory / machine.clock;
}

double SecondsOf(const loop::Kernel& kernel, const loop::Stage& stage, const Target& target,
                 const LikelySizes& sizes) {
  double seconds = SecondsToMove(kernel, stage, *target.machine, sizes);
  if (!loop::IsReduction(stage)) return seconds;
  auto candidates = schedule::Candidates(Alone(kernel, stage), target, sizes, {1, 0});
  return seconds + (candidates.empty() ? 0 : candidates[0].seconds);
}

// The kernel in stages, if it takes less time so.
std::optional<loop::Kernel> Transformed(const loop::Kernel& plain, const Target& target,
                                        const LikelySizes& sizes) {
  if (plain.body.empty() || schedule::Classify(plain) != schedule::Kind::kContraction)
    return std::nullopt;
  auto made = loop::TransformWindows(plain, kOutputs);
  if (!made) return std::nullopt;
  double seconds = 0;
  for (const loop::Stage& stage : loop::StagesOf(*made))
    seconds += SecondsOf(*made, stage, target, sizes);
  const double direct = SecondsOf(plain, loop::StagesOf(plain)[0], target, sizes);
  if (direct - seconds < std::max(direct * kLeastPart, kLeastSaved)) return std::nullopt;
  return made;
}

}  // namespace

void TransformWindows(Program& program, const LikelySizes& sizes) {
  std::set<KernelId> transformed;
  const int32_t before = program.kernels.size();
  for (int32_t k = 0; k < program.kernels.size(); ++k) {
    loop::Kernel& plain = program.kernels[KernelId{k}].plain;
    auto made = Transformed(plain, program.target, sizes);
    if (!made) continue;
    plain = std::move(*made);
    transformed.insert(KernelId{k});
  }
  for (size_t s = program.steps.size(); s-- > 0;) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (launch && launch->place == Place::kDevice && transformed.count(launch->kernel))
      SplitStages(program, s);
  }
  if (transformed.empty()) return;
  for (int32_t k = before; k < program.kernels.size(); ++k)
    loop::Collapse(program.kernels[KernelId{k}].plain);
  MergeKernels(program);
}

}  // namespace webnnc::plan
