// Reductions whose value has no two sides to keep apart: sums and maxima along axes, pooling,
// depthwise convolutions. Lanes are neighbours in the result where they are in the operand too:
//
//   for y { for x.0 { for c.0 {
//     acc[5] = 0
//     for ky { kx unrolled: acc[x.1] += x[y + ky, 5*x.0 + x.1 + kx, 4*c.0 : 4] * w[ky, kx, ...] }
//     y[y, 5*x.0 + x.1, 4*c.0 : 4] = acc[x.1]
//   } } }
//
// A window's neighbours share most of what they read, so that a few stay in registers together.
// Of other sums as many vectors do as hide how long an addition takes, and weights may be in panels
// as wide as those, so that they are read as one stream (cpu_panel_width.h).
// Where the operand's neighbours are summed over instead, lanes sum parts of it.
#include <algorithm>
#include <cmath>

#include "loop/rewrite.h"
#include "schedule/rules/cpu_panel_width.h"
#include "schedule/rules/rules.h"
#include "schedule/rules/subtotals.h"

namespace webnnc::schedule {

namespace {

using Loops = std::vector<const NestLoop*>;

// Cycles that must be saved so that a vector more than usual is worth its code: for its sum, and
// for each operation on the result.
constexpr double kOperationsCode = 300;

class CpuReduction {
 public:
  // How many vectors of results are side by side, where there may be several, and the panels' width
  // if it is another one than weights have.
  struct Point {
    int64_t vectors = 1, panel = 0;
    double seconds = 0;
  };

  static constexpr std::string_view kName = "cpu_reduction";
  static constexpr Processor kProcessor = Processor::kCpu;
  static constexpr Kind kKinds[] = {Kind::kReduction, Kind::kContraction};

  explicit CpuReduction(Problem& problem)
      : view_(problem.view()),
        plain_(problem.kernel()),
        limits_(problem.machine().tiles),
        caches_(problem.machine().caches),
        clock_(problem.machine().clock),
        value_(view_.nest().value()),
        spatial_(view_.SpatialLoops()),
        sums_(view_.ReductionLoops()) {}

  bool Fits() {
    // A vector of sums is stored element by element, once for all that is summed.
    return FindLanes(Stride::kOne) || FindSum() || FindLanes(Stride::kOther) || FindSteps();
  }

  std::vector<Point> Space() {
    if (lane_->reduction || !SumsSimply()) return {{.vectors = UsualVectors()}};
    std::vector<Point> points;
    const std::vector<int64_t> columns = ColumnsOf(plain_, view_.PanelsAlong(value_, *lane_));
    for (int64_t vectors = 1; vectors <= limits_.most_result_vectors; ++vectors) {
      const int64_t width = vectors * Machine::kLanes;
      if (width > std::max(lane_->extent.value(), Machine::kLanes)) break;
      points.push_back({vectors, 0, SecondsOf(vectors, Machine::kPanelWidth)});
      if (CanPack(columns, width)) points.push_back({vectors, width, SecondsOf(vectors, width)});
    }
    const double code = kOperationsCode * static_cast<double>(1 + OperationsOnResult());
    std::ranges::stable_sort(points, {}, [&](const Point& point) {
      const int64_t more = std::max<int64_t>(0, point.vectors - UsualVectors());
      return point.seconds + static_cast<double>(more) * code / clock_;
    });
    return points;
  }

  Schedule Write(const Point& point) {
    schedule_.clear();
    if (lane_->reduction) return AlongSum();
    if (point.panel > 0) {
      for (loop::BufferId panels : view_.PanelsAlong(value_, *lane_))
        schedule_.push_back(Pack{view_.kernel().buffers[panels].name, point.panel});
    }
    return AlongResult(point.vectors);
  }

  double Seconds(const Point& point) { return point.seconds; }

 protected:
  // Whether it is a product by weights of rows of which there is typically one, but may be more.
  bool HasOneRow() {
    if (lane_->reduction || !SumsSimply() || !view_.IsPanelled(value_, *lane_)) return false;
    double rows = 1;
    for (const NestLoop* loop : spatial_) {
      if (loop != lane_) rows *= view_.Estimate(loop->extent);
    }
    return rows < 2;
  }

 private:
  // ---- Lanes are neighbours in the result

  bool FindLanes(Stride store) {
    for (size_t i = spatial_.size(); i-- > 0;) {
      const NestLoop& loop = *spatial_[i];
      bool fits = view_.StrideOf(value_, loop) == Stride::kOne &&
                  view_.StoreStride(loop) == store &&
                  view_.Estimate(loop.extent) >= Machine::kLanes;
      if (!fits) continue;
      lane_ = &loop;
      return true;
    }
    return false;
  }

  // Lanes are a few elements apart in the operand, as with a stride of two: vectors hold several of
  // them, but not where each lane asks whether it is inside. So borders run apart.
  bool FindSteps() {
    for (size_t i = spatial_.size(); i-- > 0;) {
      const NestLoop& loop = *spatial_[i];
      if (!loop.extent.IsConstant() || view_.StoreStride(loop) != Stride::kOne ||
          !view_.MovesInShortSteps(value_, loop))
        continue;
      auto border = view_.BorderOf(value_, loop);
      if (!border || loop.extent.value() - border->first - border->last < Machine::kLanes) continue;
      lane_ = &loop;
      border_ = *border;
      in_steps_ = true;
      return true;
    }
    return false;
  }

  // The innermost sum over a window, if it is short enough to be copied. Those around it stay
  // loops: what copies add to one result is moved together behind all that they load, and of more
  // than one row of a window that is more than registers hold.
  std::vector<std::string> UnrolledSums() const {
    std::vector<std::string> names;
    for (size_t i = sums_.size(); i-- > 0;) {
      const Dim& extent = sums_[i]->extent;
      if (!extent.IsConstant() || extent.value() > limits_.unrolled_sums) break;
      names.push_back(sums_[i]->name);
      if (extent.value() > 1) break;
    }
    return names;
  }

  // The loop whose neighbours' windows overlap in memory rows that have been read: the innermost
  // one that the operand depends on, lanes aside.
  const NestLoop* WindowLoop() const {
    for (size_t i = spatial_.size(); i-- > 0;) {
      if (spatial_[i] != lane_ && view_.DependsOn(value_, *spatial_[i])) return spatial_[i];
    }
    return nullptr;
  }

  // Whose sums stay in registers together. Pairs of integers take registers of their own.
  int64_t Neighbours() const { return limits_.window_neighbours * (view_.SumsPairs() ? 1 : 2); }

  // How many neighbours share a tile, so that few stand over the end.
  int64_t TileOf(int64_t extent) const {
    int64_t best = 1;
    double lowest = INFINITY;
    for (int64_t tile = 1; tile <= std::min(Neighbours(), extent); ++tile) {
      // Loads of rows that neighbours share, and of the other side, are paid once a tile.
      double tiles = std::ceil(static_cast<double>(extent) / static_cast<double>(tile));
      double cost = tiles * (static_cast<double>(tile) + limits_.window_overhead);
      if (cost > lowest) continue;
      lowest = cost;
      best = tile;
    }
    return best;
  }

  int64_t OperationsOnResult() const {
    int64_t count = 0;
    for (const loop::Store& writer : view_.nest().writers) {
      loop::ForEachExpr(view_.kernel(), writer.value, [&](loop::ExprId id) {
        const auto& node = view_.kernel().exprs[id].node;
        count += std::holds_alternative<loop::Unary>(node) ||
                 std::holds_alternative<loop::Binary>(node) ||
                 std::holds_alternative<loop::Convert>(node);
      });
    }
    return count;
  }

  // Without a cost: a window's neighbours are side by side instead, and of what functions are
  // computed of, additions are not what takes time.
  int64_t UsualVectors() const {
    return view_.Estimate(lane_->extent) >=
                   static_cast<double>(limits_.result_vectors * Machine::kLanes)
               ? limits_.result_vectors
               : 1;
  }

  // Whether what is summed is loaded, or a product of two that are, so that it is additions one
  // after another that take time. Sums of an open length have code of their own for those that are
  // long, which would be as much more.
  bool SumsSimply() const {
    auto is_load = [&](loop::ExprId id) {
      const loop::Expr& expr = view_.kernel().exprs[id];
      return std::holds_alternative<loop::Load>(expr.node) && expr.dtype == DType::kF32;
    };
    const bool simple =
        view_.is_product() ? is_load(view_.left()) && is_load(view_.right()) : is_load(value_);
    return simple && !in_steps_ &&
           std::ranges::all_of(view_.loops(),
                               [&](const NestLoop& loop) {
                                 return loop.extent.IsConstant() ||
                                        (loop.name != lane_->name && !loop.reduction);
                               }) &&
           UnrolledSums().empty();
  }

  // Of all sums, with whole tiles first and then vectors and elements one by one. Weights that come
  // from far away are waited for where a panel begins.
  double SecondsOf(int64_t vectors, int64_t panel) {
    const int64_t extent = lane_->extent.value(), width = vectors * Machine::kLanes;
    const double tiles = static_cast<double>(extent / width),
                 rest = static_cast<double>(extent % width / Machine::kLanes +
                                            extent % Machine::kLanes);
    double sums = 1, others = 1;
    for (const NestLoop* loop : sums_) sums *= std::max(1.0, view_.Estimate(loop->extent));
    for (const NestLoop* loop : spatial_) {
      if (loop != lane_) others *= std::max(1.0, view_.Estimate(loop->extent));
    }
    const double step = std::max(
        limits_.addition, limits_.sum_step + static_cast<double>(vectors) * limits_.sum_vector);
    double cycles = others * sums * (tiles * step + rest * limits_.addition);
    const double bytes = BytesOfPanels(view_, view_.PanelsAlong(value_, *lane_));
    if (bytes > caches_.l2) cycles += others * StreamsOf(extent, width, panel) * caches_.stream;
    return cycles / clock_;
  }

  Schedule AlongResult(int64_t vectors) {
    std::vector<std::string> unrolled = UnrolledSums();
    const NestLoop* window = unrolled.empty() || in_steps_ ? nullptr : WindowLoop();
    std::vector<std::string> outer, inner;
    if (border_.first + border_.last > 0)
      schedule_.push_back(Peel{lane_->name, border_.first, border_.last});
    if (window) SplitWindow(*window);
    for (const NestLoop* loop : spatial_) {
      if (loop == lane_ || loop == window) continue;
      outer.push_back(loop->name);
    }
    if (window) {
      outer.push_back(window->name + ".0");
      inner.push_back(window->name + ".1");
    }
    const NestLoop* paired = PairedSum(window != nullptr);
    SplitLanes(window ? 1 : vectors, !window && paired, inner);
    outer.push_back(lane_->name + ".0");
    std::vector<std::string> order = outer;
    std::vector<NestLoop> sums;
    for (const NestLoop* loop : sums_) sums.push_back(*loop);
    std::vector<std::string> names = CutLongSum(sums, view_.sizes(), schedule_);
    if (!sums_.empty()) SplitWords(view_.ElementsInWord(value_, *sums_.back()), names, unrolled);
    std::vector<std::string> pair;
    if (paired) pair = SplitPairs(*paired, names, unrolled);
    order.insert(order.end(), names.begin(), names.end());
    order.insert(order.end(), inner.begin(), inner.end());
    order.insert(order.end(), pair.begin(), pair.end());
    schedule_.push_back(Order{order});
    schedule_.push_back(Keep{outer.back()});
    unrolled.insert(unrolled.end(), inner.begin(), inner.end() - 1);
    if (!unrolled.empty()) schedule_.push_back(Bind{unrolled, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{inner.back()}, loop::LoopKind::kVector});
    if (!pair.empty()) schedule_.push_back(Dot{pair[0]});
    return schedule_;
  }

  // The sum along which integers are multiplied in pairs. In a window these are its rows: what is
  // interleaved of two rows is then there for all neighbours that read it.
  const NestLoop* PairedSum(bool window) const {
    if (!view_.SumsPairs() || sums_.size() < (window ? 2 : 1)) return nullptr;
    const NestLoop& sum = window ? *sums_.front() : *sums_.back();
    bool fits = sum.extent.IsConstant() && sum.extent.value() > 1 &&
                (window || view_.ElementsInWord(value_, sum) == 1);
    return fits ? &sum : nullptr;
  }

  std::vector<std::string> SplitPairs(const NestLoop& sum, std::vector<std::string>& sums,
                                      std::vector<std::string>& unrolled) {
    auto at = std::find(sums.begin(), sums.end(), sum.name);
    if (at == sums.end()) return {};
    bool even = sum.extent.value() % 2 == 0;
    schedule_.push_back(Split{sum.name, {2}, even ? Tail::kGuard : Tail::kPeel});
    *at = sum.name + ".0";
    std::replace(unrolled.begin(), unrolled.end(), sum.name, *at);
    return {sum.name + ".1"};
  }

  // Each element of a word has code of its own, in which it is known where it is. What a block of
  // elements has in common is multiplied once they are summed.
  void SplitWords(int64_t elements, std::vector<std::string>& sums,
                  std::vector<std::string>& unrolled) {
    if (elements == 1) return;
    if (sums.size() > 1) schedule_.push_back(Subtotal{sums[sums.size() - 2]});
    const std::string last = sums.back();
    schedule_.push_back(Split{last, {elements}});
    sums.back() = last + ".0";
    sums.push_back(last + ".1");
    unrolled.push_back(last + ".1");
  }

  // Borders do not run apart: whether a window's column is inside its input is asked once for all
  // lanes, as is the same of rows, and decides where it is read.
  void SplitWindow(const NestLoop& window) {
    bool fixed = window.extent.IsConstant();
    schedule_.push_back(Split{window.name,
                              {fixed ? TileOf(window.extent.value()) : Neighbours()},
                              fixed ? Tail::kShift : Tail::kPeel});
  }

  // Vectors of what is multiplied in pairs are as long as two of results.
  void SplitLanes(int64_t vectors, bool pairs, std::vector<std::string>& inner) {
    int64_t lanes = Machine::kLanes;
    if (pairs && view_.Estimate(lane_->extent) >= static_cast<double>(2 * lanes)) {
      lanes *= 2;
      vectors = std::max<int64_t>(1, vectors / 2);
    }
    std::vector<int64_t> factors{lanes};
    if (vectors > 1) factors.insert(factors.begin(), vectors);
    schedule_.push_back(Split{lane_->name, factors, Tail::kPeel});
    for (size_t i = 1; i <= factors.size(); ++i)
      inner.push_back(lane_->name + "." + std::to_string(i));
  }

  // ---- Lanes sum parts

  bool FindSum() {
    for (size_t i = sums_.size(); i-- > 0;) {
      if (view_.StrideOf(value_, *sums_[i]) != Stride::kOne ||
          LikelyLength(*sums_[i], view_.sizes()) < Machine::kLanes)
        continue;
      lane_ = sums_[i];
      return true;
    }
    return false;
  }

  Schedule AlongSum() {
    int64_t parts = limits_.sum_vectors;
    auto is_long = static_cast<double>(limits_.rounds * parts * Machine::kLanes);
    if (LikelyLength(*lane_, view_.sizes()) < is_long) parts = 1;
    schedule_.push_back(Split{lane_->name, {parts, Machine::kLanes}, Tail::kPeel});
    std::vector<std::string> order, tile{lane_->name + ".1", lane_->name + ".2"};
    for (const NestLoop* loop : spatial_) order.push_back(loop->name);
    std::string keep = order.empty() ? "" : order.back();
    for (const NestLoop* loop : sums_) {
      if (loop != lane_) order.push_back(loop->name);
    }
    order.push_back(lane_->name + ".0");
    order.insert(order.end(), tile.begin(), tile.end());
    schedule_.push_back(Order{order});
    schedule_.push_back(Keep{keep});
    schedule_.push_back(Bind{{tile[0]}, loop::LoopKind::kUnrolled});
    schedule_.push_back(Bind{{tile[1]}, loop::LoopKind::kVector});
    for (const std::string& name : tile) schedule_.push_back(Combine{name});
    return schedule_;
  }

  NestView& view_;
  const loop::Kernel& plain_;
  const Machine::Tiles& limits_;
  const Machine::Caches& caches_;
  const double clock_;
  loop::ExprId value_;
  Loops spatial_, sums_;
  const NestLoop* lane_ = nullptr;
  // Of lanes that are apart in the operand.
  bool in_steps_ = false;
  Border border_;
  Schedule schedule_;
};

// Tiles of several rows would be left with one row, and with no more of its sums than those of a
// panel. One after another, rows take not much longer where there are more.
class CpuOneRow : public CpuReduction {
 public:
  static constexpr std::string_view kName = "cpu_one_row";
  static constexpr Kind kKinds[] = {Kind::kContraction};

  using CpuReduction::CpuReduction;

  bool Fits() { return CpuReduction::Fits() && HasOneRow(); }
};

}  // namespace

constinit const Rule kCpuOneRow = RuleOf<CpuOneRow>();
constinit const Rule kCpuReduction = RuleOf<CpuReduction>();

}  // namespace webnnc::schedule
