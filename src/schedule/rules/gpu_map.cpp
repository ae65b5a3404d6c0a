// Elementwise work, moves, gathers: a thread an element, or four of them.
#include <algorithm>

#include "schedule/rules/rules.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;

namespace {

class GpuMap : public OnePoint {
 public:
  static constexpr std::string_view kName = "gpu_map";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kMap};

  explicit GpuMap(Problem& problem) : view_(problem.view()), machine_(problem.machine()) {}

  bool Fits() { return true; }

  Schedule Write(const Point&) {
    constexpr int64_t kLanes = Machine::kLanes;
    if (view_.loops().empty()) return {};
    ScheduleBuilder build(view_.loops());
    ScheduleBuilder::Names order;
    std::string lane;
    double threads = 1;
    for (const NestLoop& loop : view_.loops()) {
      threads *= view_.sizes().Low(loop.extent);
      bool vectors =
          KnownDivisor(loop.extent) % kLanes == 0 && view_.StoreStride(loop) == Stride::kOne;
      if (vectors && lane.empty()) {
        auto parts = build.Split(loop.name, {kLanes});
        order.push_back(parts[0]);
        lane = parts[1];
        threads /= kLanes;
      } else {
        order.push_back(loop.name);
      }
    }
    // The loop that runs through memory last, so that neighbouring threads do.
    auto fast = std::find(order.begin(), order.end(),
                          lane.empty() ? "" : lane.substr(0, lane.size() - 1) + "0");
    if (fast != order.end()) std::rotate(fast, fast + 1, order.end());
    build.OrderFirst(order);
    std::string all = build.Fuse(order, "e");
    bool few = threads < static_cast<double>(machine_.cores * machine_.max_threads);
    auto parts = build.Split(all, {few ? machine_.threads.alone : machine_.max_threads});
    build.Bind({parts[0]}, LoopKind::kWorkgroupX);
    build.Bind({parts[1]}, LoopKind::kThread);
    if (!lane.empty()) build.Bind({lane}, LoopKind::kVector);
    return build.Take();
  }

 private:
  NestView& view_;
  const Machine& machine_;
};

}  // namespace

constinit const Rule kGpuMap = RuleOf<GpuMap>();

}  // namespace webnnc::schedule
