// Stages in ordered loops, which share the loops over rows: recurrences, scatters. A workgroup a
// row where stages have loops of their own to divide among its threads, else a thread a row.
#include <algorithm>

#include "schedule/rules/rules.h"
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

class GpuOrdered {
 public:
  static constexpr std::string_view kName = "gpu_ordered";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kOrdered};
  // Threads that share a row; none where a thread has one of its own.
  struct Point {
    int64_t sharing = 0;
  };

  explicit GpuOrdered(Problem& problem)
      : rows_(problem.rows()),
        machine_(problem.machine()),
        sizes_(problem.sizes()),
        nests_(ExtractNests(problem.kernel())) {}

  bool Fits() { return true; }

  std::vector<Point> Space() {
    double most = 1;
    bool all_have_own = true;
    for (const Nest& nest : nests_.nests) {
      double results = 1;
      for (size_t i = rows_.size(); i < nest.main.loops.size(); ++i) {
        const NestLoop& loop = nest.main.loops[i];
        if (!loop.reduction) results *= LikelyLength(loop, sizes_);
      }
      most = std::max(most, results);
      all_have_own &= !OwnResults(nest, rows_.size()).empty();
    }
    if (!all_have_own) return {{}};
    int64_t threads = machine_.threads.sharing;
    while (threads * 2 <= machine_.max_threads && static_cast<double>(threads) < most) threads *= 2;
    return {{threads}, {}};
  }

  Schedule Write(const Point& point) {
    if (point.sharing > 0) return WorkgroupEach(nests_, rows_, point.sharing);
    // One thread for all.
    if (rows_.empty()) return {};
    auto loops = nests_.nests.at(0).main.loops.begin();
    return ThreadEach({loops, loops + static_cast<int64_t>(rows_.size())}, rows_, machine_);
  }

  double Seconds(const Point&) { return 0; }

 private:
  const Names& rows_;
  const Machine& machine_;
  const LikelySizes& sizes_;
  const Nests nests_;
};

}  // namespace

constinit const Rule kGpuOrdered = RuleOf<GpuOrdered>();

}  // namespace webnnc::schedule
