#include "schedule/rules/cpu_map.h"

namespace webnnc::schedule {

namespace {

// The loop whose neighbours are stored side by side, and best also read so.
const NestLoop* FindLanes(NestView& view) {
  const NestLoop* best = nullptr;
  for (const NestLoop& loop : view.loops()) {
    if (view.StoreStride(loop) != Stride::kOne || view.Estimate(loop.extent) < Machine::kLanes)
      continue;
    best = &loop;
    if (view.StrideOf(view.left(), loop) == Stride::kOne) break;
  }
  return best;
}

// The ends where conditions may not hold, unless they end where a vector does.
std::optional<Peel> PeelEnds(NestView& view, const NestLoop& loop) {
  auto border = view.BorderOf(view.left(), loop);
  if (!border || !loop.extent.IsConstant()) return std::nullopt;
  int64_t extent = loop.extent.value(), last = border->last;
  if (border->first + last == 0) return std::nullopt;
  bool aligned = border->first % Machine::kLanes == 0 && (extent - last) % Machine::kLanes == 0;
  if (aligned || border->first + last >= extent) return std::nullopt;
  return Peel{loop.name, border->first, last};
}

}  // namespace

std::optional<Schedule> ScheduleCpuMap(NestView& view, const Machine& machine) {
  if (view.is_reduction() || view.nest_count() != 1) return std::nullopt;
  const NestLoop* lane = FindLanes(view);
  if (!lane) return std::nullopt;
  Schedule schedule;
  if (auto peel = PeelEnds(view, *lane)) schedule.push_back(*peel);
  int64_t vectors = machine.tiles.map_vectors;
  bool several = view.Estimate(lane->extent) >=
                 static_cast<double>(machine.tiles.map_rounds * vectors * Machine::kLanes);
  schedule.push_back(Split{lane->name, {several ? vectors : 1, Machine::kLanes}, Tail::kPeel});
  std::vector<std::string> order;
  for (const NestLoop& loop : view.loops()) {
    if (loop.name != lane->name) order.push_back(loop.name);
  }
  for (const char* part : {".0", ".1", ".2"}) order.push_back(lane->name + part);
  schedule.push_back(Order{order});
  schedule.push_back(Bind{{lane->name + ".1"}, loop::LoopKind::kUnrolled});
  schedule.push_back(Bind{{lane->name + ".2"}, loop::LoopKind::kVector});
  return schedule;
}

}  // namespace webnnc::schedule
