#include "schedule/choose_gpu.h"

#include "schedule/classify.h"
#include "schedule/rules/gpu.h"

namespace webnnc::schedule {

static std::vector<Schedule> ScheduleNest(NestView& view, Kind kind, const Target& target) {
  switch (kind) {
    case Kind::kMap: return GpuMap(view, *target.machine);
    case Kind::kReduction: return GpuReduction(view, *target.machine);
    case Kind::kContraction: return GpuContraction(view, target);
    default: return {};
  }
}

std::vector<Schedule> CandidatesForGpu(const loop::Kernel& plain, const Target& target,
                                       const LikelySizes& sizes) {
  if (plain.body.empty()) return {};
  loop::Kernel kernel = plain;
  Kind kind = Classify(kernel);
  std::vector<std::string> rows = AlignLoops(kernel, kind);
  if (kind == Kind::kRows) return GpuRows(kernel, rows, *target.machine, sizes);
  if (kind == Kind::kOrdered) return GpuOrdered(kernel, rows, *target.machine, sizes);
  NestView view(plain, 0, sizes);
  std::vector<Schedule> schedules = ScheduleNest(view, kind, target);
  if (view.nest_count() == 1) schedules.push_back(GpuThreadEach(view, *target.machine));
  return schedules;
}

}  // namespace webnnc::schedule
