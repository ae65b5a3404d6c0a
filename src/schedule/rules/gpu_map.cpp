#include <algorithm>

#include "schedule/rules/gpu.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;

std::vector<Schedule> GpuMap(NestView& view, const Machine& machine) {
  constexpr int64_t kLanes = Machine::kLanes;
  if (view.loops().empty()) return {{}};
  ScheduleBuilder build(view.loops());
  ScheduleBuilder::Names order;
  std::string lane;
  double threads = 1;
  for (const NestLoop& loop : view.loops()) {
    threads *= view.sizes().Low(loop.extent);
    bool vectors =
        KnownDivisor(loop.extent) % kLanes == 0 && view.StoreStride(loop) == Stride::kOne;
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
  bool few = threads < static_cast<double>(machine.cores * machine.max_threads);
  auto parts = build.Split(all, {few ? machine.threads.alone : machine.max_threads});
  build.Bind({parts[0]}, LoopKind::kWorkgroupX);
  build.Bind({parts[1]}, LoopKind::kThread);
  if (!lane.empty()) build.Bind({lane}, LoopKind::kVector);
  return {build.Take()};
}

Schedule GpuThreadEach(NestView& view, const Machine& machine) {
  ScheduleBuilder build(view.loops());
  ScheduleBuilder::Names results;
  for (const NestLoop* loop : view.SpatialLoops()) results.push_back(loop->name);
  if (results.empty()) return {};
  build.OrderFirst(results);
  auto parts = build.Split(build.Fuse(results, "e"), {machine.threads.alone});
  build.Bind({parts[0]}, LoopKind::kWorkgroupX);
  build.Bind({parts[1]}, LoopKind::kThread);
  return build.Take();
}

}  // namespace webnnc::schedule
