// Several stages that share the loops over rows: softmax, normalisation. Long rows get a workgroup
// each, of many short ones a workgroup takes several, and very short ones get a thread each. None
// where a likely number of rows would leave most of the device idle for long: then each stage is
// better a dispatch of its own.
#include <algorithm>

#include "schedule/rules/rules.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr double kElementBytes = 4;

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

class GpuRows {
 public:
  static constexpr std::string_view kName = "gpu_rows";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kRows};
  // Threads that share a row, and rows of a workgroup; none where a thread has one of its own.
  struct Point {
    int64_t sharing = 0, rows = 1;
  };

  explicit GpuRows(Problem& problem)
      : plain_(problem.kernel()),
        rows_(problem.rows()),
        target_(problem.target()),
        machine_(problem.machine()),
        limits_(machine_.threads),
        sizes_(problem.sizes()),
        loops_(LongestStage(plain_, rows_.size(), sizes_)) {
    for (const NestLoop& loop : loops_) {
      if (std::find(rows_.begin(), rows_.end(), loop.name) != rows_.end()) {
        fewest_rows_ *= sizes_.Low(loop.extent);
      } else {
        length_ *= LikelyLength(loop, sizes_);
        within_.push_back(loop.name);
      }
    }
    agree_ = !within_.empty() && StagesAgree(plain_, rows_.size(), loops_.size());
  }

  bool Fits() {
    // Few rows whose stages differ in their loops: nothing to divide among threads.
    bool idle = fewest_rows_ < static_cast<double>(machine_.cores * machine_.threads_per_core) &&
                IsTooLongAlone();
    if (!agree_) return !rows_.empty() && !idle;
    // A gate for each channel, and an image multiplied by it: rows are all that the two have in
    // common, and by itself the second stage has work for the whole machine.
    bool few = fewest_rows_ < static_cast<double>(machine_.cores * limits_.alone);
    if (few && IsFasterApart()) return false;
    return !few || length_ <= limits_.parted_row || LoopsAreSame(plain_, rows_.size());
  }

  std::vector<Point> Space() {
    if (!agree_) return {{}};
    std::vector<Point> space;
    if (std::optional<Point> point = SideBySide()) space.push_back(*point);
    if (length_ <= limits_.short_row && !rows_.empty()) {
      space.push_back({});
      return space;
    }
    int64_t threads = limits_.sharing;
    while (threads * 2 <= machine_.max_threads &&
           static_cast<double>(threads) * limits_.elements < length_)
      threads *= 2;
    space.push_back({threads});
    if (!rows_.empty()) space.push_back({});
    return space;
  }

  Schedule Write(const Point& point) {
    return point.sharing > 0 ? ThreadsEach(point) : ThreadEach();
  }

  double Seconds(const Point&) { return 0; }

 private:
  // Whether a thread that goes through a row's stages step by step, each of which waits for memory,
  // is slower than launches for each stage and for the sums' parts.
  bool IsTooLongAlone() const {
    double steps = 0, launches = 0;
    for (const loop::Stage& stage : loop::StagesOf(plain_)) {
      double length = 1;
      for (size_t i = rows_.size(); i < stage.loops.size(); ++i)
        length *= sizes_.Typical(stage.loops[i].extent);
      steps += length;
      launches += loop::IsReduction(stage) ? 2 : 1;
    }
    return steps > limits_.longest_alone ||
           steps * limits_.step_alone / machine_.clock > launches * machine_.launch;
  }

  // Whether a few cores that go through long rows take longer than all of them, with launches for
  // each stage and for the sums' parts.
  bool IsFasterApart() const {
    const std::vector<loop::Stage> stages = loop::StagesOf(plain_);
    double passes = 0, launches = 0;
    for (const loop::Stage& stage : stages) {
      if (stage.loops.size() <= rows_.size()) continue;
      ++passes;
      launches += loop::IsReduction(stage) ? 2 : 1;
    }
    const double row = length_ * kElementBytes / machine_.bandwidth * passes;
    const double cores = static_cast<double>(machine_.cores);
    double together = row * std::max(fewest_rows_, cores), apart = row * fewest_rows_;
    return apart + launches * machine_.launch < together * machine_.products.worth_factoring;
  }

  // Many short rows: a workgroup takes several, so that its threads read what lies side by side,
  // and each has some elements.
  std::optional<Point> SideBySide() const {
    // Subgroups combine a workgroup's threads in one go.
    double longest =
        target_.Has(Feature::kSubgroups) ? limits_.parted_row : limits_.longest_side_by_side;
    Point point{1, 1};
    while (static_cast<double>(point.sharing) * limits_.elements < length_) point.sharing *= 2;
    if (length_ > longest || static_cast<double>(point.sharing) < limits_.elements)
      return std::nullopt;
    const double most = fewest_rows_ / static_cast<double>(machine_.cores);
    while (static_cast<double>(point.rows * 2) <= most &&
           point.sharing * point.rows * 2 <= std::min(2 * limits_.alone, machine_.max_threads))
      point.rows *= 2;
    return point.rows > 1 ? std::optional(point) : std::nullopt;
  }

  Schedule ThreadEach() const {
    ScheduleBuilder build(loops_);
    auto parts =
        build.Split(build.Fuse(rows_, "r"), {std::min(limits_.alone, machine_.max_threads)});
    build.Bind({parts[0]}, LoopKind::kWorkgroupX);
    build.Bind({parts[1]}, LoopKind::kThread);
    build.Add(Merge{parts});
    return build.Take();
  }

  Schedule ThreadsEach(const Point& point) const {
    ScheduleBuilder build(loops_);
    Names merged, threads;
    if (!rows_.empty()) {
      merged = {build.Fuse(rows_, "r")};
      if (point.rows > 1) {
        auto rows = build.Split(merged[0], {point.rows});
        merged = {rows[0]};
        threads = {rows[1]};
      }
      build.Bind(merged, LoopKind::kWorkgroupX);
    }
    auto parts = build.Split(build.Fuse(within_, "q"), {point.sharing});
    threads.push_back(parts[1]);
    Names order = merged;
    order.insert(order.end(), threads.begin(), threads.end());
    order.push_back(parts[0]);
    build.OrderFirst(order);
    build.Bind(threads, LoopKind::kThread);
    build.Combine(parts[1],
                  target_.Has(Feature::kSubgroups) ? Combine::kBySubgroups : Combine::kOnce);
    if (!merged.empty()) build.Add(Merge{merged});
    return build.Take();
  }

  const loop::Kernel& plain_;
  const Names& rows_;
  const Target& target_;
  const Machine& machine_;
  const Machine::Threads& limits_;
  const LikelySizes& sizes_;
  const std::vector<NestLoop> loops_;  // of the longest stage
  Names within_;                       // those of them within a row
  double length_ = 1, fewest_rows_ = 1;
  bool agree_ = false;
};

}  // namespace

constinit const Rule kGpuRows = RuleOf<GpuRows>();

}  // namespace webnnc::schedule
