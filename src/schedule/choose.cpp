#include "schedule/choose.h"

#include "loop/passes/align_rows.h"
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
  loop::Kernel kernel = plain;
  if (kernel.body.empty()) return {};
  Kind kind = Classify(kernel);
  if (kind == Kind::kNone) return {};
  if (kind == Kind::kOrdered) {
    std::vector<std::string> rows = loop::AlignOrdered(kernel);
    return ScheduleCpuOrdered(kernel, rows, *target.machine, sizes);
  }
  if (kind != Kind::kRows) return ScheduleNest(kernel, kind, target, sizes);
  auto rows = loop::AlignRows(kernel);
  CHECK(rows);
  return ScheduleCpuRows(kernel, *rows, *target.machine, sizes);
}

}  // namespace webnnc::schedule
