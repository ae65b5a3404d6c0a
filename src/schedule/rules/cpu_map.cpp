// Elementwise work: lanes are neighbours in the result.
//
//   for i { for j.0 { y[i, 8*j.0 + 4*v : 4] = relu(x[i, 8*j.0 + 4*v : 4]) for v in 0, 1 } }
//
// Where what is read differs along the loop (padding, concatenation), its ends run apart. What
// other loops' iterations compute each in a way of its own (loop::TransformWindows) is computed
// side by side, so that it is read once.
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
    std::vector<std::string> order, copies;
    for (const NestLoop& loop : view.loops()) {
      if (loop.name != lane_->name) CutWays(loop, schedule, order, copies);
    }
    bool several = copies.empty() &&
                   view.Estimate(lane_->extent) >=
                       static_cast<double>(machine.tiles.map_rounds * vectors * Machine::kLanes);
    schedule.push_back(Split{lane_->name, {several ? vectors : 1, Machine::kLanes}, Tail::kPeel});
    order.insert(order.end(), copies.begin(), copies.end() - inside_);
    order.push_back(lane_->name + ".0");
    order.insert(order.end(), copies.end() - inside_, copies.end());
    for (const char* part : {".1", ".2"}) order.push_back(lane_->name + part);
    schedule.push_back(Order{order});
    copies.push_back(lane_->name + ".1");
    schedule.push_back(Bind{LoopIds(copies), loop::LoopKind::kUnrolled});
    schedule.push_back(Bind{{lane_->name + ".2"}, loop::LoopKind::kVector});
    return schedule;
  }

 private:
  // Iterations that compute in ways of their own: each has code of its own.
  static constexpr int64_t kMostWays = 6;
  // Places far apart that are stored in turns: of more, which may share a set of the first cache,
  // lines leave it before they are full. Filters of 256 by 256 were transformed in 0.54 ms with 16,
  // and in 0.23 with 4.
  static constexpr int64_t kMostPlaces = 4;

  // Copies of a loop's body stand inside of the lanes' loop, of the last loops, and around it.
  void CutWays(const NestLoop& loop, Schedule& schedule, std::vector<std::string>& order,
               std::vector<std::string>& copies) {
    const int64_t ways = problem_.view().WaysOf(problem_.view().left(), loop);
    if (ways == 1 || ways > kMostWays) {
      order.push_back(loop.name);
      return;
    }
    places_ *= ways;
    ++inside_;
    for (; places_ > kMostPlaces && inside_ > 1; --inside_)
      places_ /= ways_[ways_.size() + 1 - static_cast<size_t>(inside_)];
    ways_.push_back(ways);
    if (loop.extent.Is(ways)) {
      copies.push_back(loop.name);
    } else {
      schedule.push_back(Split{loop.name, {ways}, Tail::kGuard});
      order.push_back(loop.name + ".0");
      copies.push_back(loop.name + ".1");
    }
  }

  // By loop; how many of the last are inside of the lanes' loop, and the product of these.
  std::vector<int64_t> ways_;
  int64_t inside_ = 0, places_ = 1;
  Problem& problem_;
  const NestLoop* lane_ = nullptr;
};

}  // namespace

constinit const Rule kCpuMap = RuleOf<CpuMap>();

}  // namespace webnnc::schedule
