#include "plan/group_nodes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "loop/lowering.h"
#include "loop/parameters.h"
#include "loop/passes/align_rows.h"
#include "loop/passes/collapse.h"
#include "loop/passes/single_terms.h"
#include "loop/passes/stream_rows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/split_stages.h"
#include "schedule/choose_gpu.h"

namespace webnnc::plan {

using graph::Node;
using graph::ValueId;

static bool IsOneElement(const graph::Constant& constant) {
  return ElementCount(constant.value.type.shape).Is(1);
}

bool Decides(const Node& node) {
  return !node.bodies.empty() || std::holds_alternative<graph::Define>(node.op);
}

NodeGroups::NodeGroups(const graph::Graph& graph, const graph::Links& links, const Target& device,
                       const Target& host, const LikelySizes& sizes, std::vector<Place> places,
                       std::set<size_t> stand_alone)
    : graph_(graph),
      links_(links),
      device_(device),
      host_(host),
      sizes_(sizes),
      places_(std::move(places)),
      stand_alone_(std::move(stand_alone)),
      group_of_(graph.nodes.size()) {
  for (size_t n = 0; n < graph_.nodes.size(); ++n) AddNode(n);
}

std::vector<Group*> NodeGroups::InOrder() {
  std::vector<size_t> order;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (!groups_[g].nodes.empty() && !IsInlineSource(NodeAt(groups_[g].nodes.back())))
      order.push_back(g);
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return groups_[a].nodes.back() < groups_[b].nodes.back(); });
  std::set<ValueId> needed = NeededResults(order);
  std::vector<Group*> groups;
  for (size_t g : order) {
    if (NeedsAny(needed, groups_[g]) || Decides(NodeAt(groups_[g].nodes.back())))
      groups.push_back(&groups_[g]);
  }
  return groups;
}

// ---- Grouping

// What is part of the code of whoever uses it: scalars and sizes.
bool NodeGroups::IsInlineSource(const Node& node) const {
  if (auto* constant = std::get_if<graph::Constant>(&node.op)) return IsOneElement(*constant);
  return std::holds_alternative<graph::Sizes>(node.op) ||
         std::holds_alternative<graph::Iota>(node.op);
}
bool NodeGroups::IsWeight(const Node& node) const {
  auto* constant = std::get_if<graph::Constant>(&node.op);
  return constant && !IsOneElement(*constant);
}

// The group that computes `id`, or kNoGroup for inputs and weights.
size_t NodeGroups::GroupOf(ValueId id) const {
  const Node* node = links_.DefinitionOf(id);
  if (!node || IsWeight(*node)) return kNoGroup;
  return group_of_[IndexOf(node)];
}

// Starts a group with node n and merges into it what it can of its operands' groups.
void NodeGroups::AddNode(size_t n) {
  if (IsWeight(NodeAt(n))) return;
  Group group{{n}, {}, {}, false, 0};
  if (StandsAlone(NodeAt(n))) {
    group_of_[n] = groups_.size();
    groups_.push_back(std::move(group));
    return;
  }
  CHECK(Form(group));
  // Nothing stores these, so every user has its own copy.
  group.is_free |= IsInlineSource(NodeAt(n));
  group_of_[n] = groups_.size();
  groups_.push_back(std::move(group));
  if (IsInlineSource(NodeAt(n))) return;
  while (MergeSomeOperand(group_of_[n])) {
  }
}

// Operands computed last come first: an epilogue joins the product before it, not the residual
// that was there long ago. One merge may make room for another, that of a value which had two
// users and now has one.
bool NodeGroups::MergeSomeOperand(size_t into) {
  std::set<size_t, std::greater<>> operands;
  for (size_t n : groups_[into].nodes) {
    for (ValueId operand : NodeAt(n).operands) operands.insert(GroupOf(operand));
  }
  for (size_t from : operands) {
    if (TryMerge(from, into)) return true;
  }
  return TryStream(into);
}

bool NodeGroups::MayMerge(const Group& producer, const Group& consumer) const {
  const Node& last = NodeAt(producer.nodes.back());
  if (StandsAlone(last) || StandsAlone(NodeAt(consumer.nodes.back()))) return false;
  if (!IsInlineSource(last) && PlaceOf(producer) != PlaceOf(consumer)) return false;
  // What several results are stored for cannot flow inside of one kernel.
  return ResultsOf(producer).size() == 1;
}

bool NodeGroups::TryMerge(size_t from, size_t into) {
  if (from == kNoGroup || from == into) return false;
  // Copying a group again would change nothing.
  const auto &theirs = groups_[from].nodes, &own = groups_[into].nodes;
  if (std::includes(own.begin(), own.end(), theirs.begin(), theirs.end())) return false;
  if (own.size() + theirs.size() > kMostNodes) return false;
  const Group &producer = groups_[from], &consumer = groups_[into];
  if (!MayMerge(producer, consumer)) return false;
  ValueId result = ResultsOf(producer)[0];
  bool used_elsewhere = IsUsedElsewhere(from, into);
  // What callers get is stored anyway: a GPU reads it there, where another copy is a launch. A CPU
  // copies in the order in which products read.
  bool is_gpu = TargetOf(consumer).IsGpu();
  if (is_gpu && links_.IsOutput(result) && HasSeveralSources(producer)) return false;
  // What is free is copied, the others move.
  if (used_elsewhere && !(producer.is_free && producer.kind == schedule::Kind::kMap)) {
    return false;
  }
  Group merged;
  std::set_union(producer.nodes.begin(), producer.nodes.end(), consumer.nodes.begin(),
                 consumer.nodes.end(), std::back_inserter(merged.nodes));
  if (!Form(merged) || !Worth(producer, consumer, merged)) return false;
  Replace(used_elsewhere ? std::vector<size_t>{} : std::vector{from}, into, std::move(merged));
  return true;
}

bool NodeGroups::IsUsedElsewhere(size_t from, size_t into) const {
  ValueId result = ResultsOf(groups_[from])[0];
  if (links_.IsOutput(result)) return true;
  const std::vector<size_t>& consumer = groups_[into].nodes;
  for (const Node* user : links_.UsersOf(result)) {
    // Nodes that have not been reached yet are users too, and so is a node whose copy is inside:
    // the node itself may be needed by others.
    size_t n = IndexOf(user);
    bool inside = std::count(consumer.begin(), consumer.end(), n) > 0;
    if (!inside || group_of_[n] != into) return true;
  }
  return false;
}

// Puts `merged` in the place of group `into`, and of those `from` that are in it.
void NodeGroups::Replace(const std::vector<size_t>& from, size_t into, Group merged) {
  for (size_t group : from) {
    // Nodes that were copied into it belong elsewhere.
    for (size_t n : groups_[group].nodes) {
      if (group_of_[n] == group) group_of_[n] = into;
    }
    groups_[group] = {};
  }
  groups_[into] = std::move(merged);
}

// Merges the rows that a product multiplies, and the product that they are made of, with it.
bool NodeGroups::TryStream(size_t into) {
  const Group& product = groups_[into];
  if (!TargetOf(product).IsGpu() || product.kind != schedule::Kind::kContraction) return false;
  auto for_operands = [&](const Group& group, const std::function<bool(size_t)>& visit) {
    for (size_t n : group.nodes) {
      for (ValueId operand : NodeAt(n).operands) {
        size_t from = GroupOf(operand);
        if (from != kNoGroup && !groups_[from].nodes.empty() && visit(from)) return true;
      }
    }
    return false;
  };
  return for_operands(product, [&](size_t rows) {
    if (rows == into || groups_[rows].kind != schedule::Kind::kRows) return false;
    return for_operands(groups_[rows], [&](size_t scores) {
      bool multiplies = groups_[scores].kind == schedule::Kind::kContraction;
      return scores != rows && multiplies && TryStream(scores, rows, into);
    });
  });
}

bool NodeGroups::TryStream(size_t scores, size_t rows, size_t into) {
  const Group &first = groups_[scores], &second = groups_[rows], &third = groups_[into];
  if (!MayMerge(first, second) || !MayMerge(second, third) || IsUsedElsewhere(scores, rows) ||
      IsUsedElsewhere(rows, into))
    return false;
  std::set<size_t> nodes(first.nodes.begin(), first.nodes.end());
  nodes.insert(second.nodes.begin(), second.nodes.end());
  nodes.insert(third.nodes.begin(), third.nodes.end());
  Group merged;
  merged.nodes.assign(nodes.begin(), nodes.end());
  if (nodes.size() > kMostNodes) return false;
  // No kernel as it is.
  Form(merged);
  if (merged.kind != schedule::Kind::kNone || !ChooseBlock(merged) || !Form(merged)) return false;
  const double apart = Seconds(first) + Seconds(second) + Seconds(third);
  if (merged.seconds > apart * TargetOf(merged).machine->streams.apart) return false;
  Replace({scores, rows}, into, std::move(merged));
  return true;
}

// ---- Lowering a group

// The kernel of the group's nodes. Fails if no rule could schedule it, or if it would be so much
// code that what it reads is better stored: an index that is looked up at an index that is looked
// up, or both sides of a concatenation, are there once more at each use.
bool NodeGroups::Form(Group& group) {
  loop::Kernel& kernel = group.kernel;
  kernel = loop::Kernel();
  buffers.clear();
  std::set<size_t> inside(group.nodes.begin(), group.nodes.end());
  for (size_t n : group.nodes) LowerNode(kernel, n, inside, n == group.nodes.back());
  for (size_t n : group.nodes) {
    bool named = !IsInlineSource(NodeAt(n)) && NodeAt(n).origins.size();
    if (named) kernel.name += (kernel.name.empty() ? "" : "_") + std::string(Name(NodeAt(n).op));
  }
  if (kernel.name.empty()) kernel.name = Name(NodeAt(group.nodes.back()).op);
  loop::DropUnusedStages(kernel);
  loop::StoreSingleTerms(kernel);
  if (group.nodes.size() == 1) {
    loop::InlineMaps(kernel);
  } else if (!loop::InlineMapsUpTo(kernel, kLargestExpr) ||
             loop::StagesOf(kernel).size() > kMostStages) {
    return false;
  }
  loop::Kernel collapsed = kernel;
  loop::Collapse(collapsed);
  group.kind = schedule::Classify(collapsed);
  bool streams = group.kind == schedule::Kind::kNone && group.streams() &&
                 loop::StreamRows(collapsed, group.block, group.parts);
  if (streams) group.kind = schedule::Kind::kOrdered;
  if (!streams) group.block = 0;
  std::tie(group.is_free, group.work) = WorkOf(group);
  return group.nodes.size() == 1 || (group.kind != schedule::Kind::kNone && Fits(group, collapsed));
}

// Whether a device can bind what the kernel reads and writes, also if its stages must run one by
// one and what flows between them is in buffers.
bool NodeGroups::Fits(const Group& group, const loop::Kernel& kernel) const {
  auto parameters = static_cast<int64_t>(loop::ParametersOf(kernel).size());
  int64_t most = TargetOf(group).machine->max_buffers;
  if (parameters > most) return false;
  return kernel.buffers.size() <= most || MostBuffersOfAStage(kernel) <= most;
}

void NodeGroups::LowerNode(loop::Kernel& kernel, size_t n, const std::set<size_t>& inside,
                           bool last) {
  const Node& node = NodeAt(n);
  auto buffer_of = [&](ValueId id, loop::Space space) {
    auto [found, is_new] = buffers.emplace(id, loop::BufferId());
    const graph::Value& value = graph_.values[id];
    if (is_new) found->second = kernel.buffers.Add({value.name, value.type, space});
    return found->second;
  };
  std::vector<loop::BufferId> operands, results;
  for (ValueId operand : node.operands) {
    const Node* definition = links_.DefinitionOf(operand);
    bool inline_source =
        definition && IsInlineSource(*definition) && !inside.count(IndexOf(definition));
    if (inline_source && !buffers.count(operand))
      LowerNode(kernel, IndexOf(definition), inside, false);
    operands.push_back(buffer_of(operand, loop::Space::kIn));
  }
  for (ValueId result : node.results) {
    bool wanted = last && (node.results.size() == 1 || IsUsed(result));
    results.push_back(buffer_of(result, wanted ? loop::Space::kOut : loop::Space::kTemporary));
  }
  if (auto* constant = std::get_if<graph::Constant>(&node.op)) {
    // One element of whatever shape: a number in the code.
    loop::Builder build(kernel);
    Scalar value = constant->value.data.At(constant->value.type.dtype, 0);
    build.ForEach(constant->value.type.shape, [&](const loop::Index& at) {
      build.Store(results[0], at, build.Constant(value));
    });
    return;
  }
  // Lower must not see the kernel's earlier statements as its own: it only appends.
  loop::Lowering lowering{kernel, operands, results};
  std::visit([&](const auto& op) { op.Lower(lowering); }, node.op);
}

// ---- What merging is worth

// Whether a map computes nothing, and how many operations an element takes otherwise. Functions
// like exp count as several.
std::pair<bool, int64_t> NodeGroups::WorkOf(const Group& group) const {
  const Machine::Fusion& costs = CostsOf(group);
  if (group.kind != schedule::Kind::kMap || group.kernel.body.size() != 1) return {false, 0};
  const loop::Kernel& kernel = group.kernel;
  loop::Stage stage = loop::StagesOf(kernel)[0];
  int64_t work = 0;
  bool looks_up = false;
  loop::ForEachExpr(kernel, stage.value(), [&](loop::ExprId id) {
    const loop::Expr& expr = kernel.exprs[id];
    if (auto* load = std::get_if<loop::Load>(&expr.node)) {
      for (loop::ExprId index : load->index) {
        loop::ForEachExpr(kernel, index, [&](loop::ExprId e) {
          looks_up |= std::holds_alternative<loop::Load>(kernel.exprs[e].node);
        });
      }
    }
    // i32 is what indices are computed in.
    if (expr.dtype == DType::kI32 || expr.dtype == DType::kBool) return;
    if (auto* unary = std::get_if<loop::Unary>(&expr.node)) {
      bool simple = unary->op <= loop::UnaryOp::kTrunc || unary->op >= loop::UnaryOp::kIsNan;
      work += simple ? 1 : costs.function;
    }
    if (auto* b = std::get_if<loop::Binary>(&expr.node)) {
      work += b->op == loop::BinaryOp::kPow   ? costs.power
              : b->op == loop::BinaryOp::kDiv ? costs.division
                                              : 1;
    }
    work += std::holds_alternative<loop::Convert>(expr.node);
  });
  if (looks_up) work += costs.look_up;
  return {work == 0, work};
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

bool NodeGroups::Worth(const Group& producer, const Group& consumer, const Group& merged) const {
  const Machine::Fusion& costs = CostsOf(merged);
  using schedule::Kind;
  // What comes after whole rows is computed where they are.
  if (producer.streams()) return consumer.kind == Kind::kMap && merged.streams();
  if (consumer.streams() && !merged.streams()) return false;
  // Products are scheduled by themselves: a kernel of rows would compute them one by one.
  if (merged.kind == Kind::kRows &&
      (producer.kind == Kind::kContraction || consumer.kind == Kind::kContraction ||
       MultipliesLongRows(merged))) {
    return false;
  }
  if (producer.kind == Kind::kOrdered) return false;
  if (producer.kind != Kind::kMap) {
    // The producer's result would be stored in a stage of its own, or computed anew.
    return merged.kind == producer.kind || merged.kind == Kind::kRows;
  }
  bool products = consumer.kind == Kind::kContraction || consumer.kind == Kind::kReduction ||
                  consumer.streams();
  if (producer.is_free && products && HasSeveralSources(producer)) return false;
  // A window reads every element several times: better where neighbours are.
  bool windows = consumer.kind == Kind::kReduction && Repeats(producer, merged) > costs.window;
  if (producer.is_free) return !(windows && MovesNeighbours(producer));
  // Arithmetic is repeated where the consumer reads an element more than once.
  double repeats = Repeats(producer, merged);
  if (repeats <= costs.once) return true;
  bool cheap = producer.work <= costs.cheap;
  if (consumer.kind == Kind::kRows) return cheap && repeats <= costs.repeats_in_rows;
  if (consumer.kind == Kind::kMap) return cheap && repeats <= costs.repeats_in_maps;
  return false;
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
  auto candidates = schedule::CandidatesForGpu(kernels[0], target, sizes_, {1, 0});
  if (candidates.empty() || candidates[0].seconds == 0)
    return std::numeric_limits<double>::infinity();
  double seconds = candidates[0].seconds + target.machine->launch;
  if (parts > 1) seconds += SecondsOf(kernels[1], target);
  return seconds;
}

double NodeGroups::Seconds(const Group& group) const {
  loop::Kernel kernel = group.kernel;
  loop::Collapse(kernel);
  return SecondsOf(kernel, TargetOf(group));
}

// What a kernel takes, roughly: if no rule knows, as long as what it reads and writes.
double NodeGroups::SecondsOf(const loop::Kernel& kernel, const Target& target) const {
  auto candidates = schedule::CandidatesForGpu(kernel, target, sizes_, {1, 0});
  double seconds = candidates.empty() ? 0 : candidates[0].seconds, bytes = 0;
  for (loop::BufferId parameter : loop::ParametersOf(kernel)) {
    const TensorType& type = kernel.buffers[parameter].type;
    bytes += sizes_.Typical(ElementCount(type.shape)) * static_cast<double>(ByteSize(type.dtype));
  }
  return std::max(seconds, bytes / target.machine->bandwidth) + target.machine->launch;
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

// ---- What is needed

bool NodeGroups::NeedsAny(const std::set<ValueId>& needed, const Group& group) const {
  return std::any_of(ResultsOf(group).begin(), ResultsOf(group).end(),
                     [&](ValueId id) { return needed.count(id) > 0; });
}

// Groups that were only copied into others are left without users.
std::set<ValueId> NodeGroups::NeededResults(const std::vector<size_t>& order) const {
  std::set<ValueId> needed;
  for (const graph::Port& port : graph_.outputs) needed.insert(port.value);
  for (size_t i = order.size(); i-- > 0;) {
    const Group& group = groups_[order[i]];
    if (!NeedsAny(needed, group) && !Decides(NodeAt(group.nodes.back()))) continue;
    std::set<size_t> inside(group.nodes.begin(), group.nodes.end());
    for (size_t n : group.nodes) {
      for (ValueId operand : NodeAt(n).operands) {
        const Node* definition = links_.DefinitionOf(operand);
        if (!definition || !inside.count(IndexOf(definition))) needed.insert(operand);
      }
    }
  }
  return needed;
}

}  // namespace webnnc::plan
