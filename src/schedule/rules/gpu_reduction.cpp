#include <algorithm>
#include <optional>

#include "schedule/rules/gpu.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes;

class ReductionRule {
 public:
  // Each thread computes all results of the loops `kept`.
  ReductionRule(NestView& view, const Target& target, Names kept = {})
      : view_(view),
        target_(target),
        machine_(*target.machine),
        build_(view.loops()),
        kept_(std::move(kept)) {}

  std::vector<Schedule> Run() {
    if (view_.loops().empty()) return {{}};
    for (const NestLoop* loop : view_.ReductionLoops()) reduction_.push_back(loop->name);
    for (const NestLoop& loop : view_.loops()) {
      // With few results threads share them: as many as are needed when there are fewest.
      if (loop.reduction) {
        depth_ *= std::max(1.0, LikelyLength(loop, view_.sizes()));
      } else if (std::find(kept_.begin(), kept_.end(), loop.name) == kept_.end()) {
        results_ *= std::max(1.0, view_.sizes().Low(loop.extent));
        spatial_.push_back(loop.name);
        spatial_loops_.push_back(&loop);
      }
    }
    ChooseLane();
    return {Threads()};
  }

 private:
  // Four lanes along the loop through memory: results side by side, or parts of one sum.
  void ChooseLane() {
    for (bool reduction : {false, true}) {
      for (const NestLoop& loop : view_.loops()) {
        if (!lane_.empty() || loop.reduction != reduction ||
            KnownDivisor(loop.extent) % kLanes != 0)
          continue;
        Stride stride = reduction ? ValueStride(loop) : view_.StoreStride(loop);
        if (stride != Stride::kOne) continue;
        lane_reduces_ = reduction;
        auto parts = build_.Split(loop.name, {kLanes});
        lane_ = parts[1];
        Names& names = reduction ? reduction_ : spatial_;
        names.erase(std::find(names.begin(), names.end(), loop.name));
        names.push_back(parts[0]);
        (reduction ? depth_ : results_) /= kLanes;
      }
    }
  }

  // How what is summed moves: along a row of a matrix that is multiplied by a vector, with the row.
  Stride ValueStride(const NestLoop& loop) {
    Stride left = view_.StrideOf(view_.left(), loop);
    if (!view_.is_product()) return left;
    Stride right = view_.StrideOf(view_.right(), loop);
    return left == Stride::kOne || right == Stride::kOne ? Stride::kOne : Stride::kOther;
  }

  // The largest power of two up to `limit` and up to `value`.
  static int64_t PowerBelow(double value, int64_t limit) {
    int64_t power = 1;
    while (power * 2 <= limit && static_cast<double>(power * 2) <= value) power *= 2;
    return power;
  }

  // The side of a product that is a matrix, where the other is a vector, or a few rows; or neither.
  std::optional<loop::ExprId> Matrix() const {
    if (!view_.is_product() || view_.ReductionLoops().size() != 1) return std::nullopt;
    for (loop::ExprId side : {view_.left(), view_.right()}) {
      bool is_matrix =
          std::all_of(spatial_loops_.begin(), spatial_loops_.end(),
                      [&](const NestLoop* loop) { return view_.DependsOn(side, *loop); });
      if (is_matrix && !spatial_loops_.empty()) return side;
    }
    return std::nullopt;
  }

  // Of a matrix that is read once neighbours read what lies side by side, and all threads of a
  // workgroup are busy with the same few results.
  std::optional<Schedule> ThreadsOfMatrix() {
    const Machine::Threads& limits = machine_.threads;
    std::optional<loop::ExprId> matrix = Matrix();
    if (!matrix || depth_ < limits.short_sum) return std::nullopt;
    if (view_.StrideOf(*matrix, *view_.ReductionLoops()[0]) == Stride::kOne)
      return Write(PowerBelow(depth_, machine_.max_threads), 1);
    if (lane_.empty() || lane_reduces_ || results_ >= Busy()) return std::nullopt;
    bool panels = view_.IsPanelled(*matrix, *spatial_loops_.back());
    int64_t across = panels ? Machine::kPanelVectors : limits.in_a_line / 2;
    while (across > limits.in_half_a_vector && results_ < Real(across * machine_.cores))
      across /= 2;
    return Write(PowerBelow(depth_ / limits.fewest_terms, machine_.max_threads / across), across);
  }

  static double Real(int64_t value) { return static_cast<double>(value); }
  double Busy() const {
    return Real(machine_.cores * machine_.threads_per_core) * machine_.threads.enough;
  }

  Schedule Threads() {
    if (std::optional<Schedule> schedule = ThreadsOfMatrix()) return *schedule;
    const Machine::Threads& limits = machine_.threads;
    double wanted = Busy();
    int64_t sharing = 1;
    bool along_sum = lane_reduces_ || lane_.empty();
    if (results_ < wanted && depth_ >= limits.short_sum) {
      sharing = PowerBelow(std::min(wanted / results_ * 2, depth_ / limits.fewest_terms),
                           machine_.max_threads);
    }
    int64_t most = machine_.max_threads / sharing, side_by_side = std::min(most, limits.alone);
    if (sharing > 1) {
      // Memory is read in pieces of 32 bytes; more than that side by side is only good for the
      // count.
      int64_t fewest = along_sum ? 1 : limits.in_half_a_vector;
      side_by_side = std::min(most, limits.in_a_line);
      while (side_by_side > fewest &&
             results_ / static_cast<double>(side_by_side) < static_cast<double>(machine_.cores)) {
        side_by_side /= 2;
      }
    }
    return Write(sharing, side_by_side);
  }

  Schedule Write(int64_t sharing, int64_t side_by_side) {
    Names workgroup, threads, serial;
    bool has_results = !spatial_.empty();
    if (has_results) {
      build_.OrderFirst(spatial_);
      auto parts = build_.Split(build_.Fuse(spatial_, "e"), {side_by_side});
      workgroup.push_back(parts[0]);
      threads.push_back(parts[1]);
    }
    if (sharing > 1 || !has_results) {
      Names order = workgroup;
      order.insert(order.end(), threads.begin(), threads.end());
      order.insert(order.end(), reduction_.begin(), reduction_.end());
      build_.OrderFirst(order);
      std::string sum = build_.Fuse(reduction_, "r");
      auto parts = build_.Split(sum, {sharing});
      serial = {parts[0]};
      // Neighbours take neighbouring terms where those are side by side in memory.
      bool along_sum = lane_reduces_ || lane_.empty();
      threads.insert(along_sum ? threads.end() : threads.begin(), parts[1]);
      reduced_by_threads_ = parts[1];
    } else {
      serial = reduction_;
    }
    Names order = workgroup;
    order.insert(order.end(), threads.begin(), threads.end());
    order.insert(order.end(), serial.begin(), serial.end());
    order.insert(order.end(), kept_.begin(), kept_.end());
    if (!lane_.empty()) order.push_back(lane_);
    build_.OrderFirst(order);
    build_.Bind(workgroup, LoopKind::kWorkgroupX);
    build_.Bind(threads, LoopKind::kThread);
    if (!lane_.empty()) build_.Bind({lane_}, LoopKind::kVector);
    if (!reduced_by_threads_.empty())
      build_.Combine(reduced_by_threads_, target_.Has(Feature::kSubgroups));
    if (lane_reduces_) build_.Combine(lane_);
    if (!kept_.empty()) build_.Bind(kept_, LoopKind::kUnrolled);
    if (!kept_.empty() && !workgroup.empty()) build_.Keep(workgroup.back());
    UnrollShort(serial);
    return build_.Take();
  }

  // Windows of a few taps.
  void UnrollShort(const Names& serial) {
    int64_t copies = 1;
    for (size_t i = serial.size(); i-- > 0;) {
      const Dim& extent = build_.Find(serial[i]).extent;
      if (!extent.IsConstant() || copies * extent.value() > machine_.threads.unrolled_sums) return;
      copies *= extent.value();
      build_.Bind({serial[i]}, LoopKind::kUnrolled);
    }
  }

  NestView& view_;
  const Target& target_;
  const Machine& machine_;
  ScheduleBuilder build_;
  Names kept_, spatial_, reduction_;
  std::vector<const NestLoop*> spatial_loops_;
  double results_ = 1, depth_ = 1;  // in vectors, where lanes are used
  std::string lane_, reduced_by_threads_;
  bool lane_reduces_ = false;
};

}  // namespace

Schedule GpuFewRows(NestView& view, const Target& target, const Names& rows) {
  return ReductionRule(view, target, rows).Run()[0];
}

std::vector<Schedule> GpuReduction(NestView& view, const Target& target) {
  return ReductionRule(view, target).Run();
}

}  // namespace webnnc::schedule
