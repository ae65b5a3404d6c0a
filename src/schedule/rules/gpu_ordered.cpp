#include <algorithm>

#include "schedule/rules/gpu.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

// A thread a row, which runs all stages for it one after another.
Schedule ThreadEach(const std::vector<NestLoop>& rows, const Names& names, const Machine& machine) {
  ScheduleBuilder build(rows);
  auto parts =
      build.Split(build.Fuse(names, "r"), {std::min(machine.threads.alone, machine.max_threads)});
  build.Bind({parts[0]}, LoopKind::kWorkgroupX);
  build.Bind({parts[1]}, LoopKind::kThread);
  build.Add(Merge{parts});
  return build.Take();
}

// The loops of a nest within a row that tell where it stores.
Names OwnResults(const Nest& nest, size_t rows) {
  Names own;
  for (size_t i = rows; i < nest.main.loops.size(); ++i) {
    if (!nest.main.loops[i].reduction) own.push_back(nest.main.loops[i].name);
  }
  return own;
}

// A workgroup a row: its threads share the work of each stage, and meet before the next.
Schedule WorkgroupEach(const Nests& nests, const Names& rows, int64_t threads) {
  Schedule schedule;
  Names merged;
  for (const Nest& nest : nests.nests) {
    ScheduleBuilder build(nest.main.loops);
    Names order;
    // The rows become one loop in all stages at once.
    if (!rows.empty()) {
      order = {build.Fuse(rows, "r")};
      if (!merged.empty()) build.Take();
      merged = order;
    }
    auto parts = build.Split(build.Fuse(OwnResults(nest, rows.size()), "q"), {threads});
    order.insert(order.end(), {parts[1], parts[0]});
    build.OrderFirst(order);
    build.Bind({parts[1]}, LoopKind::kThread);
    for (Directive& directive : build.Take()) schedule.push_back(std::move(directive));
  }
  if (!merged.empty()) {
    schedule.push_back(Bind{merged, LoopKind::kWorkgroupX});
    schedule.push_back(Merge{merged});
  }
  return schedule;
}

}  // namespace

std::vector<Schedule> GpuOrdered(const loop::Kernel& plain, const Names& rows,
                                 const Machine& machine, const LikelySizes& sizes) {
  Nests nests = ExtractNests(plain);
  double most = 1;
  bool all_have_own = true;
  for (const Nest& nest : nests.nests) {
    double results = 1;
    for (size_t i = rows.size(); i < nest.main.loops.size(); ++i) {
      const NestLoop& loop = nest.main.loops[i];
      if (!loop.reduction) results *= LikelyLength(loop, sizes);
    }
    most = std::max(most, results);
    all_have_own &= !OwnResults(nest, rows.size()).empty();
  }
  std::vector<Schedule> schedules;
  if (all_have_own) {
    int64_t threads = machine.threads.sharing;
    while (threads * 2 <= machine.max_threads && static_cast<double>(threads) < most) threads *= 2;
    schedules.push_back(WorkgroupEach(nests, rows, threads));
  }
  const auto& loops = nests.nests.at(0).main.loops;
  if (!rows.empty()) {
    auto end = loops.begin() + static_cast<int64_t>(rows.size());
    schedules.push_back(ThreadEach({loops.begin(), end}, rows, machine));
  } else {
    // One thread for all.
    schedules.push_back({});
  }
  return schedules;
}

}  // namespace webnnc::schedule
