#include "schedule/choose_gpu.h"

#include "loop/passes/align_ordered.h"
#include "loop/passes/align_rows.h"
#include "schedule/classify.h"
#include "schedule/rules/gpu.h"

namespace webnnc::schedule {

static std::vector<Schedule> ScheduleNest(NestView& view, Kind kind, const GpuDevice& device,
                                          bool half) {
  switch (kind) {
    case Kind::kMap: return GpuMap(view, device);
    case Kind::kReduction: return GpuReduction(view, device);
    case Kind::kContraction: return GpuContraction(view, device, half);
    default: return {};
  }
}

std::vector<Schedule> CandidatesForGpu(const loop::Kernel& plain, const GpuDevice& device,
                                       bool half, const LikelySizes& sizes) {
  loop::Kernel kernel = plain;
  if (kernel.body.empty()) return {};
  Kind kind = Classify(kernel);
  if (kind == Kind::kRows) {
    auto rows = loop::AlignRows(kernel);
    CHECK(rows);
    return GpuRows(kernel, *rows, device, sizes);
  }
  if (kind == Kind::kOrdered) {
    std::vector<std::string> rows = loop::AlignOrdered(kernel);
    return GpuOrdered(kernel, rows, device, sizes);
  }
  NestView view(plain, 0, sizes);
  std::vector<Schedule> schedules = ScheduleNest(view, kind, device, half);
  if (view.nest_count() == 1) schedules.push_back(GpuThreadEach(view));
  return schedules;
}

}  // namespace webnnc::schedule
