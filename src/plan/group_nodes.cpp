#include "plan/group_nodes.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "loop/lowering.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/join_reductions.h"
#include "loop/passes/single_terms.h"
#include "loop/passes/stream_rows.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/split_stages.h"

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
  if (!Form(merged) || !Worth(producer, consumer, merged, used_elsewhere)) return false;
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
  } else if (!loop::InlineMapsUpTo(kernel, loop::kLargestExpr) ||
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
  group.joins = TargetOf(group).IsGpu() && Joined(group.kind, collapsed).has_value();
  if (group.joins) group.kind = schedule::Kind::kReduction;
  std::tie(group.is_free, group.work) = WorkOf(group);
  return group.nodes.size() == 1 || (group.kind != schedule::Kind::kNone && Fits(group, collapsed));
}

// A kernel whose reductions are one, which threads can divide: rows are whole before the next
// stage.
std::optional<loop::Kernel> NodeGroups::Joined(schedule::Kind kind, const loop::Kernel& collapsed) {
  if (kind != schedule::Kind::kRows && kind != schedule::Kind::kNone) return std::nullopt;
  auto joined = loop::JoinReductions(collapsed);
  bool is_one = joined && schedule::Classify(*joined) == schedule::Kind::kReduction;
  return is_one ? std::move(joined) : std::nullopt;
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
