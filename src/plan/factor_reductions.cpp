#include "plan/factor_reductions.h"

#include <map>

#include "loop/passes/factor_reduction.h"
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
double BytesOfCombining(const loop::Kernel& factored, const LikelySizes& sizes) {
  const loop::Stage first = loop::StagesOf(factored)[0];
  const TensorType& type = factored.buffers[first.buffer()].type;
  double parts = static_cast<double>(type.shape[0].value());
  double elements = sizes.Typical(ElementCount(type.shape)) / parts;
  // The parts twice, since they are written first; the result, and one more for a residual.
  return elements * static_cast<double>(ByteSize(type.dtype)) * (2 * parts + 2);
}

constexpr int64_t kWholeTiles = 16;

// Into how many parts it should be; 1 if it is best as it is.
int64_t BestParts(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes) {
  if (schedule::Classify(plain) != schedule::Kind::kContraction) return 1;
  std::optional<int64_t> length = loop::FactorableLength(plain);
  if (!length) return 1;
  const Machine& machine = *target.machine;
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
                     BytesOfCombining(factored, sizes) / machine.bandwidth;
    if (seconds >= least) continue;
    least = seconds;
    best = parts;
  }
  return best;
}

}  // namespace

void FactorReductions(Program& program, const LikelySizes& sizes) {
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
