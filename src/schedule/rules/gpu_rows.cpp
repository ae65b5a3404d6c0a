#include <algorithm>
#include <map>

#include "schedule/rules/gpu.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

// The loops of the stage that has most within a row, and of these the one that runs longest.
std::vector<NestLoop> LongestStage(const loop::Kernel& plain, size_t rows,
                                   const LikelySizes& sizes) {
  Nests nests = ExtractNests(plain);
  std::vector<NestLoop> longest;
  double longest_row = 0;
  for (const Nest& nest : nests.nests) {
    const std::vector<NestLoop>& loops = nest.main.loops;
    double row = 1;
    for (size_t i = rows; i < loops.size(); ++i) row *= LikelyLength(loops[i], sizes);
    bool more = loops.size() > longest.size();
    if (!more && (loops.size() < longest.size() || row <= longest_row)) continue;
    longest = loops;
    longest_row = row;
  }
  return longest;
}

// Whether every stage has either all of the loops within a row or none.
bool StagesAgree(const loop::Kernel& plain, size_t rows, size_t all) {
  for (const Nest& nest : ExtractNests(plain).nests) {
    size_t count = nest.main.loops.size();
    if (count != rows && count != all) return false;
  }
  return true;
}

// Whether all that have loops within a row have the same: what is long in one is long in all.
bool LoopsAreSame(const loop::Kernel& plain, size_t rows) {
  std::vector<Dim> known;
  for (const Nest& nest : ExtractNests(plain).nests) {
    std::vector<Dim> extents;
    for (size_t i = rows; i < nest.main.loops.size(); ++i)
      extents.push_back(nest.main.loops[i].extent);
    if (extents.empty()) continue;
    if (!known.empty() && extents != known) return false;
    known = extents;
  }
  return true;
}

}  // namespace

std::vector<Schedule> GpuRows(const loop::Kernel& plain, const Names& rows, const Target& target,
                              const LikelySizes& sizes) {
  const Machine& machine = *target.machine;
  const Machine::Threads& limits = machine.threads;
  std::vector<NestLoop> loops = LongestStage(plain, rows.size(), sizes);
  Names within;
  double length = 1, fewest_rows = 1;
  for (const NestLoop& loop : loops) {
    bool is_row = std::find(rows.begin(), rows.end(), loop.name) != rows.end();
    if (is_row) {
      fewest_rows *= sizes.Low(loop.extent);
    } else {
      length *= LikelyLength(loop, sizes);
      within.push_back(loop.name);
    }
  }
  auto thread_each = [&] {
    ScheduleBuilder build(loops);
    auto parts = build.Split(build.Fuse(rows, "r"), {std::min(limits.alone, machine.max_threads)});
    build.Bind({parts[0]}, LoopKind::kWorkgroupX);
    build.Bind({parts[1]}, LoopKind::kThread);
    build.Add(Merge{parts});
    return build.Take();
  };
  auto workgroup_each = [&] {
    ScheduleBuilder build(loops);
    Names merged;
    if (!rows.empty()) {
      merged = {build.Fuse(rows, "r")};
      build.Bind(merged, LoopKind::kWorkgroupX);
    }
    int64_t threads = limits.sharing;
    while (threads * 2 <= machine.max_threads &&
           static_cast<double>(threads) * limits.elements < length)
      threads *= 2;
    auto parts = build.Split(build.Fuse(within, "q"), {threads});
    build.OrderFirst([&] {
      Names order = merged;
      order.insert(order.end(), {parts[1], parts[0]});
      return order;
    }());
    build.Bind({parts[1]}, LoopKind::kThread);
    build.Combine(parts[1], target.Has(Feature::kSubgroups));
    if (!merged.empty()) build.Add(Merge{merged});
    return build.Take();
  };
  // Few rows whose stages differ in their loops: nothing to divide among threads.
  bool agree = !within.empty() && StagesAgree(plain, rows.size(), loops.size());
  bool idle = fewest_rows < static_cast<double>(machine.cores * machine.threads_per_core) &&
              length > limits.longest_alone;
  if (!agree && (rows.empty() || idle)) return {};
  // A gate for each channel, and an image multiplied by it: rows are all that the two have in
  // common, and by itself the second stage has work for the whole machine.
  bool few = fewest_rows < static_cast<double>(machine.cores * limits.alone);
  if (agree && few && length > limits.parted_row && !LoopsAreSame(plain, rows.size())) return {};
  if (!agree || (length <= limits.short_row && !rows.empty())) return {thread_each()};
  std::vector<Schedule> schedules{workgroup_each()};
  if (!rows.empty()) schedules.push_back(thread_each());
  return schedules;
}

}  // namespace webnnc::schedule
