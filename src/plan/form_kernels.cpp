#include "plan/form_kernels.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "loop/lowering.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/inline_maps.h"
#include "loop/passes/single_terms.h"
#include "loop/passes/split_groups.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/split_stages.h"
#include "schedule/classify.h"

namespace webnnc::plan {

using graph::Node;
using graph::ValueId;

namespace {

// Nodes that one kernel computes; the last one's result is the kernel's.
struct Group {
  std::vector<size_t> nodes;  // in the graph's order
  loop::Kernel kernel;        // plain, inlined, not yet collapsed
  schedule::Kind kind = schedule::Kind::kMap;
  // Only moves elements, or makes them from nothing: computing it again costs nothing much.
  bool is_free = false;
  // An upper bound of the arithmetic operations an element of a map takes.
  int64_t work = 0;
};

bool IsOneElement(const graph::Constant& constant) {
  return ElementCount(constant.value.type.shape).Is(1);
}

class KernelFormer {
 public:
  KernelFormer(const graph::Graph& graph, const Target& target,
               IdVector<WeightTag, Weight>& weights)
      : graph_(graph),
        target_(target),
        costs_(target.machine->fusion),
        weights_(weights),
        links_(graph),
        group_of_(graph.nodes.size()) {}

  Program Run() {
    program_.name = graph_.name;
    program_.target = target_;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) AddNode(n);
    Emit();
    return std::move(program_);
  }

 private:
  static constexpr size_t kNoGroup = SIZE_MAX;
  // The most that an element of a kernel of several nodes takes. Those of networks have some
  // hundred operations.
  static constexpr loop::ExprLimits kLargestExpr = {.code = 2000, .text = 8000};
  // Those of networks have at most 13. LLVM takes a time that grows with the square of a kernel's
  // length.
  static constexpr size_t kMostStages = 24;

  // ---- Grouping

  const Node& NodeAt(size_t n) const { return graph_.nodes[n]; }

  // What is part of the code of whoever uses it: scalars and sizes.
  bool IsInlineSource(const Node& node) const {
    if (auto* constant = std::get_if<graph::Constant>(&node.op)) return IsOneElement(*constant);
    return std::holds_alternative<graph::Sizes>(node.op) ||
           std::holds_alternative<graph::Iota>(node.op);
  }
  bool IsWeight(const Node& node) const {
    auto* constant = std::get_if<graph::Constant>(&node.op);
    return constant && !IsOneElement(*constant);
  }

  size_t IndexOf(const Node* node) const { return static_cast<size_t>(node - graph_.nodes.data()); }

  // The group that computes `id`, or kNoGroup for inputs and weights.
  size_t GroupOf(ValueId id) const {
    const Node* node = links_.DefinitionOf(id);
    if (!node || IsWeight(*node)) return kNoGroup;
    return group_of_[IndexOf(node)];
  }

  // Starts a group with node n and merges into it what it can of its operands' groups.
  void AddNode(size_t n) {
    if (IsWeight(NodeAt(n))) return;
    Group group{{n}, {}, {}, false, 0};
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
  bool MergeSomeOperand(size_t into) {
    std::set<size_t, std::greater<>> operands;
    for (size_t n : groups_[into].nodes) {
      for (ValueId operand : NodeAt(n).operands) operands.insert(GroupOf(operand));
    }
    for (size_t from : operands) {
      if (TryMerge(from, into)) return true;
    }
    return false;
  }

  const std::vector<ValueId>& ResultsOf(const Group& group) const {
    return NodeAt(group.nodes.back()).results;
  }

  bool TryMerge(size_t from, size_t into) {
    if (from == kNoGroup || from == into) return false;
    // Copying a group again would change nothing.
    const auto &theirs = groups_[from].nodes, &own = groups_[into].nodes;
    if (std::includes(own.begin(), own.end(), theirs.begin(), theirs.end())) return false;
    // Forming a group takes time that grows with it, and a longer chain saves nothing more.
    constexpr size_t kMostNodes = 32;
    if (own.size() + theirs.size() > kMostNodes) return false;
    const Group &producer = groups_[from], &consumer = groups_[into];
    // What several results are stored for cannot flow inside of one kernel.
    if (ResultsOf(producer).size() != 1) return false;
    ValueId result = ResultsOf(producer)[0];
    bool used_elsewhere = links_.IsOutput(result);
    for (const Node* user : links_.UsersOf(result)) {
      if (used_elsewhere) break;
      // Nodes that have not been reached yet are users too, and so is a node whose copy is inside:
      // the node itself may be needed by others.
      size_t n = IndexOf(user);
      bool inside = std::count(consumer.nodes.begin(), consumer.nodes.end(), n) > 0;
      used_elsewhere |= !inside || group_of_[n] != into;
    }
    // What is free is copied, the others move.
    if (used_elsewhere && !(producer.is_free && producer.kind == schedule::Kind::kMap)) {
      return false;
    }
    Group merged;
    std::set_union(producer.nodes.begin(), producer.nodes.end(), consumer.nodes.begin(),
                   consumer.nodes.end(), std::back_inserter(merged.nodes));
    if (!Form(merged) || !Worth(producer, consumer, merged)) return false;
    if (!used_elsewhere) {
      // Nodes that were copied into it belong elsewhere.
      for (size_t n : producer.nodes) {
        if (group_of_[n] == from) group_of_[n] = into;
      }
      groups_[from] = {};
    }
    groups_[into] = std::move(merged);
    return true;
  }

  // ---- Lowering a group

  // The kernel of the group's nodes. Fails if no rule could schedule it, or if it would be so much
  // code that what it reads is better stored: an index that is looked up at an index that is looked
  // up, or both sides of a concatenation, are there once more at each use.
  bool Form(Group& group) {
    loop::Kernel& kernel = group.kernel;
    kernel = loop::Kernel();
    buffers_.clear();
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
    std::tie(group.is_free, group.work) = WorkOf(group);
    return group.nodes.size() == 1 || (group.kind != schedule::Kind::kNone && Fits(collapsed));
  }

  // Whether a device can bind what the kernel reads and writes, also if its stages must run one by
  // one and what flows between them is in buffers.
  bool Fits(const loop::Kernel& kernel) const {
    auto parameters = static_cast<int64_t>(loop::ParametersOf(kernel).size());
    int64_t most = target_.machine->max_buffers;
    if (parameters > most) return false;
    return kernel.buffers.size() <= most || MostBuffersOfAStage(kernel) <= most;
  }

  bool IsUsed(ValueId id) const { return links_.IsOutput(id) || !links_.UsersOf(id).empty(); }

  void LowerNode(loop::Kernel& kernel, size_t n, const std::set<size_t>& inside, bool last) {
    const Node& node = NodeAt(n);
    auto buffer_of = [&](ValueId id, loop::Space space) {
      auto [found, is_new] = buffers_.emplace(id, loop::BufferId());
      const graph::Value& value = graph_.values[id];
      if (is_new) found->second = kernel.buffers.Add({value.name, value.type, space});
      return found->second;
    };
    std::vector<loop::BufferId> operands, results;
    for (ValueId operand : node.operands) {
      const Node* definition = links_.DefinitionOf(operand);
      bool inline_source =
          definition && IsInlineSource(*definition) && !inside.count(IndexOf(definition));
      if (inline_source && !buffers_.count(operand))
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
  std::pair<bool, int64_t> WorkOf(const Group& group) const {
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
        work += simple ? 1 : costs_.function;
      }
      if (auto* b = std::get_if<loop::Binary>(&expr.node)) {
        work += b->op == loop::BinaryOp::kPow   ? costs_.power
                : b->op == loop::BinaryOp::kDiv ? costs_.division
                                                : 1;
      }
      work += std::holds_alternative<loop::Convert>(expr.node);
    });
    if (looks_up) work += costs_.look_up;
    return {work == 0, work};
  }

  // How often the consumer's kernel computes an element of the producer's result, at most.
  double Repeats(const Group& producer, const Group& merged) const {
    auto count = [&](const Dim& dim) {
      SymbolValues values;
      std::set<std::string> symbols;
      dim.CollectSymbols(symbols);
      for (const std::string& symbol : symbols) values[symbol] = costs_.open_size;
      return static_cast<double>(std::max<int64_t>(1, dim.Evaluate(values)));
    };
    const Shape& shape = graph_.values[ResultsOf(producer)[0]].type.shape;
    double elements = count(ElementCount(shape)), most = 0;
    for (const loop::Stage& stage : loop::StagesOf(merged.kernel)) {
      most = std::max(most, count(IterationsOf(stage)) / elements);
    }
    return most;
  }

  bool Worth(const Group& producer, const Group& consumer, const Group& merged) const {
    using schedule::Kind;
    // Products are scheduled by themselves: a kernel of rows would compute them one by one.
    if (merged.kind == Kind::kRows &&
        (producer.kind == Kind::kContraction || consumer.kind == Kind::kContraction)) {
      return false;
    }
    if (producer.kind == Kind::kOrdered) return false;
    if (producer.kind != Kind::kMap) {
      // The producer's result would be stored in a stage of its own, or computed anew.
      return merged.kind == producer.kind || merged.kind == Kind::kRows;
    }
    bool products = consumer.kind == Kind::kContraction || consumer.kind == Kind::kReduction;
    if (producer.is_free && products && HasSeveralSources(producer)) return false;
    // A window reads every element several times: better where neighbours are.
    bool windows = consumer.kind == Kind::kReduction && Repeats(producer, merged) > costs_.window;
    if (producer.is_free) return !(windows && MovesNeighbours(producer));
    // Arithmetic is repeated where the consumer reads an element more than once.
    double repeats = Repeats(producer, merged);
    if (repeats <= costs_.once) return true;
    bool cheap = producer.work <= costs_.cheap;
    if (consumer.kind == Kind::kRows) return cheap && repeats <= costs_.repeats_in_rows;
    if (consumer.kind == Kind::kMap) return cheap && repeats <= costs_.repeats_in_maps;
    return false;
  }

  // A concatenation and the like: choosing where to read from would stand in the innermost loop.
  bool HasSeveralSources(const Group& producer) const {
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
  static bool MovesNeighbours(const Group& producer) {
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

  // ---- The program

  void Emit() {
    for (const graph::Port& port : graph_.inputs) {
      const TensorType& type = graph_.values[port.value].type;
      BufferId buffer = program_.buffers.Add(
          {port.name, type.dtype, ElementCount(type.shape), BufferKind::kInput});
      place_[port.value] = buffer;
      program_.inputs.push_back({port.name, type, buffer});
    }
    // A group runs when its last node does.
    std::vector<size_t> order;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (!groups_[g].nodes.empty() && !IsInlineSource(NodeAt(groups_[g].nodes.back())))
        order.push_back(g);
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return groups_[a].nodes.back() < groups_[b].nodes.back();
    });
    std::set<ValueId> needed = NeededResults(order);
    for (size_t g : order) {
      if (NeedsAny(needed, groups_[g])) EmitGroup(groups_[g]);
    }
    for (const graph::Port& port : graph_.outputs) EmitOutput(port);
  }

  bool NeedsAny(const std::set<ValueId>& needed, const Group& group) const {
    return std::any_of(ResultsOf(group).begin(), ResultsOf(group).end(),
                       [&](ValueId id) { return needed.count(id) > 0; });
  }

  // Groups that were only copied into others are left without users.
  std::set<ValueId> NeededResults(const std::vector<size_t>& order) const {
    std::set<ValueId> needed;
    for (const graph::Port& port : graph_.outputs) needed.insert(port.value);
    for (size_t i = order.size(); i-- > 0;) {
      const Group& group = groups_[order[i]];
      if (!NeedsAny(needed, group)) continue;
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

  BufferId PlaceOf(ValueId id) {
    auto found = place_.find(id);
    if (found != place_.end()) return found->second;
    const Node* node = links_.DefinitionOf(id);
    CHECK(node && IsWeight(*node));
    const auto& constant = std::get<graph::Constant>(node->op);
    return place_[id] = AddWeight(constant);
  }

  BufferId AddWeight(const graph::Constant& constant) {
    WeightId weight = FindWeight(constant);
    const TensorType& type = weights_[weight].type;
    return program_.buffers.Add(
        {weights_[weight].name, type.dtype, ElementCount(type.shape), BufferKind::kWeight, weight});
  }

  // The other target's program may have stored it already.
  WeightId FindWeight(const graph::Constant& constant) {
    for (; indexed_weights_ < weights_.size(); ++indexed_weights_) {
      WeightId id{indexed_weights_};
      weights_at_[weights_[id].data.bytes().data()].push_back(id);
    }
    auto& known = weights_at_[constant.value.data.bytes().data()];
    for (WeightId id : known) {
      if (weights_[id].type == constant.value.type) return id;
    }
    return weights_.Add({constant.name, constant.value.type, constant.value.data});
  }

  void EmitGroup(Group& group) {
    const Node& last = NodeAt(group.nodes.back());
    // By itself: the same bytes.
    bool is_alias = std::holds_alternative<graph::Reshape>(last.op) ||
                    std::holds_alternative<graph::Refine>(last.op);
    if (group.nodes.size() == 1 && is_alias) {
      place_[last.result()] = PlaceOf(last.operands[0]);
      return;
    }
    CHECK(Form(group));
    // The parameters' values, in the kernel's order.
    std::vector<std::pair<loop::BufferId, ValueId>> values;
    for (const auto& [id, buffer] : buffers_) values.push_back({buffer, id});
    std::sort(values.begin(), values.end());
    Step step;
    loop::Kernel kernel = std::move(group.kernel);
    DropUnusedParameters(kernel, values);
    for (const auto& [buffer, id] : values) {
      loop::Space space = kernel.buffers[buffer].space;
      if (space != loop::Space::kIn && space != loop::Space::kOut) continue;
      if (space == loop::Space::kOut) {
        const graph::Value& value = graph_.values[id];
        place_[id] =
            program_.buffers.Add({value.name, value.type.dtype, ElementCount(value.type.shape)});
      }
      step.arguments.push_back(PlaceOf(id));
    }
    loop::Collapse(kernel);
    loop::SplitGroups(kernel);
    schedule::AlignLoops(kernel);
    for (size_t n : group.nodes) {
      for (const std::string& origin : NodeAt(n).origins) {
        bool is_new =
            std::find(step.origins.begin(), step.origins.end(), origin) == step.origins.end();
        if (is_new) step.origins.push_back(origin);
      }
    }
    step.kernel = program_.kernels.Add({std::move(kernel), {}, {}});
    program_.steps.push_back(std::move(step));
  }

  // An operand whose elements do not matter, only its shape, is no parameter.
  void DropUnusedParameters(loop::Kernel& kernel,
                            const std::vector<std::pair<loop::BufferId, ValueId>>& values) {
    std::set<loop::BufferId> used;
    for (const loop::Stage& stage : loop::StagesOf(kernel))
      loop::ForEachLoad(kernel, stage, [&](const loop::Load& load) { used.insert(load.buffer); });
    for (const auto& [buffer, id] : values) {
      loop::Buffer& parameter = kernel.buffers[buffer];
      if (parameter.space == loop::Space::kIn && !used.count(buffer))
        parameter.space = loop::Space::kTemporary;
    }
  }

  // An output is a buffer of its own, so that its bytes are the caller's: what is an input, a
  // weight, or another output already is copied.
  void EmitOutput(const graph::Port& port) {
    const TensorType& type = graph_.values[port.value].type;
    BufferId buffer;
    const Node* node = links_.DefinitionOf(port.value);
    bool inline_source = node && IsInlineSource(*node);
    if (!inline_source) buffer = PlaceOf(port.value);
    if (inline_source || program_.buffers[buffer].kind != BufferKind::kActivation) {
      buffer = EmitCopy(port, type, inline_source ? node : nullptr, buffer);
    }
    program_.buffers[buffer].kind = BufferKind::kOutput;
    program_.outputs.push_back({port.name, type, buffer, port.hidden});
  }

  BufferId EmitCopy(const graph::Port& port, const TensorType& type, const Node* source,
                    BufferId from) {
    loop::Kernel kernel;
    kernel.name = "copy";
    Step step;
    if (source) {
      buffers_.clear();
      LowerNode(kernel, IndexOf(source), {}, true);
    } else {
      auto in = kernel.buffers.Add({"x", type, loop::Space::kIn});
      auto out = kernel.buffers.Add({port.name, type, loop::Space::kOut});
      loop::Builder build(kernel);
      build.ForEach(type.shape,
                    [&](const loop::Index& at) { build.Store(out, at, build.Load(in, at)); });
      step.arguments.push_back(from);
    }
    BufferId to = program_.buffers.Add({port.name, type.dtype, ElementCount(type.shape)});
    step.arguments.push_back(to);
    loop::Collapse(kernel);
    step.kernel = program_.kernels.Add({std::move(kernel), {}, {}});
    program_.steps.push_back(std::move(step));
    return to;
  }

  const graph::Graph& graph_;
  const Target& target_;
  const Machine::Fusion& costs_;
  IdVector<WeightTag, Weight>& weights_;
  graph::Links links_;
  std::vector<Group> groups_;
  std::vector<size_t> group_of_;
  std::map<ValueId, loop::BufferId> buffers_;  // of the kernel that Form made last
  std::map<ValueId, BufferId> place_;
  // By where their bytes are; those before indexed_weights_.
  std::map<const uint8_t*, std::vector<WeightId>> weights_at_;
  int32_t indexed_weights_ = 0;
  Program program_;
};

}  // namespace

Program FormKernels(const graph::Graph& graph, const Target& target,
                    IdVector<WeightTag, Weight>& weights) {
  return KernelFormer(graph, target, weights).Run();
}

}  // namespace webnnc::plan
