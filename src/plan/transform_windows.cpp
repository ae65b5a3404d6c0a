#include "plan/transform_windows.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "loop/passes/collapse.h"
#include "loop/passes/transform_windows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/classify.h"
#include "target/caches.h"

namespace webnnc::plan {

namespace {

// Two results at a time of windows of three are as exact as the direct sum, of windows of five a
// third as exact. With more, what is added and subtracted grows, and errors with it.
constexpr int64_t kOutputs = 2;

// What must be saved of the direct sum's time, and in seconds, so that it is worth the code of four
// kernels.
constexpr double kLeastPart = 0.1, kLeastSaved = 2e-4;

// Tiles and products together, of sizes as they are likely to be: more is memory that nobody
// expects of a convolution.
constexpr double kMostBytes = 96 << 20;

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

// What a convolution becomes, and how many stages each of its steps has.
struct Steps {
  loop::Kernel kernel;
  std::vector<size_t> counts;
};

// Seconds of the ways to compute one, by the machine's cost model.
class Costs {
 public:
  Costs(const Target& target, const LikelySizes& sizes)
      : target_(target), machine_(*target.machine), sizes_(sizes) {}

  double OfStage(const loop::Kernel& kernel, const loop::Stage& stage) const {
    double bytes = 0;
    for (loop::BufferId buffer : BuffersOf(kernel, stage)) bytes += BytesOf(kernel, buffer);
    return ToMove(bytes) + OfProduct(kernel, stage);
  }

  // Of what is four times as large as the image and as the result.
  double BytesOfTiles(const loop::Kernel& kernel) const {
    const std::vector<loop::Stage> stages = loop::StagesOf(kernel);
    return BytesOf(kernel, stages[1].buffer()) + BytesOf(kernel, stages[2].buffer());
  }

  // A step for each stage: filters, tiles, products, results.
  double OfStages(const loop::Kernel& kernel) const {
    double seconds = 0;
    for (const loop::Stage& stage : loop::StagesOf(kernel)) seconds += OfStage(kernel, stage);
    return seconds;
  }

  // Filters and products in one step, a panel of columns after another: a panel's filters stay in
  // the caches, and tiles are read anew for each. Infinite where there is no room.
  double ByPanels(const loop::Kernel& kernel) const {
    const std::vector<loop::Stage> stages = loop::StagesOf(kernel);
    const double most = std::numeric_limits<double>::infinity();
    if (stages.size() != 4) return most;
    const loop::Stage &filters = stages[0], &tiles = stages[1], &products = stages[2];
    const Shape& shape = kernel.buffers[products.buffer()].type.shape;
    const double panels = static_cast<double>(shape.back().value()) / Machine::kPanelWidth;
    const double made = BytesOf(kernel, filters.buffer()), read = BytesOf(kernel, tiles.buffer());
    if (made / panels > static_cast<double>(machine_.register_bytes)) return most;
    double seconds = OfStage(kernel, filters) - ToMove(made);
    seconds += OfStage(kernel, tiles) + OfStage(kernel, products) - ToMove(made);
    seconds +=
        (panels - 1) * read * CyclesAByte(machine_.caches, read + made / panels) / machine_.clock;
    return seconds + OfStage(kernel, stages[3]);
  }

 private:
  double BytesOf(const loop::Kernel& kernel, loop::BufferId buffer) const {
    const TensorType& type = kernel.buffers[buffer].type;
    return sizes_.Typical(ElementCount(type.shape)) * static_cast<double>(ByteSize(type.dtype));
  }

  // Whole tensors, which are further away than the first caches.
  double ToMove(double bytes) const { return bytes * machine_.caches.from_memory / machine_.clock; }

  double OfProduct(const loop::Kernel& kernel, const loop::Stage& stage) const {
    if (!loop::IsReduction(stage)) return 0;
    auto candidates = schedule::Candidates(Alone(kernel, stage), target_, sizes_, {1, 0});
    return candidates.empty() ? 0 : candidates[0].seconds;
  }

  const Target& target_;
  const Machine& machine_;
  const LikelySizes& sizes_;
};

// Tiles first, which are a step of their own.
loop::Kernel TilesFirst(loop::Kernel kernel) {
  std::vector<loop::Stage> stages = loop::StagesOf(kernel);
  std::swap(stages[0], stages[1]);
  loop::SetStages(kernel, std::move(stages));
  return kernel;
}

// The kernel in steps, if it takes less time so.
std::optional<Steps> Transformed(const loop::Kernel& plain, const Target& target,
                                 const LikelySizes& sizes) {
  if (plain.body.empty() || schedule::Classify(plain) != schedule::Kind::kContraction)
    return std::nullopt;
  auto made = loop::TransformWindows(plain, kOutputs);
  if (!made) return std::nullopt;
  const Costs costs(target, sizes);
  if (costs.BytesOfTiles(*made) > kMostBytes) return std::nullopt;
  const double whole = costs.OfStages(*made), panels = costs.ByPanels(*made),
               direct = costs.OfStage(plain, loop::StagesOf(plain)[0]);
  if (direct - std::min(whole, panels) < std::max(direct * kLeastPart, kLeastSaved))
    return std::nullopt;
  if (panels < whole) return Steps{TilesFirst(std::move(*made)), {1, 2, 1}};
  const size_t count = loop::StagesOf(*made).size();
  return Steps{std::move(*made), std::vector<size_t>(count, 1)};
}

}  // namespace

void TransformWindows(Program& program, const LikelySizes& sizes) {
  std::map<KernelId, std::vector<size_t>> transformed;
  const int32_t before = program.kernels.size();
  for (int32_t k = 0; k < before; ++k) {
    loop::Kernel& plain = program.kernels[KernelId{k}].plain;
    auto made = Transformed(plain, program.target, sizes);
    if (!made) continue;
    plain = std::move(made->kernel);
    transformed[KernelId{k}] = std::move(made->counts);
  }
  for (size_t s = program.steps.size(); s-- > 0;) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (!launch || launch->place != Place::kDevice) continue;
    auto found = transformed.find(launch->kernel);
    if (found != transformed.end()) SplitStages(program, s, found->second);
  }
  if (transformed.empty()) return;
  for (int32_t k = before; k < program.kernels.size(); ++k)
    loop::Collapse(program.kernels[KernelId{k}].plain);
  MergeKernels(program);
}

}  // namespace webnnc::plan
