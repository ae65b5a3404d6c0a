#include "schedule/choose_gpu.h"

#include "loop/passes/align_rows.h"
#include "schedule/classify.h"
#include "schedule/rules/gpu.h"

namespace webnnc::schedule {

std::vector<Schedule> CandidatesForGpu(const loop::Kernel& plain, const GpuDevice& device) {
  loop::Kernel kernel = plain;
  Kind kind = Classify(kernel);
  if (kind == Kind::kRows) {
    auto rows = loop::AlignRows(kernel);
    CHECK(rows);
    return GpuRows(kernel, *rows, device);
  }
  NestView view(plain, 0);
  switch (kind) {
    case Kind::kMap: return GpuMap(view, device);
    case Kind::kReduction: return GpuReduction(view, device);
    case Kind::kContraction: return GpuContraction(view, device);
    default: return {};
  }
}

}  // namespace webnnc::schedule
