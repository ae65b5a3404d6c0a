#include "schedule/choose_gpu.h"

#include "schedule/classify.h"
#include "schedule/rules/gpu.h"

namespace webnnc::schedule {

static std::vector<Candidate> Unranked(std::vector<Schedule> schedules) {
  std::vector<Candidate> candidates;
  for (Schedule& schedule : schedules) candidates.push_back({std::move(schedule)});
  return candidates;
}

static std::vector<Candidate> ScheduleNest(NestView& view, Kind kind, const Target& target,
                                           const Sample& sample) {
  switch (kind) {
    case Kind::kMap: return Unranked(GpuMap(view, *target.machine));
    case Kind::kReduction: return Unranked(GpuReduction(view, target));
    case Kind::kContraction: return GpuContraction(view, target, sample);
    default: return {};
  }
}

std::vector<Candidate> CandidatesForGpu(const loop::Kernel& plain, const Target& target,
                                        const LikelySizes& sizes, const Sample& sample) {
  if (plain.body.empty()) return {};
  loop::Kernel kernel = plain;
  Kind kind = Classify(kernel);
  std::vector<std::string> rows = AlignLoops(kernel, kind);
  if (kind == Kind::kRows) return Unranked(GpuRows(kernel, rows, target, sizes));
  if (kind == Kind::kOrdered) {
    std::vector<Candidate> candidates = GpuStream(kernel, rows, *target.machine, sizes, sample);
    for (Candidate& other : Unranked(GpuOrdered(kernel, rows, *target.machine, sizes)))
      candidates.push_back(std::move(other));
    return candidates;
  }
  NestView view(plain, 0, sizes);
  std::vector<Candidate> candidates = ScheduleNest(view, kind, target, sample);
  if (view.nest_count() == 1) candidates.push_back({GpuThreadEach(view, *target.machine)});
  return candidates;
}

}  // namespace webnnc::schedule
