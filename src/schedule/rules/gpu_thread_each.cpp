// Any single stage: a thread a result, which computes it step by step. For what the other rules'
// schedules do not fit.
#include "schedule/rules/rules.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;

namespace {

class GpuThreadEach : public OnePoint {
 public:
  static constexpr std::string_view kName = "gpu_thread_each";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kMap, Kind::kReduction, Kind::kContraction};

  explicit GpuThreadEach(Problem& problem) : view_(problem.view()), machine_(problem.machine()) {}

  bool Fits() { return true; }

  Schedule Write(const Point&) {
    ScheduleBuilder build(view_.loops());
    ScheduleBuilder::Names results;
    for (const NestLoop* loop : view_.SpatialLoops()) results.push_back(loop->name);
    if (results.empty()) return {};
    build.OrderFirst(results);
    auto parts = build.Split(build.Fuse(results, "e"), {machine_.threads.alone});
    build.Bind({parts[0]}, LoopKind::kWorkgroupX);
    build.Bind({parts[1]}, LoopKind::kThread);
    return build.Take();
  }

 private:
  NestView& view_;
  const Machine& machine_;
};

}  // namespace

constinit const Rule kGpuThreadEach = RuleOf<GpuThreadEach>();

}  // namespace webnnc::schedule
