// A product, or a sum, of what earlier stages know of whole rows: a norm's mean and variance, a
// softmax's maximum and sum. Each of its workgroups computes them for the rows that it reads, all
// of its threads together, and goes on as if the product were alone:
//
//   for j.0 workgroup { %mean, %variance of %x; for threads { %y[j] += (%x[k] - %mean) ... } }
//
// That takes a launch instead of one for each stage, where computing them again takes no longer
// than the launches.
#include <algorithm>
#include <map>
#include <set>
#include <type_traits>

#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "schedule/choose.h"
#include "schedule/rules/rules.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

using loop::LoopKind;
using Names = ScheduleBuilder::Names;

namespace {

// The last reduction, and what is computed of it, by itself: what stages before it store is there.
// Nothing if no other stage reduces.
std::optional<loop::Kernel> LastReduction(const loop::Kernel& plain) {
  std::vector<loop::Stage> stages = loop::StagesOf(plain);
  auto last = std::find_if(stages.rbegin(), stages.rend(), loop::IsReduction);
  if (last == stages.rend() || last + 1 == stages.rend() || loop::IsOrdered(stages))
    return std::nullopt;
  const auto first = last.base() - 1;
  loop::Kernel kernel = plain;
  for (auto stage = stages.begin(); stage != first; ++stage) {
    for (const loop::Part& part : stage->parts) {
      if (kernel.buffers[part.buffer].space != loop::Space::kTemporary) return std::nullopt;
      kernel.buffers[part.buffer].space = loop::Space::kIn;
    }
  }
  loop::SetStages(kernel, {first, stages.end()});
  return kernel;
}

// The same of one stage of several.
std::optional<Schedule> OfStage(const Schedule& schedule, int stage) {
  Schedule own;
  for (const Directive& directive : schedule) {
    bool fits = true;
    own.push_back(std::visit(
        [&](auto d) -> Directive {
          using T = decltype(d);
          auto give = [&](LoopId& id) { id.stage = stage; };
          if constexpr (requires { d.loops; }) {
            for (LoopId& id : d.loops) give(id);
          } else if constexpr (requires { d.loop; }) {
            give(d.loop);
          } else if constexpr (requires { d.at; }) {
            fits = !d.at.empty();
            give(d.at);
          } else {
            // Of the whole kernel.
            fits = std::is_same_v<T, Pack>;
          }
          return d;
        },
        directive));
    if (!fits) return std::nullopt;
  }
  return own;
}

class GpuRowsAhead {
 public:
  static constexpr std::string_view kName = "gpu_rows_ahead";
  static constexpr Processor kProcessor = Processor::kGpu;
  static constexpr Kind kKinds[] = {Kind::kRows, Kind::kNone};
  struct Point {
    Schedule schedule;
    double seconds = 0;
  };

  explicit GpuRowsAhead(Problem& problem)
      : plain_(problem.kernel()),
        target_(problem.target()),
        machine_(problem.machine()),
        sizes_(problem.sizes()) {}

  bool Fits() {
    std::optional<loop::Kernel> last = LastReduction(plain_);
    if (!last) return false;
    nests_ = ExtractNests(plain_);
    for (size_t n = 0; n + 1 < nests_.nests.size(); ++n) {
      if (!nests_.nests[n].Reduces()) return false;
    }
    const Kind kind = Classify(*last);
    if (kind != Kind::kReduction && kind != Kind::kContraction) return false;
    // Others than what is best for it alone may take much longer than what is saved.
    const std::vector<Candidate> alone = Candidates(*last, target_, sizes_, {1, 0});
    if (alone.empty()) return false;
    if (std::optional<Point> point = With(alone[0])) points_.push_back(std::move(*point));
    return !points_.empty();
  }

  std::vector<Point> Space() { return points_; }
  Schedule Write(const Point& point) { return point.schedule; }
  double Seconds(const Point& point) { return point.seconds; }

 private:
  // How the last stage is scheduled, with the others in front of each of its workgroups. Nothing
  // if it does not fit, or takes longer than launches.
  std::optional<Point> With(const Candidate& candidate) const {
    const auto last = static_cast<int>(nests_.nests.size()) - 1;
    std::optional<Schedule> own = OfStage(candidate.schedule, last);
    if (!own) return std::nullopt;
    Nests nests = nests_;
    if (!ApplyAll(nests, *own)) return std::nullopt;
    LoopId workgroup;
    double groups = 1;
    int64_t threads = 1;
    for (const NestLoop& loop : nests.nests.back().main.loops) {
      if (loop.kind == LoopKind::kWorkgroupX) workgroup = {loop.name, last};
      if (loop::IsWorkgroup(loop.kind)) groups *= sizes_.Typical(loop.extent);
      if (loop.kind == LoopKind::kThread) threads *= loop.extent.value();
    }
    if (workgroup.empty()) return std::nullopt;
    for (int n = last - 1; n >= 0; --n) {
      own->push_back(At{n, workgroup});
      if (!ApplyAt(nests, {n, workgroup})) return std::nullopt;
    }
    const std::optional<double> again = AgainSeconds(nests, groups, threads);
    if (!again || *again > machine_.launch * last) return std::nullopt;
    for (int n = 0; n < last; ++n) {
      for (Directive& directive : Shared(n, threads)) own->push_back(std::move(directive));
    }
    if (!Apply(plain_, *own)) return std::nullopt;
    return Point{std::move(*own), std::max(candidate.seconds, ReadingSeconds()) + *again};
  }

  // At the least, whatever a rule says of products.
  double ReadingSeconds() const {
    double bytes = 0;
    for (loop::BufferId parameter : loop::ParametersOf(plain_)) {
      const TensorType& type = plain_.buffers[parameter].type;
      bytes +=
          sizes_.Typical(ElementCount(type.shape)) * static_cast<double>(BitSize(type.dtype)) / 8;
    }
    return bytes / machine_.bandwidth;
  }

  // What all workgroups read of rows, at the speed at which each has its share of memory, and how
  // long those wait that come after the first that cores have room for. Nothing if one needs more
  // rows than threads have room for.
  std::optional<double> AgainSeconds(const Nests& nests, double groups, int64_t threads) const {
    double bytes = 0;
    for (size_t n = 0; n + 1 < nests.nests.size(); ++n) {
      const Nest& nest = nests.nests[n];
      double terms = 1, rows = 1;
      for (const NestLoop& loop : nest.main.loops)
        (loop.reduction ? terms : rows) *= LikelyLength(loop, sizes_);
      if (rows > static_cast<double>(machine_.threads.most_rows)) return std::nullopt;
      std::set<loop::BufferId> read;
      for (const loop::Part& part : nest.parts) {
        loop::ForEachExpr(nests.kernel, part.term, [&](loop::ExprId id) {
          auto* load = std::get_if<loop::Load>(&nests.kernel.exprs[id].node);
          if (!load || !read.insert(load->buffer).second) return;
          const loop::Buffer& buffer = nests.kernel.buffers[load->buffer];
          if (buffer.space != loop::Space::kIn) return;
          bytes += terms * rows * static_cast<double>(BitSize(buffer.type.dtype)) / 8;
        });
      }
    }
    const double cores = static_cast<double>(machine_.cores);
    const double at_once = static_cast<double>(machine_.cores * machine_.threads_per_core) /
                           static_cast<double>(threads);
    const Machine::Streams& cycles = machine_.streams;
    const double waits = (cycles.memory_latency + cycles.stage + cycles.combine) / machine_.clock *
                         static_cast<double>(nests.nests.size() - 1);
    return bytes / machine_.bandwidth * std::max(groups, cores) +
           waits * std::max(0.0, groups / at_once - 1);
  }

  // All threads of the workgroup sum up a stage's terms.
  Schedule Shared(int n, int64_t threads) const {
    const std::vector<NestLoop>& loops = nests_.nests[static_cast<size_t>(n)].main.loops;
    ScheduleBuilder build(loops);
    build.Only(n);
    Names sums, order;
    for (const NestLoop& loop : loops) (loop.reduction ? sums : order).push_back(loop.name);
    order.insert(order.end(), sums.begin(), sums.end());
    build.OrderFirst(order);
    auto parts = build.Split(build.Fuse(sums, "r"), {threads});
    order.resize(loops.size() - sums.size());
    order.insert(order.begin(), parts[1]);
    build.OrderFirst(order);
    build.Bind({parts[1]}, LoopKind::kThread);
    build.Combine(parts[1],
                  target_.Has(Feature::kSubgroups) ? Combine::kBySubgroups : Combine::kOnce);
    return build.Take();
  }

  const loop::Kernel& plain_;
  const Target& target_;
  const Machine& machine_;
  const LikelySizes& sizes_;
  Nests nests_;
  std::vector<Point> points_;
};

}  // namespace

constinit const Rule kGpuRowsAhead = RuleOf<GpuRowsAhead>();

}  // namespace webnnc::schedule
