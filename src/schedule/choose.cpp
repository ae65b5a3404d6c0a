#include "schedule/choose.h"

#include "loop/passes/align_rows.h"
#include "schedule/classify.h"
#include "schedule/rules/cpu_contraction.h"
#include "schedule/rules/cpu_reduction.h"
#include "schedule/view.h"

namespace webnnc::schedule {

static Schedule ScheduleCpuRows(loop::Kernel kernel) {
  auto rows = loop::AlignRows(kernel);
  CHECK(rows);
  if (rows->empty()) return {};
  return {Merge{*rows}};
}

Schedule ChooseForCpu(const loop::Kernel& plain, const CpuTarget& target) {
  loop::Kernel kernel = plain;
  Kind kind = Classify(kernel);
  if (kernel.body.empty()) return {};
  std::optional<Schedule> schedule;
  if (kind == Kind::kContraction || kind == Kind::kReduction) {
    NestView view(kernel, 0);
    if (kind == Kind::kContraction) schedule = ScheduleCpuContraction(view, target);
    if (!schedule) schedule = ScheduleCpuReduction(view);
  }
  if (kind == Kind::kRows) schedule = ScheduleCpuRows(kernel);
  return schedule.value_or(Schedule{});
}

}  // namespace webnnc::schedule
