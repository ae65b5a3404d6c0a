#include "plan/factor_reductions.h"

#include <algorithm>
#include <map>

#include "loop/passes/factor_reduction.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/classify.h"

namespace webnnc::plan {

namespace {

// A kernel's first stage by itself, which is the product.
loop::Kernel FirstStage(loop::Kernel kernel) {
  std::vector<loop::Stage> stages = loop::StagesOf(kernel);
  stages.resize(1);
  kernel.buffers[stages[0].buffer()].space = loop::Space::kOut;
  loop::SetStages(kernel, std::move(stages));
  return kernel;
}

// Bytes of what the second stage reads and writes for each of its results, of which there are as
// many in each part.
double BytesOfCombining(const loop::Kernel& plain, const LikelySizes& sizes, double parts) {
  const loop::Stage first = loop::StagesOf(plain)[0];
  const TensorType& type = plain.buffers[first.buffer()].type;
  double elements = sizes.Typical(ElementCount(type.shape));
  // The parts twice, since they are written first; the result, and one more for a residual.
  return elements * static_cast<double>(ByteSize(type.dtype)) * (2 * parts + 2);
}

constexpr int64_t kWholeTiles = 16;

// Neighbours among the results whose terms are neighbours in memory: a workgroup computes them.
double ResultsInALine(const loop::Kernel& plain, const loop::Stage& stage, const Machine& machine,
                      const LikelySizes& sizes) {
  if (stage.place.empty()) return 1;
  const std::optional<loop::VarId> last = loop::VariableOf(plain, stage.place.back());
  bool neighbours = false;
  loop::ForEachLoad(plain, stage, [&](const loop::Load& load) {
    neighbours |= last && !load.index.empty() && load.index.size() > 1 &&
                  loop::VariableOf(plain, load.index.back()) == last;
  });
  if (!neighbours) return 1;
  const double results = sizes.Typical(plain.buffers[stage.buffer()].type.shape.back());
  return std::clamp(results, 1.0, static_cast<double>(machine.threads.in_a_line));
}

// Of a reduction that is no product of tiles. What it reads keeps as many cores waiting for memory
// as there are workgroups.
int64_t BestPartsOfRows(const loop::Kernel& plain, int64_t length, const Machine& machine,
                        const LikelySizes& sizes) {
  const loop::Stage stage = loop::StagesOf(plain)[0];
  double results = 1, bytes = static_cast<double>(ByteSize(plain.exprs[stage.value()].dtype));
  for (const loop::StageLoop& loop : stage.loops) {
    double extent = std::max(1.0, sizes.Typical(loop.extent));
    bytes *= extent;
    if (loop::Names(plain, stage, loop.var)) results *= extent;
  }
  const double cores = static_cast<double>(machine.cores);
  const double terms = sizes.Typical(loop::IterationsOf(stage)) / results;
  const double side_by_side = ResultsInALine(plain, stage, machine, sizes);
  auto seconds_of = [&](double sums) {
    return bytes / machine.bandwidth * std::max(1.0, cores * side_by_side / sums);
  };
  int64_t best = 1;
  double least = seconds_of(results) * machine.products.worth_factoring;
  for (int64_t parts = 2; parts <= std::min(length, machine.max_threads); ++parts) {
    double real = static_cast<double>(parts);
    if (length % parts != 0 || terms < real * static_cast<double>(machine.max_threads)) continue;
    double seconds = seconds_of(results * real) + machine.launch +
                     BytesOfCombining(plain, sizes, real) / machine.bandwidth;
    if (seconds >= least) continue;
    least = seconds;
    best = parts;
  }
  return best;
}

// Into how many parts it should be; 1 if it is best as it is.
int64_t BestParts(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes) {
  const schedule::Kind kind = schedule::Classify(plain);
  if (kind != schedule::Kind::kContraction && kind != schedule::Kind::kReduction) return 1;
  std::optional<int64_t> length = loop::FactorableLength(plain);
  if (!length) return 1;
  const Machine& machine = *target.machine;
  if (kind == schedule::Kind::kReduction) return BestPartsOfRows(plain, *length, machine, sizes);
  auto seconds_of = [&](const loop::Kernel& kernel) {
    auto candidates = schedule::Candidates(kernel, target, sizes, {1, 0});
    return candidates.empty() ? 0 : candidates[0].seconds;
  };
  int64_t best = 1;
  double least = seconds_of(plain) * machine.products.worth_factoring;
  for (int64_t parts : {2, 3, 4, 6, 8}) {
    // Parts that are no whole tiles would be guarded in the innermost loops.
    if (*length % (parts * kWholeTiles) != 0 || *length / parts < machine.products.shortest_part)
      continue;
    loop::Kernel factored = plain;
    loop::FactorReduction(factored, parts);
    double seconds = seconds_of(FirstStage(factored)) + machine.launch +
                     BytesOfCombining(plain, sizes, static_cast<double>(parts)) / machine.bandwidth;
    if (seconds >= least) continue;
    least = seconds;
    best = parts;
  }
  return best;
}

// Stages that no dispatch computes together are steps of their own, whose sums may be parted.
void SplitRows(Program& program, const LikelySizes& sizes) {
  std::map<KernelId, bool> apart;
  for (size_t s = program.steps.size(); s-- > 0;) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (!launch || launch->place != Place::kDevice) continue;
    const loop::Kernel& plain = program.kernels[launch->kernel].plain;
    auto [known, is_new] = apart.emplace(launch->kernel, false);
    if (is_new && schedule::Classify(plain) == schedule::Kind::kRows)
      known->second = HasSeveralParts(plain) &&
                      schedule::Candidates(plain, program.target, sizes, {1, 0}).empty();
    if (known->second) SplitStages(program, s);
  }
}

}  // namespace

void FactorReductions(Program& program, const LikelySizes& sizes) {
  SplitRows(program, sizes);
  // Launches that have become the same are parted once.
  MergeKernels(program);
  std::map<KernelId, int64_t> parts;
  for (int32_t k = 0; k < program.kernels.size(); ++k) {
    KernelId id{k};
    loop::Kernel& plain = program.kernels[id].plain;
    parts[id] = plain.body.empty() ? 1 : BestParts(plain, program.target, sizes);
    if (parts[id] > 1) loop::FactorReduction(plain, parts[id]);
  }
  for (size_t s = program.steps.size(); s-- > 0;) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    bool factored = launch && launch->place == Place::kDevice && parts[launch->kernel] > 1;
    if (factored) SplitStages(program, s);
  }
  MergeKernels(program);
}

}  // namespace webnnc::plan
