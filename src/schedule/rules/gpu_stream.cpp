// Rows that are computed in one pass over their columns (loop/passes/stream_rows.h), by blocks: a
// workgroup takes a tile of rows that read the same columns, and its threads share each stage of a
// block in the same way, as a grid:
//
//   for batch, r.0                 workgroups
//     for b ordered                blocks
//       for k.0 { ... }            a product: tiles of both sides go to workgroup memory
//       for r.1, j.1               threads: rows and columns of what a stage stores or reduces
//         for j.0, r.2
//
// Names: r is the loop over the rows of a tile, batch all other rows.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>

#include "loop/relax.h"
#include "schedule/localize.h"
#include "schedule/rules/gpu_tiling.h"
#include "schedule/rules/rules.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

constexpr int64_t kLanes = Machine::kLanes;

double Real(int64_t value) { return static_cast<double>(value); }

// A stage, as the rule sees it.
struct Part {
  Part(int number, NestView& view) : number(number), view(view) {}

  int number;
  NestView& view;
  // Loops that only this stage has, of its place and of what is reduced.
  Names own, reduced;
  // The product's sides: with the tile's rows, and with columns.
  Operand rows = Operand::kLeft, columns = Operand::kRight;
  bool multiplies = false;

  loop::ExprId Side(Operand operand) const {
    return operand == Operand::kLeft ? view.left() : view.right();
  }
  const NestLoop& Loop(const std::string& name) const {
    for (const NestLoop& loop : view.loops()) {
      if (loop.name == name) return loop;
    }
    CHECK(false);
  }
  double Length(const Names& names) const {
    double length = 1;
    for (const std::string& name : names) length *= LikelyLength(Loop(name), view.sizes());
    return length;
  }
};

class GpuStream {
 public:
  static constexpr std::string_view kName = "gpu_stream";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kOrdered};
  using Point = Tiling;

  explicit GpuStream(Problem& problem)
      : problem_(problem),
        rows_(problem.rows()),
        machine_(problem.machine()),
        sizes_(problem.sizes()) {}

  bool Fits() {
    if (rows_.empty()) return false;
    for (size_t n = 0; n < problem_.nest_count(); ++n) AddPart(n);
    bool multiplies = false, combines = false;
    for (const Part& part : parts_) {
      multiplies |= part.multiplies;
      combines |= part.own.empty() && !part.reduced.empty();
    }
    // Where each stage has results enough for all threads, a workgroup a row is as well.
    if (!multiplies || !combines) return false;
    double most = 0;
    for (const std::string& row : rows_) {
      double length = sizes_.Typical(parts_[0].Loop(row).extent);
      if (length <= most || !IsTile(row)) continue;
      most = length;
      tile_ = row;
    }
    return !tile_.empty();
  }

  std::vector<Point> Space() {
    std::vector<std::pair<double, Tiling>> ranked;
    for (const Tiling& tiling : Allowed()) ranked.push_back({Seconds(tiling), tiling});
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Point> space;
    for (const auto& [seconds, tiling] : ranked) space.push_back(tiling);
    return space;
  }

  // Where they need more memory than it seems.
  std::optional<Point> Smallest(const std::vector<Point>& space) const {
    auto smallest = std::min_element(
        space.begin(), space.end(),
        [&](const Tiling& a, const Tiling& b) { return WorkgroupBytes(a) < WorkgroupBytes(b); });
    return smallest == space.end() ? std::nullopt : std::optional(*smallest);
  }

  // What is done once for all blocks does not count.
  double Seconds(const Tiling& tiling) const {
    double groups = std::ceil(sizes_.Typical(parts_[0].Loop(tile_).extent) / Real(tiling.m()));
    for (const std::string& row : rows_) {
      if (row != tile_) groups *= sizes_.Typical(parts_[0].Loop(row).extent);
    }
    const Machine::Streams& cost = machine_.streams;
    const double warps = std::ceil(Real(tiling.threads()) / machine_.products.warp);
    double room = cost.core_bytes / (WorkgroupBytes(tiling) + cost.group_bytes);
    double busy = 0, alone = cost.start, resident = std::max(1.0, std::floor(room));
    for (const Part& part : parts_) {
      const auto& ordered = part.view.nest().ordered;
      if (!ordered) continue;
      GroupCycles own = CyclesOf(part, tiling);
      double blocks =
          std::max(1.0, sizes_.Typical(ordered->extent)) * ShareThatRuns(part, tiling.m());
      busy += blocks * own.busy;
      alone += blocks * own.alone;
      resident = std::min(resident, own.resident);
    }
    double a_core = std::ceil(groups / Real(machine_.cores));
    double few = cost.busy_warps / (std::min(a_core, resident) * warps);
    double issuing = a_core * busy * (1 + cost.idle_warps * std::max(0.0, few - 1)),
           waiting = std::ceil(a_core / resident) * alone;
    return std::pow(std::pow(issuing, cost.norm) + std::pow(waiting, cost.norm), 1 / cost.norm) /
           machine_.clock;
  }

  Schedule Write(const Tiling& tiling) {
    Schedule schedule;
    auto add = [&](Schedule more) {
      std::move(more.begin(), more.end(), std::back_inserter(schedule));
    };
    Names outer = rows_, merged, ms;
    std::erase(outer, tile_);
    Names first = outer;
    first.push_back(tile_);
    std::vector<ScheduleBuilder> builds;
    for (const Part& part : parts_) {
      ScheduleBuilder& build = builds.emplace_back(part.view.loops());
      build.Only(part.number);
      build.OrderFirst(first);
      add(build.Take());
    }
    // What rows become is the same in all stages.
    for (ScheduleBuilder& build : builds) {
      build.Only(LoopId::kEveryStage);
      merged.clear();
      if (!outer.empty()) merged.push_back(build.Fuse(outer, "b"));
      ms = build.Split(tile_, {tiling.m_threads, tiling.m_each});
      merged.push_back(ms[0]);
      Schedule shared = build.Take();
      if (&build == &builds[0]) add(std::move(shared));
    }
    for (Part& part : parts_) {
      ScheduleBuilder& build = builds[static_cast<size_t>(part.number)];
      build.Only(part.number);
      WritePart(build, part, merged, ms, TilingOf(part, tiling));
      add(build.Take());
    }
    if (!outer.empty()) schedule.push_back(Bind{{merged[0]}, LoopKind::kWorkgroupY});
    schedule.push_back(Bind{{ms[0]}, LoopKind::kWorkgroupX});
    schedule.push_back(Bind{{ms[1]}, LoopKind::kThread});
    schedule.push_back(Bind{{ms[2]}, LoopKind::kUnrolled});
    schedule.push_back(Merge{merged});
    return schedule;
  }

 private:
  void AddPart(size_t n) {
    Part& part = parts_.emplace_back(static_cast<int>(n), problem_.view(n));
    for (const NestLoop& loop : part.view.loops()) {
      if (std::count(rows_.begin(), rows_.end(), loop.name)) continue;
      (loop.reduction ? part.reduced : part.own).push_back(loop.name);
    }
    part.multiplies = part.view.is_product() && !part.own.empty() && !part.reduced.empty();
  }

  // Whether each product has its rows on one side and columns of its own on the other, so that all
  // rows of a tile share these.
  bool IsTile(const std::string& row) {
    for (Part& part : parts_) {
      if (!part.multiplies) continue;
      bool left = part.view.DependsOn(part.view.left(), part.Loop(row)),
           right = part.view.DependsOn(part.view.right(), part.Loop(row));
      if (left == right) return false;
      part.rows = left ? Operand::kLeft : Operand::kRight;
      part.columns = left ? Operand::kRight : Operand::kLeft;
    }
    return true;
  }

  // ---- Which tilings there are, and what they take

  static Tiling TilingOf(const Part& part, Tiling tiling) {
    double vectors = part.Length(part.own) / Real(tiling.n_threads * kLanes);
    tiling.n_vectors = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(vectors)));
    while (Real(tiling.depth) > kLanes && Real(tiling.depth) >= 2 * part.Length(part.reduced))
      tiling.depth /= 2;
    return tiling;
  }

  // Whether each thread combines what those of its rows have found, so that what there is once a
  // row is in registers and nobody waits for it; else one thread does.
  static bool EachCombines(const Tiling& tiling) { return tiling.n_threads <= Machine::kFewParts; }

  // What the threads of a workgroup share, in bytes: rows of a block, tiles of one product at a
  // time, partial sums.
  double WorkgroupBytes(const Tiling& tiling) const {
    double rows = 0, left = 0, tiles = 0, partial = 0, once = EachCombines(tiling) ? 0 : 1;
    for (const Part& part : parts_) {
      if (part.multiplies) {
        const Tiling own = TilingOf(part, tiling);
        bool flows = part.view.FlowsAll(part.Side(part.rows));
        double row = part.Length(part.reduced);
        if (flows) rows += Real(PaddedRow(static_cast<int64_t>(row), sizeof(float)));
        if (!flows) left = std::max(left, Real(own.depth + kLanes));
        tiles = std::max(tiles, Real(own.n()) * Real(own.depth + kLanes));
      } else if (part.reduced.empty()) {
        rows += once;
      } else {
        partial = Real(tiling.n_threads * tiling.m());
        rows += once;
      }
    }
    // Rows of a product's tile are read before rows of a block are stored (ShareMemory).
    return 4 * (std::max(rows, left) * Real(tiling.m()) + tiles + partial);
  }

  std::vector<Tiling> Allowed() const {
    std::vector<Tiling> found;
    const Machine::Products& cost = machine_.products;
    double rows = sizes_.Typical(parts_[0].Loop(tile_).extent);
    auto is_allowed = [&](const Tiling& t) {
      for (const Part& part : parts_) {
        if (!part.multiplies) continue;
        Tiling own = TilingOf(part, t);
        bool idle = Real(own.n()) >= cost.oversize * part.Length(part.own);
        if (own.m_each * own.n_vectors > cost.most_vectors || idle) return false;
      }
      return t.threads() >= cost.fewest_threads && t.threads() <= machine_.max_threads &&
             (t.m() == 1 || Real(t.m()) < cost.oversize * rows) &&
             WorkgroupBytes(t) <= Real(machine_.workgroup_bytes);
    };
    for (int64_t m_each : {1, 2, 3, 4, 6, 8}) {
      for (int64_t m_threads : {1, 2, 4, 8, 16, 32}) {
        for (int64_t n_threads : {4, 8, 16, 32}) {
          for (int64_t depth : {16, 32, 64}) {
            for (bool ahead : {false, true}) {
              Tiling t{m_threads, n_threads, 1, m_each, 1, depth, ahead};
              if (is_allowed(t)) found.push_back(t);
            }
          }
        }
      }
    }
    return found;
  }

  // Of all blocks, those that a tile of so many rows runs, on average.
  double ShareThatRuns(const Part& part, int64_t m) const {
    loop::ExprId condition = part.view.nest().condition;
    if (!condition.valid()) return 1;
    auto [known, is_new] = shares_.emplace(std::pair(part.number, m), 1);
    if (!is_new) return known->second;
    const loop::StageLoop& blocks = *part.view.nest().ordered;
    std::map<loop::VarId, double> over{{blocks.var, sizes_.Typical(blocks.extent)}};
    for (const NestLoop& loop : part.view.loops()) over[loop.var] = sizes_.Typical(loop.extent);
    return known->second =
               loop::ShareOf(part.view.kernel(), condition, over, part.Loop(tile_).var, m, sizes_);
  }

  // What a stage takes in one block.
  GroupCycles CyclesOf(const Part& part, const Tiling& tiling) const {
    const Machine::Streams& cost = machine_.streams;
    if (part.multiplies) return CyclesOfProduct(part, TilingOf(part, tiling));
    double length = part.Length(part.own) * part.Length(part.reduced);
    double elements = std::ceil(length / Real(tiling.n_threads)) * Real(tiling.m_each);
    double warps = std::ceil(Real(tiling.threads()) / machine_.products.warp);
    double combine = part.reduced.empty() ? 0 : cost.combine;
    return {warps * (elements * cost.instructions + cost.stage) / cost.issued_at_once +
                combine * warps / kSchedulers,
            elements * cost.instructions * cost.instruction + cost.stage + combine,
            std::numeric_limits<double>::infinity()};
  }

  GroupCycles CyclesOfProduct(const Part& part, const Tiling& t) const {
    const Machine::Streams& cost = machine_.streams;
    const double warp = machine_.products.warp, threads = Real(t.threads());
    const double warps = std::ceil(threads / warp), depth = Real(t.depth);
    const double steps = std::ceil(part.Length(part.reduced) / depth);
    const double products = Real(t.m_each * t.n_vectors * kLanes);
    double columns = std::min(warp, Real(t.n_threads)),
           rows = std::min(std::max(1.0, warp / Real(t.n_threads)), Real(t.m_threads));
    double loads = Real(t.m_each) * (cost.row_load + cost.row_spread * rows) +
                   Real(t.n_vectors * kLanes) * (cost.column_load + cost.column_spread * columns);
    double tiles = depth * Real(t.m() + t.n());
    double fill = (t.ahead ? cost.fill_ahead : cost.fill) * warps / threads / kLanes;
    double registers = cost.other_registers + products + Real(kLanes * (t.m_each + t.n_vectors)) +
                       (t.ahead ? tiles / threads : 0);
    double room = std::min(Real(machine_.threads_per_core), cost.registers / registers);
    double busy = warps * steps * depth * (products / cost.issued_at_once + loads) +
                  steps * (tiles * (fill + sizeof(float) / cost.bytes_a_cycle) + cost.barriers);
    double alone = steps * ((t.ahead ? cost.latency_ahead : cost.memory_latency) +
                            depth * (products * cost.instruction + loads));
    return {cost.busy * busy, cost.alone * alone, std::max(1.0, std::floor(room / threads))};
  }

  // Warps that a core issues instructions of at a time.
  static constexpr double kSchedulers = 4;

  // ---- The schedule

  void WritePart(ScheduleBuilder& build, Part& part, const Names& merged, const Names& ms,
                 const Tiling& tiling) {
    if (part.multiplies) {
      WriteProduct(build, part, merged, ms, tiling);
      return;
    }
    Names order = merged;
    order.push_back(ms[1]);
    const Names& shared = part.reduced.empty() ? part.own : part.reduced;
    if (shared.empty()) {
      order.push_back(ms[2]);
      build.OrderFirst(order);
      if (EachCombines(tiling)) build.Replicate(ms[1], "n", tiling.n_threads);
      return;
    }
    // What flows between stages is read and written by whole vectors in all of them.
    const NestLoop& last = part.Loop(shared.back());
    bool whole = KnownDivisor(last.extent) % kLanes == 0 &&
                 (!part.reduced.empty() || part.view.StoreStride(last) == Stride::kOne);
    std::vector<int64_t> factors{tiling.n_threads};
    if (whole) factors.push_back(kLanes);
    Names qs = build.Split(build.Fuse(shared, "q"), factors);
    order.insert(order.end(), {qs[1], qs[0], ms[2]});
    if (whole) order.push_back(qs[2]);
    build.OrderFirst(order);
    build.Bind({qs[1]}, LoopKind::kThread);
    if (whole) build.Bind({qs[2]}, LoopKind::kVector);
    // So that a thread's results may stay in registers from block to block.
    const Dim rounds = build.Find(qs[0]).extent;
    if (rounds.IsConstant() && rounds.value() <= machine_.products.most_vectors / tiling.m_each)
      build.Bind({qs[0]}, LoopKind::kUnrolled);
    if (part.reduced.empty()) return;
    build.Combine(qs[1], EachCombines(tiling) ? Combine::kEverywhere : Combine::kOnce);
    if (whole) build.Combine(qs[2]);
  }

  void WriteProduct(ScheduleBuilder& build, Part& part, const Names& merged, const Names& ms,
                    const Tiling& tiling) {
    bool along_n = IsAlong(part, part.columns, part.own),
         along_k = IsAlong(part, part.columns, part.reduced) && !along_n;
    std::string n = build.Fuse(part.own, "n"), k = build.Fuse(part.reduced, "k");
    Names ks = build.Split(k, {tiling.depth / kLanes, kLanes});
    Names ns = build.Split(n, {tiling.n_vectors, tiling.n_threads, kLanes});
    Names order = merged;
    order.insert(order.end(), {ns[0], ks[0], ms[1], ns[2], ks[1], ks[2], ms[2], ns[1], ns[3]});
    build.OrderFirst(order);
    build.Bind({ns[2]}, LoopKind::kThread);
    build.Keep(ns[0]);
    StageRows(build, part, tiling, ks, ms);
    Stage tile{part.columns, {ks[0], part.number}, loop::Space::kWorkgroup, {}};
    tile.ahead = tiling.ahead;
    if (along_k) {
      // Neighbouring threads read rows that are neighbours in the tile, and begin in other banks.
      tile.layout = {ns[1], ns[3], ns[2], ks[1], ks[2]};
      tile.fill = {ns[1], ns[2], ns[3], ks[1], ks[2]};
      tile.row = 2;
      tile.pad = tile.lanes = kLanes;
      build.Add(tile);
      Stage registers{
          part.columns, {ks[1], part.number}, loop::Space::kRegister, {ns[1], ns[3], ks[2]}};
      registers.lanes = kLanes;
      build.Add(registers);
    } else {
      tile.layout = {ks[1], ks[2], ns[1], ns[2], ns[3]};
      tile.row = 3;
      tile.lanes = along_n ? kLanes : 1;
      build.Add(tile);
    }
    Names unrolled{ks[2], ns[1]};
    if (tiling.depth <= machine_.products.most_unrolled) unrolled.insert(unrolled.begin(), ks[1]);
    build.Bind(unrolled, LoopKind::kUnrolled);
    bool whole = KnownDivisor(part.Loop(part.own.back()).extent) % kLanes == 0;
    build.Bind({ns[3]}, whole ? LoopKind::kVector : LoopKind::kUnrolled);
  }

  // A thread reads four of k at once; what threads share already is no tile.
  void StageRows(ScheduleBuilder& build, Part& part, const Tiling& tiling, const Names& ks,
                 const Names& ms) {
    bool along_k = IsAlong(part, part.rows, part.reduced);
    if (!part.view.FlowsAll(part.Side(part.rows))) {
      Stage tile{
          part.rows, {ks[0], part.number}, loop::Space::kWorkgroup, {ms[1], ms[2], ks[1], ks[2]}};
      tile.lanes = along_k ? kLanes : 1;
      tile.row = 2;
      tile.pad = kLanes;
      tile.ahead = tiling.ahead;
      build.Add(tile);
    }
    Stage registers{part.rows, {ks[1], part.number}, loop::Space::kRegister, {ms[2], ks[2]}};
    registers.lanes = kLanes;
    build.Add(registers);
  }

  // Whether neighbours along the last of these loops are neighbours in memory, four by four.
  static bool IsAlong(Part& part, Operand operand, const Names& names) {
    const NestLoop& last = part.Loop(names.back());
    return part.view.StrideOf(part.Side(operand), last) == Stride::kOne &&
           KnownDivisor(last.extent) % kLanes == 0;
  }

  Problem& problem_;
  const Names& rows_;
  const Machine& machine_;
  const LikelySizes& sizes_;
  std::vector<Part> parts_;
  std::string tile_;
  // ShareThatRuns, by the part's number and m.
  mutable std::map<std::pair<size_t, int64_t>, double> shares_;
};

}  // namespace

constinit const Rule kGpuStream = RuleOf<GpuStream>();

}  // namespace webnnc::schedule
