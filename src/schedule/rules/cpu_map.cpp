// Elementwise work: lanes are neighbours in the result.
//
//   for i { for j.0 { y[i, 8*j.0 + 4*v : 4] = relu(x[i, 8*j.0 + 4*v : 4]) for v in 0, 1 } }
//
// Where what is read differs along the loop (padding, concatenation), its ends run apart.
#include "schedule/rules/rules.h"

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

class CpuMap : public OnePoint {
 public:
  static constexpr std::string_view kName = "cpu_map";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kMap};

  explicit CpuMap(Problem& problem) : problem_(problem) {}

  bool Fits() {
    lane_ = FindLanes(problem_.view());
    return lane_ != nullptr;
  }

  Schedule Write(const Point&) {
    NestView& view = problem_.view();
    const Machine& machine = problem_.machine();
    Schedule schedule;
    if (auto peel = PeelEnds(view, *lane_)) schedule.push_back(*peel);
    int64_t vectors = machine.tiles.map_vectors;
    bool several = view.Estimate(lane_->extent) >=
                   static_cast<double>(machine.tiles.map_rounds * vectors * Machine::kLanes);
    schedule.push_back(Split{lane_->name, {several ? vectors : 1, Machine::kLanes}, Tail::kPeel});
    std::vector<std::string> order;
    for (const NestLoop& loop : view.loops()) {
      if (loop.name != lane_->name) order.push_back(loop.name);
    }
    for (const char* part : {".0", ".1", ".2"}) order.push_back(lane_->name + part);
    schedule.push_back(Order{order});
    schedule.push_back(Bind{{lane_->name + ".1"}, loop::LoopKind::kUnrolled});
    schedule.push_back(Bind{{lane_->name + ".2"}, loop::LoopKind::kVector});
    return schedule;
  }

 private:
  Problem& problem_;
  const NestLoop* lane_ = nullptr;
};

}  // namespace

constinit const Rule kCpuMap = RuleOf<CpuMap>();

}  // namespace webnnc::schedule
