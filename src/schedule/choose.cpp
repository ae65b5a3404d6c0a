#include "schedule/choose.h"

#include "schedule/classify.h"
#include "schedule/rules/cpu_contraction.h"
#include "schedule/rules/cpu_map.h"
#include "schedule/rules/cpu_ordered.h"
#include "schedule/rules/cpu_reduction.h"
#include "schedule/rules/cpu_rows.h"
#include "schedule/view.h"

namespace webnnc::schedule {

// The first rule that fits; the loops as they are where none does.
static Schedule ScheduleNest(const loop::Kernel& kernel, Kind kind, const Target& target,
                             const LikelySizes& sizes) {
  NestView view(kernel, 0, sizes);
  std::optional<Schedule> schedule;
  if (kind == Kind::kContraction) schedule = ScheduleCpuContraction(view, target);
  if (!schedule) schedule = ScheduleCpuReduction(view, *target.machine);
  if (!schedule) schedule = ScheduleCpuMap(view, *target.machine);
  return schedule.value_or(Schedule{});
}

Schedule ChooseForCpu(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes) {
  if (plain.body.empty()) return {};
  loop::Kernel kernel = plain;
  Kind kind = Classify(kernel);
  std::vector<std::string> rows = AlignLoops(kernel, kind);
  switch (kind) {
    case Kind::kNone: return {};
    case Kind::kOrdered: return ScheduleCpuOrdered(kernel, rows, *target.machine, sizes);
    case Kind::kRows: return ScheduleCpuRows(kernel, rows, *target.machine, sizes);
    default: return ScheduleNest(kernel, kind, target, sizes);
  }
}

}  // namespace webnnc::schedule
