// What it is worth to merge groups of nodes (NodeGroups).
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "loop/parameters.h"
#include "loop/passes/align_rows.h"
#include "loop/passes/collapse.h"
#include "loop/passes/join_reductions.h"
#include "loop/passes/stream_rows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/group_nodes.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/element_work.h"

namespace webnnc::plan {

using graph::ValueId;

// Whether a kernel does nothing but make wider numbers of what is stored in few bits.
static bool Widens(const loop::Kernel& kernel) {
  if (kernel.body.size() != 1) return false;
  const loop::ExprId value = loop::StagesOf(kernel)[0].value();
  loop::ExprId id = value;
  for (;;) {
    const loop::Expr& expr = kernel.exprs[id];
    auto* convert = std::get_if<loop::Convert>(&expr.node);
    auto* unary = std::get_if<loop::Unary>(&expr.node);
    if (!convert && !(unary && unary->op == loop::UnaryOp::kDotByte)) break;
    id = convert ? convert->a : unary->a;
  }
  const loop::Expr& from = kernel.exprs[id];
  return std::holds_alternative<loop::Load>(from.node) &&
         schedule::IsWidened(from.dtype, kernel.exprs[value].dtype);
}

// Whether a map computes nothing, or little from indices alone, which a GPU sooner does again than
// wait for; and how many operations an element takes. Functions like exp count as several.
std::pair<bool, int64_t> NodeGroups::WorkOf(const Group& group) const {
  const Machine::Fusion& costs = CostsOf(group);
  if (group.kind != schedule::Kind::kMap || group.kernel.body.size() != 1) return {false, 0};
  const schedule::ElementWork work =
      schedule::WorkOf(group.kernel, loop::StagesOf(group.kernel)[0].value(), costs);
  bool of_indices = TargetOf(group).IsGpu() && work.loads == 0 && work.operations <= costs.cheap;
  return {work.operations == 0 || of_indices, work.operations};
}

// A size, or what an open one stands for.
double NodeGroups::Count(const Group& group, const Dim& dim) const {
  SymbolValues values;
  std::set<std::string> symbols;
  dim.CollectSymbols(symbols);
  for (const std::string& symbol : symbols) values[symbol] = CostsOf(group).open_size;
  return static_cast<double>(std::max<int64_t>(1, dim.Evaluate(values)));
}

// How often the consumer's kernel computes an element of the producer's result, at most.
double NodeGroups::Repeats(const Group& producer, const Group& merged) const {
  const Shape& shape = graph_.values[ResultsOf(producer)[0]].type.shape;
  double elements = Count(merged, ElementCount(shape)), most = 0;
  for (const loop::Stage& stage : loop::StagesOf(merged.kernel)) {
    most = std::max(most, Count(merged, IterationsOf(stage)) / elements);
  }
  return most;
}

// Whether a CPU's product reads windows that overlap, and in each place of them at least a vector
// of what is side by side in the producer's result. Where that is less, as with an image's colours,
// little is gained. Tiles of a GPU read elements in any order. `merged` was formed last.
bool NodeGroups::HasWindowsOfRuns(const Group& producer, const Group& merged) const {
  const Shape& shape = graph_.values[ResultsOf(producer)[0]].type.shape;
  if (TargetOf(merged).IsGpu() || shape.empty() || Count(merged, shape.back()) < Machine::kLanes)
    return false;
  const loop::Kernel& kernel = merged.kernel;
  std::set<loop::BufferId> sources;
  for (size_t n : producer.nodes) {
    for (ValueId operand : NodeAt(n).operands) {
      auto found = buffers.find(operand);
      if (found != buffers.end()) sources.insert(found->second);
    }
  }
  // How often an element is read for one of the product's columns.
  double elements = Count(merged, ElementCount(shape)), most = 0;
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    if (!loop::IsReduction(stage)) continue;
    loop::ForEachExpr(kernel, stage.value(), [&](loop::ExprId id) {
      auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
      if (!load || !sources.count(load->buffer)) return;
      double read = 1;
      for (const loop::StageLoop& loop : stage.loops) {
        bool moves = std::any_of(load->index.begin(), load->index.end(), [&](loop::ExprId index) {
          return loop::Mentions(kernel, index, [&](loop::VarId var) { return var == loop.var; });
        });
        if (moves) read *= Count(merged, loop.extent);
      }
      most = std::max(most, read / elements);
    });
  }
  return most > CostsOf(merged).window;
}

// Whether a kernel of rows multiplies a row by a matrix, which keeps a workgroup longer than it
// should work alone. (A product of many rows is a contraction.) On a CPU, where starting a kernel
// takes no time, that is any matrix to speak of; as a kernel's only reduction its weight is packed.
bool NodeGroups::MultipliesLongRows(const Group& group) const {
  const Machine& machine = *TargetOf(group).machine;
  loop::Kernel kernel = group.kernel;
  loop::Collapse(kernel);
  auto rows = loop::AlignRows(kernel);
  CHECK(rows);
  auto of_row = [&](const loop::StageLoop& loop) {
    return std::count(rows->begin(), rows->end(), kernel.vars[loop.var].name) == 0;
  };
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    if (!loop::ProductOf(kernel, stage)) continue;
    double columns = 1, products = 1;
    for (const loop::StageLoop& loop : stage.loops) {
      if (!of_row(loop)) continue;
      products *= Count(group, loop.extent);
      if (loop::Names(kernel, stage, loop.var)) columns *= Count(group, loop.extent);
    }
    double most = machine.threads.longest_alone * static_cast<double>(machine.max_threads);
    if (columns > 1 && products > most) return true;
  }
  return false;
}

bool NodeGroups::Worth(const Group& producer, const Group& consumer, const Group& merged,
                       bool stays) const {
  const Machine::Fusion& costs = CostsOf(merged);
  using schedule::Kind;
  // What comes after whole rows is computed where they are.
  if (producer.streams()) return consumer.kind == Kind::kMap && merged.streams();
  if (consumer.streams() && !merged.streams()) return false;
  if (merged.joins) return JoiningIsWorth(producer, consumer, merged);
  // What is stored in few bits is widened by those who read it.
  if (consumer.kind == Kind::kMap && Widens(consumer.kernel) &&
      !links_.IsOutput(ResultsOf(consumer)[0]))
    return false;
  // Products are scheduled by themselves: a kernel of rows would compute them one by one.
  if (merged.kind == Kind::kRows &&
      (producer.kind == Kind::kContraction || consumer.kind == Kind::kContraction ||
       MultipliesLongRows(merged))) {
    return false;
  }
  if (producer.kind == Kind::kOrdered) return false;
  if (producer.kind != Kind::kMap) {
    // The producer's result would be stored in a stage of its own, or computed anew.
    if (merged.kind == Kind::kRows) return RepeatingIsWorth(producer, consumer, merged);
    return merged.kind == producer.kind;
  }
  bool products = consumer.kind == Kind::kContraction || consumer.kind == Kind::kReduction ||
                  consumer.streams();
  bool multiplies = consumer.kind == Kind::kContraction && merged.kind == Kind::kContraction;
  const bool has_several_sources = HasSeveralSources(producer);
  if (multiplies && TargetOf(merged).IsGpu() && !stays &&
      (!producer.is_free || has_several_sources) && !WidensWeights(producer))
    return FillingIsWorth(producer, consumer, merged);
  if (producer.is_free && products && has_several_sources) return false;
  if (multiplies && WidensWeights(producer)) return true;
  // A window reads every element several times: better where neighbours are.
  bool windows = consumer.kind == Kind::kReduction && Repeats(producer, merged) > costs.window;
  if (multiplies) windows = HasWindowsOfRuns(producer, merged);
  if (producer.is_free) return !(windows && MovesNeighbours(producer));
  // Arithmetic is repeated where the consumer reads an element more than once.
  const bool is_cheap = producer.work <= costs.cheap;
  if (Repeats(producer, merged) <= costs.once && (is_cheap || consumer.kind != Kind::kRows))
    return true;
  if (consumer.kind == Kind::kReduction && !TargetOf(merged).IsGpu()) return false;
  bool repeats = consumer.kind == Kind::kMap || consumer.kind == Kind::kRows ||
                 (consumer.kind == Kind::kReduction && merged.kind == Kind::kReduction);
  return repeats && RepeatingIsWorth(producer, consumer, merged);
}

// What all reductions of a kernel compute, in operations on elements.
static double ReducedOperations(const loop::Kernel& kernel, const LikelySizes& sizes) {
  double operations = 0;
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    if (!loop::IsReduction(stage)) continue;
    // What several parts have in common is computed once.
    std::set<loop::ExprId> seen;
    auto terms = static_cast<double>(stage.parts.size());
    for (const loop::Part& part : stage.parts) {
      loop::ForEachExpr(kernel, part.term, [&](loop::ExprId id) {
        const loop::Expr& expr = kernel.exprs[id];
        bool computes = std::holds_alternative<loop::Unary>(expr.node) ||
                        std::holds_alternative<loop::Binary>(expr.node);
        terms += computes && IsFloat(expr.dtype) && seen.insert(id).second;
      });
    }
    operations += terms * sizes.Typical(loop::IterationsOf(stage));
  }
  return operations;
}

// A sum that joins others with more results is computed for each of these, which takes no launch.
// Products of many rows are tiled, which sums of several parts are not.
bool NodeGroups::JoiningIsWorth(const Group& producer, const Group& consumer,
                                const Group& merged) const {
  if (producer.kind == schedule::Kind::kContraction ||
      consumer.kind == schedule::Kind::kContraction)
    return false;
  loop::Kernel collapsed = merged.kernel;
  loop::Collapse(collapsed);
  const Machine& machine = *TargetOf(merged).machine;
  const loop::Kernel joined = *loop::JoinReductions(collapsed);
  // Threads that share sums put vectors of all of them into workgroup memory.
  const auto parts = static_cast<int64_t>(loop::StagesOf(joined)[0].parts.size());
  if (parts * machine.max_threads * Machine::kLanes * 4 > machine.workgroup_bytes) return false;
  double more = ReducedOperations(joined, sizes_) - ReducedOperations(producer.kernel, sizes_) -
                ReducedOperations(consumer.kernel, sizes_);
  return more <= OperationsASecond(machine) * machine.launch;
}

// How long blocks of rows are that one pass runs over, and by how many parts, if that makes a
// kernel of the group.
bool NodeGroups::ChooseBlock(Group& group) const {
  loop::Kernel kernel = group.kernel;
  loop::Collapse(kernel);
  for (int64_t block : kBlocks) {
    for (int64_t parts : kParts) {
      double seconds = StreamSeconds(group, kernel, block, parts);
      if (seconds == 0) return false;
      if (group.streams() && seconds >= group.seconds) continue;
      group.block = block;
      group.parts = parts;
      group.seconds = seconds;
    }
  }
  return std::isfinite(group.seconds);
}

// 0 if there is no such pass.
double NodeGroups::StreamSeconds(const Group& group, const loop::Kernel& collapsed, int64_t block,
                                 int64_t parts) const {
  const Target& target = TargetOf(group);
  auto stream = loop::StreamRows(collapsed, block, parts);
  if (!stream) return 0;
  std::vector<loop::Kernel> kernels{stream->kernel};
  if (parts > 1) kernels = CutStages(stream->kernel, stream->whole);
  schedule::AlignLoops(kernels[0]);
  auto candidates = schedule::Candidates(kernels[0], target, sizes_, {1, 0});
  if (candidates.empty() || candidates[0].seconds == 0)
    return std::numeric_limits<double>::infinity();
  double seconds = candidates[0].seconds + target.machine->launch;
  if (parts > 1) seconds += SecondsOf(kernels[1], target);
  return seconds;
}

// A concatenation and the like: choosing where to read from would stand in the innermost loop.
bool NodeGroups::HasSeveralSources(const Group& producer) const {
  const loop::Kernel& kernel = producer.kernel;
  auto loads = [&](loop::ExprId value) {
    bool found = false;
    loop::ForEachExpr(kernel, value, [&](loop::ExprId id) {
      found |= std::holds_alternative<loop::Load>(kernel.exprs[id].node);
    });
    return found;
  };
  bool chooses = false;
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    loop::ForEachExpr(kernel, stage.value(), [&](loop::ExprId id) {
      auto* select = std::get_if<loop::Select>(&kernel.exprs[id].node);
      chooses |= select && loads(select->yes) && loads(select->no);
    });
  }
  return chooses;
}

// Weights of a few bits, which would be written in many, and read again, by each run. A product
// widens them where it reads them: for the tiles of a GPU, or once for all rows on a CPU.
bool NodeGroups::WidensWeights(const Group& producer) const {
  bool few_bits = false;
  for (size_t n : producer.nodes) {
    for (ValueId operand : NodeAt(n).operands) {
      const graph::Node* node = links_.DefinitionOf(operand);
      bool is_weight = node && (IsWeight(*node) || IsInlineSource(*node));
      if (!is_weight &&
          (!node || !std::count(producer.nodes.begin(), producer.nodes.end(), IndexOf(node))))
        return false;
      few_bits |= is_weight && IsPacked(graph_.values[operand].type.dtype);
    }
  }
  return few_bits;
}

// A transpose and the like: what is stored side by side was not loaded so.
bool NodeGroups::MovesNeighbours(const Group& producer) {
  const loop::Kernel& kernel = producer.kernel;
  bool moves = false;
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    loop::ForEachExpr(kernel, stage.value(), [&](loop::ExprId id) {
      auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
      if (!load || load->index.empty() || stage.place.empty()) return;
      auto* last = std::get_if<loop::Variable>(&kernel.exprs[stage.place.back()].node);
      moves |= last && !loop::Mentions(kernel, load->index.back(),
                                       [&](loop::VarId var) { return var == last->var; });
    });
  }
  return moves;
}

}  // namespace webnnc::plan
