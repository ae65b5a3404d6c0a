// Products of two tensors with loops of their own: matmul and convolution as implicit matmul. A
// workgroup computes a tile of the result from tiles of both operands in workgroup memory, a thread
// a small tile in registers. Tile sizes are chosen by a cost model (gpu_tiling.h).
//
//   for m.0, n.0, batch   workgroups
//     for k.0             tiles of both operands go to workgroup memory, all threads together
//       for k.1, m.1, n.2, n.3   threads: slices of k, rows, vectors of columns
//         for k.2         four rows' worth of the left operand go to registers
//           for k.3 in 4, m.2, n.1, n.4 in 4    products, unrolled
//
// or, where the left tile lies along m,
//
//       for k.1, m.2, n.2, n.3
//         for k.2, k.3    unrolled, so that what comes next is loaded ahead
//           for m.1, m.3 in 4, n.1, n.4 in 4
#include <cmath>

#include "schedule/bytes.h"
#include "schedule/rules/gpu_product.h"
#include "schedule/rules/rules.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes, kPanel = Machine::kPanelVectors;

class TiledProduct {
 public:
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kContraction};
  using Point = RankedTiling;

  // Tiles have words of so many elements along k.
  TiledProduct(Problem& problem, int64_t in_word) : product_(problem), in_word_(in_word) {}

  std::vector<Point> Space() {
    std::vector<ProductSize> sizes = product_.sizes;
    for (ProductSize& size : sizes) {
      size.k = std::ceil(size.k / static_cast<double>(in_word_));
      size.in_word = static_cast<double>(in_word_);
    }
    return RankTilings(sizes, product_.machine);
  }
  double Seconds(const Point& point) { return point.seconds; }

  Schedule Write(const Point& point) {
    const Tiling& t = point.tiling;
    ScheduleBuilder build(product_.view.loops());
    Names around;
    std::string k = product_.TileLoop(build, t.k() * in_word_, around);
    std::string m = build.Fuse(product_.m, "m"), n = build.Fuse(product_.n, "n");
    std::string batch = product_.batch.empty() ? "" : build.Fuse(product_.batch, "b");
    std::vector<int64_t> depths{t.slices, t.depth / kLanes, kLanes};
    if (in_word_ > 1) depths.push_back(in_word_);
    Names ks = build.Split(k, depths);
    Names ms = t.along_m ? build.Split(m, {t.m_each / kLanes, t.m_threads, kLanes})
                         : build.Split(m, {t.m_threads, t.m_each});
    Names ns = build.Split(n, {t.n_vectors, t.n_threads / kPanel, kPanel, kLanes});

    Names order;
    if (!batch.empty()) order.push_back(batch);
    order.insert(order.end(), {ms[0], ns[0]});
    order.insert(order.end(), around.begin(), around.end());
    Names threads{ms[t.along_m ? 2 : 1], ns[2], ns[3]}, rows{ms[2]}, inside{ks[2], ks[3]};
    if (t.along_m) rows = {ms[1], ms[3]};
    inside.insert(inside.end(), rows.begin(), rows.end());
    inside.insert(inside.end(), {ns[1], ns[4]});
    Names& slices_in = t.slices > 1 ? threads : inside;
    slices_in.insert(slices_in.begin(), ks[1]);
    order.push_back(ks[0]);
    order.insert(order.end(), threads.begin(), threads.end());
    order.insert(order.end(), inside.begin(), inside.end());
    if (in_word_ > 1) order.push_back(ks[4]);
    build.OrderFirst(order);
    if (!batch.empty()) build.Bind({batch}, LoopKind::kWorkgroupZ);
    build.Bind({ms[0]}, LoopKind::kWorkgroupY);
    build.Bind({ns[0]}, LoopKind::kWorkgroupX);
    build.Bind(threads, LoopKind::kThread);
    if (t.slices > 1) build.Combine(ks[1]);
    build.Keep(ns[0]);
    if (in_word_ > 1) build.Add(Dot{ks[4]});
    t.along_m ? StageVectorsOfRows(build, t, ks, ms) : StageRows(build, t, ks, ms);
    StageColumns(build, t, ks, ns);
    Names unrolled{ks[3]};
    if (t.depth <= product_.machine.products.most_unrolled)
      unrolled.insert(unrolled.begin(), ks[2]);
    unrolled.insert(unrolled.end(), rows.begin(), rows.end());
    unrolled.push_back(ns[1]);
    build.Bind(unrolled, LoopKind::kUnrolled);
    bool whole = IsWhole();
    build.Bind({ns[4]}, whole ? LoopKind::kVector : LoopKind::kUnrolled);
    return build.Take();
  }

 protected:
  const GpuProduct product_;

 private:
  // Rows lie along k, as in memory; a thread reads four of k at once.
  void StageRows(ScheduleBuilder& build, const Tiling& t, const Names& ks, const Names& ms) {
    const NestLoop& last = product_.Loop(product_.k.back());
    bool along_k = product_.view.StrideOf(product_.rows, last) == Stride::kOne &&
                   KnownDivisor(last.extent) % (kLanes * in_word_) == 0;
    Stage tile{product_.RowsOperand(),
               ks[0],
               loop::Space::kWorkgroup,
               {ms[1], ms[2], ks[1], ks[2], ks[3]}};
    tile.lanes = along_k ? kLanes : 1;
    tile.row = 3;
    tile.ahead = t.ahead;
    tile.pad = PadOfRows(t, product_.machine);
    // Where neighbours in memory are rows, threads that are neighbours take those.
    const NestLoop& row = product_.Loop(product_.m.back());
    if (!along_k && product_.view.StrideOf(product_.rows, row) == Stride::kOne)
      tile.fill = {ks[1], ks[2], ks[3], ms[1], ms[2]};
    build.Add(tile);
    Stage registers{product_.RowsOperand(), ks[2], loop::Space::kRegister, {ms[2], ks[3]}};
    registers.lanes = kLanes;
    build.Add(registers);
  }

  // Vectors lie along m, however rows lie in memory: where that is along k, a thread gathers each
  // from four rows, and threads beside each other read what lies side by side.
  void StageVectorsOfRows(ScheduleBuilder& build, const Tiling& t, const Names& ks,
                          const Names& ms) {
    Stage tile{product_.RowsOperand(),
               ks[0],
               loop::Space::kWorkgroup,
               {ks[1], ks[2], ks[3], ms[1], ms[2], ms[3]}};
    tile.lanes = kLanes;
    tile.row = 3;
    tile.ahead = t.ahead;
    tile.pad = PadOfRows(t, product_.machine);
    const NestLoop& last = product_.Loop(product_.k.back());
    if (product_.view.StrideOf(product_.rows, last) == Stride::kOne)
      tile.fill = {ms[1], ms[2], ks[1], ks[2], ks[3], ms[3]};
    build.Add(tile);
    Stage registers{product_.RowsOperand(), ks[3], loop::Space::kRegister, {ms[1], ms[3]}};
    registers.lanes = kLanes;
    build.Add(registers);
  }

  void StageColumns(ScheduleBuilder& build, const Tiling& t, const Names& ks, const Names& ns) {
    Stage tile{product_.ColumnsOperand(),
               ks[0],
               loop::Space::kWorkgroup,
               {ks[1], ks[2], ks[3], ns[1], ns[2], ns[3], ns[4]}};
    tile.row = 4;
    tile.ahead = t.ahead;
    bool panels = product_.view.IsPanelled(product_.columns, *product_.innermost);
    bool along_n = product_.view.StrideOf(product_.columns, *product_.innermost) == Stride::kOne;
    const NestLoop& last = product_.Loop(product_.k.back());
    bool whole = IsWhole();
    if (panels) {
      tile.lanes = kLanes;
      tile.fill = {ns[1], ns[2], ks[1], ks[2], ks[3], ns[3], ns[4]};
    } else if (along_n && whole) {
      tile.lanes = kLanes;
    } else if (!along_n && product_.view.StrideOf(product_.columns, last) == Stride::kOne) {
      tile.fill = {ns[1], ns[2], ns[3], ns[4], ks[1], ks[2], ks[3]};
    }
    build.Add(tile);
  }

  // Whether the innermost loop is all of n, and its vectors are whole.
  bool IsWhole() const {
    return product_.n.size() == 1 && KnownDivisor(product_.innermost->extent) % kLanes == 0;
  }

  const int64_t in_word_;
};

class GpuContraction : public TiledProduct {
 public:
  static constexpr std::string_view kName = "gpu_contraction";

  explicit GpuContraction(Problem& problem) : TiledProduct(problem, 1) {}
  bool Fits() { return product_.IsValid(); }
};

// The same of bytes, four of which are a word that is multiplied at once.
class GpuDots : public TiledProduct {
 public:
  static constexpr std::string_view kName = "gpu_dots";

  explicit GpuDots(Problem& problem)
      : TiledProduct(problem, kBytesInWord), multiplies_(problem.target().Has(Feature::kDots)) {}
  bool Fits() {
    return multiplies_ && product_.IsValid() && IsByte(product_.view.kernel(), product_.rows) &&
           IsByte(product_.view.kernel(), product_.columns);
  }

 private:
  const bool multiplies_;
};

}  // namespace

constinit const Rule kGpuContraction = RuleOf<GpuContraction>();
constinit const Rule kGpuDots = RuleOf<GpuDots>();

}  // namespace webnnc::schedule
