// Reductions and products that share all their loops: depthwise convolution, pooling, sums, matrix
// times vector. Threads divide the results first and then, if those are few, what is summed.
//
// The same is written for products of few rows: each thread computes all rows of its columns.
#include <algorithm>
#include <optional>
#include <set>

#include "loop/rewrite.h"
#include "schedule/rules/gpu_product.h"
#include "schedule/rules/rules.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes, kRowsOfBytes = 8;

// How threads divide what a kernel computes.
struct Division {
  int64_t sharing = 1;       // those that share a sum
  int64_t side_by_side = 1;  // neighbours with results of their own, in each workgroup
};

class Threads {
 public:
  // Each thread computes all results of the loops `kept`.
  Threads(Problem& problem, Names kept)
      : view_(problem.view()),
        target_(problem.target()),
        machine_(problem.machine()),
        build_(view_.loops()),
        kept_(std::move(kept)) {
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
    CutWords();
    ChooseLane();
  }

  // Whether what is multiplied is cut out of words.
  bool HasWords() const { return !in_word_.empty(); }

  // What threads may divide, the best first.
  std::vector<Division> Divisions() {
    Division best = Divide();
    std::vector<Division> all{best};
    if (in_word_.empty()) return all;
    for (int64_t sharing = machine_.max_threads; sharing > 1; sharing /= 2) {
      bool fits = sharing * best.side_by_side <= machine_.max_threads && Real(sharing) <= depth_;
      if (fits && sharing != best.sharing) all.push_back({sharing, best.side_by_side});
    }
    return all;
  }

  Division Divide() {
    if (std::optional<Division> division = DivideMatrix()) return *division;
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
    return {sharing, side_by_side};
  }

  Schedule Write(const Division& division) {
    if (view_.loops().empty()) return {};
    ScheduleBuilder build = build_;
    Names workgroup, threads, serial;
    std::string reduced_by_threads;
    bool has_results = !spatial_.empty();
    if (has_results) {
      build.OrderFirst(spatial_);
      auto parts = build.Split(build.Fuse(spatial_, "e"), {division.side_by_side});
      workgroup.push_back(parts[0]);
      threads.push_back(parts[1]);
    }
    if (division.sharing > 1 || !has_results) {
      Names order = workgroup;
      order.insert(order.end(), threads.begin(), threads.end());
      order.insert(order.end(), reduction_.begin(), reduction_.end());
      build.OrderFirst(order);
      std::string sum = build.Fuse(reduction_, "r");
      auto parts = build.Split(sum, {division.sharing});
      serial = {parts[0]};
      // Neighbours take neighbouring terms where those are side by side in memory.
      bool along_sum = lane_reduces_ || lane_.empty();
      threads.insert(along_sum ? threads.end() : threads.begin(), parts[1]);
      reduced_by_threads = parts[1];
    } else {
      serial = reduction_;
    }
    Names order = workgroup;
    order.insert(order.end(), threads.begin(), threads.end());
    order.insert(order.end(), serial.begin(), serial.end());
    order.insert(order.end(), in_word_.begin(), in_word_.end());
    order.insert(order.end(), kept_.begin(), kept_.end());
    if (!lane_.empty()) order.push_back(lane_);
    build.OrderFirst(order);
    build.Bind(workgroup, LoopKind::kWorkgroupX);
    build.Bind(threads, LoopKind::kThread);
    if (!lane_.empty()) build.Bind({lane_}, LoopKind::kVector);
    if (!reduced_by_threads.empty())
      build.Combine(reduced_by_threads,
                    target_.Has(Feature::kSubgroups) ? Combine::kBySubgroups : Combine::kOnce);
    if (lane_reduces_) build.Combine(lane_);
    if (!kept_.empty()) build.Bind(kept_, LoopKind::kUnrolled);
    if (!kept_.empty() && !workgroup.empty()) build.Keep(workgroup.back());
    UnrollShort(build, serial);
    if (!in_word_.empty()) MultiplyWords(build, serial.back());
    return build.Take();
  }

 private:
  // Elements of a word, or a few rows of bytes, are one thread's, who has those of four columns: a
  // vector, whose neighbours are those of the threads beside it.
  void CutWords() {
    if (view_.ReductionLoops().empty()) return;
    const NestLoop& last = *view_.ReductionLoops().back();
    int64_t elements = 1;
    for (loop::ExprId side : Sides())
      elements = std::max({elements, view_.ElementsInWord(side, last), RowsOfBytes(side, last)});
    if (elements % kLanes != 0 || KnownDivisor(last.extent) % elements != 0) return;
    Names parts = build_.Split(last.name, {elements / kLanes, kLanes});
    reduction_.back() = parts[0];
    in_word_ = {parts[1], parts[2]};
    depth_ /= Real(elements);
  }

  // Of a panel of bytes whose columns are whole vectors a thread has several rows, whose loads do
  // not wait for each other.
  int64_t RowsOfBytes(loop::ExprId side, const NestLoop& loop) {
    bool whole = !spatial_loops_.empty() &&
                 KnownDivisor(spatial_loops_.back()->extent) % kLanes == 0 &&
                 view_.StoreStride(*spatial_loops_.back()) == Stride::kOne;
    if (!whole) return 1;
    bool reads = false;
    loop::ForEachExpr(view_.kernel(), side, [&](loop::ExprId id) {
      auto* load = std::get_if<loop::Load>(&view_.kernel().exprs[id].node);
      if (!load || !view_.DependsOn(id, loop)) return;
      const loop::Buffer& buffer = view_.kernel().buffers[load->buffer];
      reads |= buffer.panels && ByteSize(buffer.type.dtype) == 1;
    });
    return reads ? kRowsOfBytes : 1;
  }

  // In each iteration of `at`: what multiplies the words is loaded by vectors, and what a block of
  // elements has in common, its scale, is multiplied once they are summed.
  void MultiplyWords(ScheduleBuilder& build, const std::string& at) {
    const NestLoop& last = *view_.ReductionLoops().back();
    build.Add(Subtotal{at});
    build.Bind(in_word_, LoopKind::kUnrolled);
    Names layout = kept_;
    layout.insert(layout.end(), in_word_.begin(), in_word_.end());
    for (const Operand& operand : Vectors(last)) {
      Stage rows{operand, at, loop::Space::kRegister, layout};
      rows.lanes = kLanes;
      build.Add(rows);
    }
  }

  // What lies side by side along a loop: sides of the product, or what several parts load.
  std::set<Operand> Vectors(const NestLoop& loop) const {
    std::set<Operand> vectors;
    auto add = [&](const Operand& operand, loop::ExprId value) {
      if (view_.StrideOf(value, loop) == Stride::kOne) vectors.insert(operand);
    };
    if (view_.is_product()) {
      add(Operand::kLeft, view_.left());
      add(Operand::kRight, view_.right());
      return vectors;
    }
    for (loop::ExprId side : Sides()) {
      loop::ForEachExpr(view_.kernel(), side, [&](loop::ExprId id) {
        auto* load = std::get_if<loop::Load>(&view_.kernel().exprs[id].node);
        if (load) add({Operand::kLoad, view_.kernel().buffers[load->buffer].name}, id);
      });
    }
    return vectors;
  }

  // Four lanes along the loop through memory: results side by side, or parts of one sum.
  void ChooseLane() {
    for (bool reduction : {false, true}) {
      for (const NestLoop& loop : view_.loops()) {
        // What is kept is one thread's, all of it.
        bool is_kept = std::find(kept_.begin(), kept_.end(), loop.name) != kept_.end();
        // So are the elements of a word, whose loop is cut already.
        bool is_cut = reduction && !in_word_.empty();
        if (!lane_.empty() || loop.reduction != reduction || is_kept || is_cut ||
            KnownDivisor(loop.extent) % kLanes != 0)
          continue;
        Stride stride = reduction ? ValueStride(loop) : view_.StoreStride(loop);
        if (stride != Stride::kOne) continue;
        // Four results of one thread are three workgroups less, and its reads lie apart.
        bool apart = !reduction && in_word_.empty() &&
                     view_.nest().kind == loop::StageKind::kReduce &&
                     ValueStride(loop) != Stride::kOne;
        if (apart && results_ < Real(kLanes * machine_.cores)) continue;
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

  // What is multiplied and then summed, in all parts of the reduction; what is only summed is by
  // itself.
  std::vector<loop::ExprId> Sides() const {
    std::vector<loop::ExprId> sides;
    for (const loop::Part& part : view_.nest().parts) {
      auto* product = std::get_if<loop::Binary>(&view_.kernel().exprs[part.term].node);
      bool multiplies = product && product->op == loop::BinaryOp::kMul;
      if (multiplies) sides.insert(sides.end(), {product->a, product->b});
      if (!multiplies) sides.push_back(part.term);
    }
    return sides;
  }

  // How what is summed moves: along a row of a matrix that is multiplied by a vector, with the row.
  Stride ValueStride(const NestLoop& loop) {
    std::vector<loop::ExprId> sides = Sides();
    bool any = std::any_of(sides.begin(), sides.end(), [&](loop::ExprId side) {
      return view_.StrideOf(side, loop) == Stride::kOne;
    });
    return any ? Stride::kOne : Stride::kOther;
  }

  // The largest power of two up to `limit` and up to `value`.
  static int64_t PowerBelow(double value, int64_t limit) {
    int64_t power = 1;
    while (power * 2 <= limit && static_cast<double>(power * 2) <= value) power *= 2;
    return power;
  }

  // The side of a product that is a matrix, where the other is a vector, or a few rows; or neither.
  std::optional<loop::ExprId> Matrix() const {
    if (view_.ReductionLoops().size() != 1 && in_word_.empty()) return std::nullopt;
    for (loop::ExprId side : Sides()) {
      bool is_matrix =
          view_.DependsOn(side, *view_.ReductionLoops().back()) &&
          std::all_of(spatial_loops_.begin(), spatial_loops_.end(),
                      [&](const NestLoop* loop) { return view_.DependsOn(side, *loop); });
      if (is_matrix && !spatial_loops_.empty()) return side;
    }
    return std::nullopt;
  }

  // Of a matrix that is read once neighbours read what lies side by side, and all threads of a
  // workgroup are busy with the same few results.
  std::optional<Division> DivideMatrix() {
    const Machine::Threads& limits = machine_.threads;
    std::optional<loop::ExprId> matrix = Matrix();
    if (matrix && !in_word_.empty()) {
      int64_t across = Machine::kPanelVectors;
      // So many that each has few words, whose loads are all on their way before the first is used.
      double sharing = std::max(
          {Real(limits.sharing), 2 * Busy() / results_, 2 * depth_ / Real(limits.unrolled_sums)});
      return Division{PowerBelow(std::min(sharing, depth_), machine_.max_threads / across), across};
    }
    if (!matrix || depth_ < limits.short_sum) return std::nullopt;
    if (view_.StrideOf(*matrix, *view_.ReductionLoops()[0]) == Stride::kOne)
      return Division{PowerBelow(depth_, machine_.max_threads), 1};
    if (lane_.empty() || lane_reduces_ || results_ >= Busy()) return std::nullopt;
    bool panels = view_.IsPanelled(*matrix, *spatial_loops_.back());
    int64_t across = panels ? Machine::kPanelVectors : limits.in_a_line / 2;
    while (across > limits.in_half_a_vector && results_ < Real(across * machine_.cores))
      across /= 2;
    return Division{PowerBelow(depth_ / limits.fewest_terms, machine_.max_threads / across),
                    across};
  }

  static double Real(int64_t value) { return static_cast<double>(value); }
  double Busy() const {
    return Real(machine_.cores * machine_.threads_per_core) * machine_.threads.enough;
  }

  // Windows of a few taps.
  void UnrollShort(ScheduleBuilder& build, const Names& serial) {
    int64_t copies = 1;
    for (size_t i = serial.size(); i-- > 0;) {
      const Dim& extent = build.Find(serial[i]).extent;
      if (!extent.IsConstant() || copies * extent.value() > machine_.threads.unrolled_sums) return;
      copies *= extent.value();
      build.Bind({serial[i]}, LoopKind::kUnrolled);
    }
  }

  NestView& view_;
  const Target& target_;
  const Machine& machine_;
  ScheduleBuilder build_;
  Names kept_, spatial_, reduction_, in_word_;
  std::vector<const NestLoop*> spatial_loops_;
  double results_ = 1, depth_ = 1;  // in vectors, where lanes are used
  std::string lane_;
  bool lane_reduces_ = false;
};

class GpuReduction {
 public:
  static constexpr std::string_view kName = "gpu_reduction";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kReduction, Kind::kContraction};
  using Point = Division;

  explicit GpuReduction(Problem& problem) : threads_(problem, {}) {}

  bool Fits() { return true; }
  std::vector<Point> Space() { return threads_.Divisions(); }
  Schedule Write(const Point& point) { return threads_.Write(point); }
  double Seconds(const Point&) { return 0; }

 private:
  Threads threads_;
};

class GpuFewRows {
 public:
  static constexpr std::string_view kName = "gpu_few_rows";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kContraction};
  using Point = Division;

  explicit GpuFewRows(Problem& problem) : product_(problem), threads_(problem, product_.m) {}

  bool Fits() {
    if (!product_.IsValid()) return false;
    Dim rows = 1;
    for (const std::string& name : product_.m) rows = rows * product_.Loop(name).extent;
    return rows.IsConstant() && rows.value() <= product_.machine.threads.most_rows &&
           (product_.k.size() == 1 || threads_.HasWords()) && product_.n.size() == 1;
  }

  std::vector<Point> Space() { return threads_.Divisions(); }
  Schedule Write(const Point& point) { return threads_.Write(point); }

  // Columns are read once, which is what takes the time: no tile reads less.
  double Seconds(const Point&) {
    double seconds = 0;
    for (const ProductSize& p : product_.sizes)
      seconds += p.batch * p.n * p.k * p.element_bytes / product_.machine.bandwidth;
    return seconds;
  }

 private:
  GpuProduct product_;
  Threads threads_;
};

}  // namespace

constinit const Rule kGpuReduction = RuleOf<GpuReduction>();
constinit const Rule kGpuFewRows = RuleOf<GpuFewRows>();

}  // namespace webnnc::schedule
