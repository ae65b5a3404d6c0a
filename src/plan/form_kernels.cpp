// NodeGroups (group_nodes.h) says which nodes a kernel computes; here they become steps: a kernel
// for each group, and what is no kernel, such as branches, copies and states that are appended.
//
// Groups are found in one walk over the nodes, in the graph's order. Each node begins as a group,
// and takes in groups of its operands as long as one of them may be merged and is worth it: those
// computed last first, so that an epilogue joins the product before it. A product also tries to
// take in two at a time, the rows that it multiplies and the product that they are made of. No
// choice is taken back, so that a network takes a time that grows with its nodes; what a later
// look at whole kernels finds is done by steps of its own (FactorReductions, FuseLaunches).
//
// The walk ends: a merge either takes a group away, or copies into a group nodes that it did not
// have, of which it takes no more than kMostNodes.
#include "plan/form_kernels.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "graph/ops/regions.h"
#include "loop/builder.h"
#include "loop/passes/collapse.h"
#include "loop/passes/join_reductions.h"
#include "loop/passes/keep_functions.h"
#include "loop/passes/split_groups.h"
#include "loop/passes/stream_rows.h"
#include "loop/stage.h"
#include "plan/group_nodes.h"
#include "plan/place_nodes.h"
#include "plan/split_stages.h"
#include "tensor/beginning.h"

namespace webnnc::plan {

using graph::Graph;
using graph::Node;
using graph::ValueId;

namespace {

// What the graphs of a model share: the program that they become.
struct Shared {
  Shared(const Graph& graph, const Target& target, IdVector<WeightTag, Weight>& weights,
         const LikelySizes& sizes)
      : weights(weights), sizes(sizes), places(graph, target) {
    program.name = graph.name;
    program.target = target;
  }

  // The other target's program may have stored it already, or another model's, or another constant
  // of this one may have the same elements.
  WeightId FindWeight(const graph::Constant& constant) {
    for (; indexed < weights.size(); ++indexed) {
      WeightId id{indexed};
      weights_like[BeginningOf(weights[id].data)].push_back(id);
    }
    for (WeightId id : weights_like[BeginningOf(constant.value.data)]) {
      const Weight& weight = weights[id];
      if (weight.type == constant.value.type && weight.data == constant.value.data) return id;
    }
    return weights.Add({constant.name, constant.value.type, constant.value.data});
  }

  Plan NextPlan(std::vector<std::string> symbols) { return {++plans, std::move(symbols)}; }

  // Before a branch that assumes something; what is assumed of all runs is checked at the start.
  std::optional<Plan> PlanOfBranch(const Graph& branch) {
    std::vector<Dim> checked;
    for (const Assumption& assumption : graph::AssumedAlways(branch)) {
      for (Dim& size : NotNegativeIf(assumption)) checked.push_back(std::move(size));
    }
    if (checked.empty()) return std::nullopt;
    return Plan{++plans, {}, std::move(checked)};
  }

  IdVector<WeightTag, Weight>& weights;
  const LikelySizes& sizes;
  NodePlaces places;
  Program program;

 private:
  int plans = 0;
  // Those before `indexed`.
  std::map<Beginning, std::vector<WeightId>> weights_like;
  int32_t indexed = 0;
};

bool IsAlias(const Node* node) {
  return node && (std::holds_alternative<graph::Reshape>(node->op) ||
                  std::holds_alternative<graph::Refine>(node->op));
}

template <typename Value>
std::set<size_t> Keys(const std::map<size_t, Value>& map) {
  std::set<size_t> keys;
  for (const auto& [key, value] : map) keys.insert(key);
  return keys;
}

// What is appended in place.
struct Appended {
  // The end of a state's buffer.
  struct End {
    BufferId state;
    Dim begin;  // in elements
  };
  // By concatenation, which is no kernel: where it puts what is new.
  std::map<size_t, End> nodes;
  // Values that nothing but one of these needs: a kernel can write them where they belong.
  std::map<ValueId, size_t> concat_of;
  // Results of scatters, and the buffers of states that they set parts of.
  std::map<ValueId, BufferId> updated;
};

// Appends the steps of one graph to the program.
class GraphFormer {
 public:
  GraphFormer(const Graph& graph, Shared& shared, Appended appended = {})
      : graph_(graph),
        shared_(shared),
        program_(shared.program),
        links_(graph),
        appended_(std::move(appended)),
        groups_(graph, links_, program_.target, program_.TargetAt(Place::kHost), shared.sizes,
                shared.places.Of(graph), Keys(appended_.nodes)) {
    for (const auto& [n, end] : appended_.nodes)
      GiveValue(graph.nodes[n].result(), Place::kDevice, end.state);
  }

  // Where input `i` is. It may be at both places.
  void GiveInput(size_t i, Place place, BufferId buffer) {
    GiveValue(graph_.inputs[i].value, place, buffer);
  }
  void GiveValue(ValueId id, Place place, BufferId buffer) { place_[{id, place}] = buffer; }

  void Run() {
    for (Group* group : groups_.InOrder()) {
      const Node& last = groups_.NodeAt(group->nodes.back());
      if (std::holds_alternative<graph::Define>(last.op)) {
        EmitDefine(last);
      } else if (std::holds_alternative<graph::If>(last.op)) {
        EmitIf(last);
      } else if (std::holds_alternative<graph::Loop>(last.op)) {
        EmitLoop(last);
      } else if (appended_.nodes.count(groups_.IndexOf(&last))) {
        EmitAppend(last);
      } else {
        EmitGroup(*group);
      }
    }
  }

  // An output in a buffer of its own, so that its bytes are the caller's: what is an input, a
  // weight, or another output already is copied.
  BufferId OutputAt(size_t i, Place place) {
    const graph::Port& port = graph_.outputs[i];
    const Node* node = links_.DefinitionOf(port.value);
    if (node && groups_.IsInlineSource(*node)) return EmitSource(*node, port.name, place);
    BufferId buffer = BufferAt(port.value, place);
    if (!own_.count(buffer)) {
      buffer = EmitCopy(port.name, graph_.values[port.value].type, buffer, place);
    }
    own_.erase(buffer);
    return buffer;
  }

  // An output in a given buffer of the device.
  void PutOutput(size_t i, BufferId buffer) {
    ValueId id = graph_.outputs[i].value;
    BufferId from = BufferAt(id, Place::kDevice);
    if (from != buffer) EmitCopyTo(buffer, graph_.values[id].type, from, Place::kDevice);
  }

  // An output in a buffer that can change places with another. What grows has memory of its own,
  // and is copied.
  BufferId MovableOutputAt(size_t i, Place place) {
    BufferId buffer = OutputAt(i, place);
    if (!program_.buffers[buffer].grows) return buffer;
    const graph::Port& port = graph_.outputs[i];
    return EmitCopy(port.name, graph_.values[port.value].type, buffer, place);
  }

  // The buffer of a value at a place. What is at the other place is brought here.
  BufferId BufferAt(ValueId id, Place place, const std::string& reason = "") {
    if (auto found = place_.find({id, place}); found != place_.end()) return found->second;
    if (auto alias = alias_.find(id); alias != alias_.end())
      return place_[{id, place}] = BufferAt(alias->second, place, reason);
    const Node* node = links_.DefinitionOf(id);
    if (node && groups_.IsWeight(*node))
      return place_[{id, place}] = AddWeight(std::get<graph::Constant>(node->op), place);
    if (node && groups_.IsInlineSource(*node))
      return place_[{id, place}] = EmitSource(*node, graph_.values[id].name, place);
    return place_[{id, place}] = EmitTransfer(id, place, reason);
  }

  bool HasBuffer(ValueId id, Place place) const { return place_.count({id, place}) > 0; }

  // Whether a value is at a place without being brought there.
  bool IsAt(ValueId id, Place place) const {
    if (HasBuffer(id, place)) return true;
    if (auto alias = alias_.find(id); alias != alias_.end()) return IsAt(alias->second, place);
    const Node* node = links_.DefinitionOf(id);
    bool is_source = node && (groups_.IsWeight(*node) || groups_.IsInlineSource(*node));
    return is_source && (place == Place::kDevice || Host() == Place::kHost);
  }

 private:
  Place Host() const { return shared_.places.host(); }

  // ---- Buffers

  BufferId AddBuffer(const std::string& name, const TensorType& type, Place place,
                     BufferKind kind = BufferKind::kActivation) {
    return program_.buffers.Add(
        {name, type.dtype, ElementCount(type.shape), kind, {}, place, false, false});
  }

  BufferId AddWeight(const graph::Constant& constant, Place place) {
    WeightId weight = shared_.FindWeight(constant);
    const TensorType& type = shared_.weights[weight].type;
    BufferId buffer = AddBuffer(shared_.weights[weight].name, type, place, BufferKind::kWeight);
    program_.buffers[buffer].weight = weight;
    return buffer;
  }

  BufferId EmitTransfer(ValueId id, Place place, const std::string& reason) {
    const Place from_place = place == Place::kHost ? Place::kDevice : Place::kHost;
    BufferId from = BufferAt(id, from_place);
    const graph::Value& value = graph_.values[id];
    // What was computed on the host may lie there in another type than the page takes.
    bool differs = from_place == Place::kHost && IsHalf(value.type) &&
                   program_.buffers[from].kind == BufferKind::kActivation;
    if (differs) {
      BufferId exchange = AddBuffer(value.name, value.type, from_place, BufferKind::kExchange);
      EmitCopyTo(exchange, value.type, from, from_place);
      from = exchange;
    }
    BufferId to = AddBuffer(value.name, value.type, place, BufferKind::kExchange);
    program_.steps.push_back(Transfer{from, to, reason});
    return to;
  }

  static bool IsHalf(const TensorType& type) { return type.dtype == DType::kF16; }

  // ---- Kernels

  void EmitGroup(Group& group) {
    const Node& last = groups_.NodeAt(group.nodes.back());
    // By itself: the same bytes.
    if (group.nodes.size() == 1 && IsAlias(&last)) {
      alias_[last.result()] = last.operands[0];
      return;
    }
    CHECK(groups_.Form(group));
    const Place place = groups_.PlaceOf(group);
    // The parameters' values, in the kernel's order.
    std::vector<std::pair<loop::BufferId, ValueId>> values;
    for (const auto& [id, buffer] : groups_.buffers) values.push_back({buffer, id});
    std::sort(values.begin(), values.end());
    Launch launch{{}, {}, {}, place};
    loop::Kernel kernel = std::move(group.kernel);
    const auto updated = appended_.updated.find(last.results[0]);
    if (updated != appended_.updated.end()) DropCopies(kernel);
    DropUnusedParameters(kernel, values);
    for (const auto& [buffer, id] : values) {
      loop::Space space = kernel.buffers[buffer].space;
      if (space != loop::Space::kIn && space != loop::Space::kOut) continue;
      const std::string reason = last.origins.empty() ? "" : last.origins[0];
      if (auto end = space == loop::Space::kOut ? EndFor(id, place, values) : std::nullopt) {
        launch.begins.resize(launch.arguments.size(), 0);
        launch.begins.push_back(end->begin);
        launch.arguments.push_back(end->state);
        continue;
      }
      if (space == loop::Space::kOut && updated != appended_.updated.end()) {
        place_[{id, place}] = updated->second;
        launch.arguments.push_back(updated->second);
        continue;
      }
      if (space == loop::Space::kOut) {
        const graph::Value& value = graph_.values[id];
        place_[{id, place}] = AddBuffer(value.name, value.type, place);
        own_.insert(place_[{id, place}]);
      }
      launch.arguments.push_back(BufferAt(id, place, reason));
    }
    if (!launch.begins.empty()) launch.begins.resize(launch.arguments.size(), 0);
    loop::Collapse(kernel);
    size_t whole = 0;
    if (group.streams()) {
      auto stream = loop::StreamRows(kernel, group.block, group.parts);
      kernel = std::move(stream->kernel);
      whole = stream->whole;
    }
    if (group.joins) kernel = *loop::JoinReductions(kernel);
    loop::SplitGroups(kernel);
    if (group.parts == 1) schedule::AlignLoops(kernel);
    if (!program_.TargetAt(launch.place).IsGpu()) loop::KeepFunctions(kernel);
    for (size_t n : group.nodes) {
      for (const std::string& origin : groups_.NodeAt(n).origins) {
        bool is_new =
            std::find(launch.origins.begin(), launch.origins.end(), origin) == launch.origins.end();
        if (is_new) launch.origins.push_back(origin);
      }
    }
    EmitLaunch(std::move(launch), std::move(kernel));
    if (group.parts > 1) CutStages(program_, program_.steps.size() - 1, whole);
  }

  void EmitLaunch(Launch launch, loop::Kernel kernel) {
    // All that is wasm is linked together.
    if (launch.place == Place::kHost)
      kernel.name = "host" + Suffix(program_.target.features, '_') + "_" + kernel.name;
    launch.kernel = program_.KernelsAt(launch.place).Add({std::move(kernel), {}, {}});
    program_.steps.push_back(std::move(launch));
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

  // Where a kernel of these values writes a result that is new of a state and nothing else. Not if
  // it reads the state: WebGPU does not bind what is written twice.
  std::optional<Appended::End> EndFor(
      ValueId id, Place place, const std::vector<std::pair<loop::BufferId, ValueId>>& values) {
    auto found = appended_.concat_of.find(id);
    if (found == appended_.concat_of.end() || place != Place::kDevice) return std::nullopt;
    const Appended::End& end = appended_.nodes.at(found->second);
    for (const auto& [buffer, value] : values) {
      auto known = place_.find({value, place});
      if (known != place_.end() && known->second == end.state) return std::nullopt;
    }
    written_.insert(found->second);
    return end;
  }

  // Of a scatter into what is there already, all but what it sets.
  static void DropCopies(loop::Kernel& kernel) {
    std::set<loop::BufferId> set;
    std::vector<loop::Stage> stages = loop::StagesOf(kernel);
    for (const loop::Stage& stage : stages) {
      if (stage.ordered) set.insert(stage.buffer());
    }
    std::erase_if(stages, [&](const loop::Stage& stage) {
      bool is_result = kernel.buffers[stage.buffer()].space == loop::Space::kOut;
      return !stage.ordered && is_result && set.count(stage.buffer());
    });
    loop::SetStages(kernel, std::move(stages));
  }

  // What is new is there already, or is copied.
  void EmitAppend(const Node& node) {
    size_t n = groups_.IndexOf(&node);
    if (written_.count(n)) return;
    const Appended::End& end = appended_.nodes.at(n);
    BufferId from = BufferAt(node.operands[1], Place::kDevice, ReasonOf(node));
    EmitCopyTo(end.state, graph_.values[node.operands[1]].type, from, Place::kDevice, end.begin);
  }

  BufferId EmitCopy(const std::string& name, const TensorType& type, BufferId from, Place place) {
    BufferId to = AddBuffer(name, type, place);
    EmitCopyTo(to, type, from, place);
    return to;
  }

  void EmitCopyTo(BufferId to, const TensorType& type, BufferId from, Place place,
                  const Dim& begin = 0) {
    loop::Kernel kernel;
    kernel.name = "copy";
    auto in = kernel.buffers.Add({"x", type, loop::Space::kIn});
    auto out = kernel.buffers.Add({program_.buffers[to].name, type, loop::Space::kOut});
    loop::Builder build(kernel);
    build.ForEach(type.shape,
                  [&](const loop::Index& at) { build.Store(out, at, build.Load(in, at)); });
    loop::Collapse(kernel);
    Launch launch{{}, {from, to}, {}, place};
    if (begin != 0) launch.begins = {0, begin};
    EmitLaunch(std::move(launch), std::move(kernel));
  }

  // A scalar or sizes, which are code elsewhere, as a tensor.
  BufferId EmitSource(const Node& source, const std::string& name, Place place) {
    loop::Kernel kernel;
    kernel.name = "copy";
    groups_.buffers.clear();
    groups_.LowerNode(kernel, groups_.IndexOf(&source), {}, true);
    BufferId to = AddBuffer(name, graph_.values[source.result()].type, place);
    loop::Collapse(kernel);
    EmitLaunch({{}, {to}, {}, place}, std::move(kernel));
    return to;
  }

  // ---- What decides

  static std::string ReasonOf(const Node& node) {
    return node.origins.empty() ? std::string(Name(node.op)) : node.origins[0];
  }

  void EmitDefine(const Node& node) {
    const auto& define = std::get<graph::Define>(node.op);
    BufferId buffer = BufferAt(node.operands[0], Host(), ReasonOf(node));
    for (size_t i = 0; i < define.symbols.size(); ++i) {
      auto most = define.most.empty() ? std::nullopt : std::optional(define.most[i]);
      program_.steps.push_back(
          Define{define.symbols[i], buffer, static_cast<int64_t>(i), std::move(most)});
    }
    program_.steps.push_back(shared_.NextPlan(define.symbols));
    alias_[node.result()] = node.operands[0];
  }

  // Gives a body what it reads from around it, where it reads it. What is brought there before a
  // loop is brought once; a branch that is not taken needs nothing.
  void GiveCaptures(GraphFormer& body, const Node& node, size_t first_operand, size_t first_input,
                    bool bring) {
    for (size_t i = first_operand; i < node.operands.size(); ++i) {
      ValueId id = node.operands[i],
              inside = body.graph_.inputs[first_input + i - first_operand].value;
      bool is_given = false;
      for (Place place : {Place::kDevice, Place::kHost}) {
        bool reads = shared_.places.IsRead(body.graph_, inside, place);
        if (!reads || !(bring || IsAt(id, place))) continue;
        body.place_[{inside, place}] = BufferAt(id, place, ReasonOf(node));
        is_given = true;
      }
      if (is_given) continue;
      for (Place place : {Place::kDevice, Place::kHost}) {
        if (IsAt(id, place)) body.place_[{inside, place}] = BufferAt(id, place);
      }
    }
  }

  static bool Mentions(const Shape& shape, const std::vector<std::string>& symbols) {
    std::set<std::string> mentioned;
    for (const Dim& size : shape) size.CollectSymbols(mentioned);
    return std::any_of(symbols.begin(), symbols.end(),
                       [&](const std::string& symbol) { return mentioned.count(symbol) > 0; });
  }

  void EmitAssign(std::map<std::string, Dim> sizes) {
    if (!sizes.empty()) program_.steps.push_back(Assign{std::move(sizes)});
  }

  // A result of a region, which is an output as it is unless it lies in memory in another way.
  void SetResult(ValueId id, Place place, BufferId buffer) {
    place_[{id, place}] = buffer;
    if (!IsHalf(graph_.values[id].type)) own_.insert(buffer);
  }

  void EmitIf(const Node& node) {
    const auto& op = std::get<graph::If>(node.op);
    BufferId condition = BufferAt(node.operands[0], Host(), ReasonOf(node));
    std::vector<BufferId> results;
    std::vector<Place> places;
    for (ValueId id : node.results) {
      const graph::Value& value = graph_.values[id];
      places.push_back(shared_.places.Of(graph_, id));
      results.push_back(AddBuffer(value.name, value.type, places.back()));
      // Its size is known when a branch has run, so it becomes what that has made.
      program_.buffers[results.back()].takes_places = Mentions(value.type.shape, op.symbols);
    }
    std::vector<std::unique_ptr<GraphFormer>> bodies;
    for (const Graph& graph : node.bodies) {
      bodies.push_back(std::make_unique<GraphFormer>(graph, shared_));
      GiveCaptures(*bodies.back(), node, 1, 0, false);
    }
    program_.steps.push_back(If{condition});
    for (size_t b = 0; b < bodies.size(); ++b) {
      if (b > 0) program_.steps.push_back(Else{});
      if (auto plan = shared_.PlanOfBranch(node.bodies[b])) program_.steps.push_back(*plan);
      bodies[b]->Run();
      // Behind all that reads the outputs: one of them may be several results.
      std::vector<Swap> swaps;
      for (size_t i = 0; i < results.size(); ++i) {
        if (program_.buffers[results[i]].takes_places) {
          swaps.push_back({bodies[b]->MovableOutputAt(i, places[i]), results[i]});
        } else {
          const TensorType& type = graph_.values[node.results[i]].type;
          ValueId output = node.bodies[b].outputs[i].value;
          EmitCopyTo(results[i], type, bodies[b]->BufferAt(output, places[i], ReasonOf(node)),
                     places[i]);
        }
      }
      for (const Swap& swap : swaps) program_.steps.push_back(swap);
      EmitAssign(graph::SizesAtEnd(graph_, node, b));
    }
    program_.steps.push_back(EndIf{});
    if (!op.symbols.empty()) program_.steps.push_back(shared_.NextPlan(op.symbols));
    for (size_t i = 0; i < results.size(); ++i) SetResult(node.results[i], places[i], results[i]);
  }

  // Steps before the loop put the initial values into the carried values' buffers, which each
  // iteration swaps with what it has made. Where sizes change in the loop, a plan is made before
  // each iteration, so that the carried values' buffers have no places of their own.
  void EmitLoop(const Node& node) {
    const auto& op = std::get<graph::Loop>(node.op);
    const Graph& graph = node.bodies[0];
    const size_t first = op.first_carried(), carried = static_cast<size_t>(op.carried);
    std::set<std::string> defined;
    graph::CollectDefined(graph, defined);
    std::vector<std::string> own = op.symbols;
    auto count = SymbolOf(op.count);
    bool counts = count && std::erase(own, *count) > 0;
    const bool plans = !own.empty() || !defined.empty();
    auto body = std::make_unique<GraphFormer>(graph, shared_);

    Loop loop;
    if (op.trips) loop.trips = BufferAt(node.operands[0], Host(), ReasonOf(node));
    if (op.condition) {
      BufferId start = BufferAt(node.operands[first - 1], Host(), ReasonOf(node));
      loop.condition =
          EmitCopy("condition", graph_.values[node.operands[first - 1]].type, start, Host());
    }
    std::vector<BufferId> values;
    std::vector<Place> places;
    for (size_t i = 0; i < carried; ++i) {
      const graph::Value& inside = graph.values[graph.inputs[1 + i].value];
      ValueId start = node.operands[first + i];
      places.push_back(shared_.places.Of(graph_, node.results[i]));
      BufferId from = BufferAt(start, places[i], ReasonOf(node));
      BufferId entry = EmitCopy(inside.name, graph_.values[start].type, from, places[i]);
      if (plans) {
        BufferId taken = AddBuffer(inside.name, inside.type, places[i]);
        program_.buffers[taken].takes_places = true;
        program_.steps.push_back(Swap{entry, taken});
        entry = taken;
      }
      values.push_back(entry);
      body->GiveInput(1 + i, places[i], entry);
    }
    std::vector<BufferId> stacked;
    for (size_t i = carried; i < node.results.size(); ++i) {
      const graph::Value& value = graph_.values[node.results[i]];
      places.push_back(shared_.places.Of(graph_, node.results[i]));
      stacked.push_back(AddBuffer(value.name, value.type, places[i]));
      program_.buffers[stacked.back()].grows = counts;
    }
    GiveCaptures(*body, node, first + carried, 1 + carried, true);
    loop.iteration = AddBuffer("iteration", {DType::kI64, {}}, Host());
    body->GiveInput(0, Host(), loop.iteration);
    EmitAssign(graph::SizesAtStart(graph_, node));
    program_.steps.push_back(Set{loop.iteration, 0});
    if (plans) loop.plan = shared_.NextPlan(own);
    program_.steps.push_back(loop);

    body->Run();
    std::vector<std::pair<BufferId, BufferId>> swaps;
    if (op.condition) swaps.push_back({body->OutputAt(0, Host()), loop.condition});
    for (size_t i = 0; i < carried; ++i) {
      size_t output = size_t{op.condition} + i;
      // What stays as it is stays where it is.
      if (graph.outputs[output].value == graph.inputs[1 + i].value) continue;
      swaps.push_back({body->MovableOutputAt(output, places[i]), values[i]});
    }
    for (size_t i = 0; i < stacked.size(); ++i) {
      size_t output = size_t{op.condition} + carried + i;
      const TensorType& type = graph.values[graph.outputs[output].value].type;
      BufferId slice = body->OutputAt(output, places[carried + i]);
      program_.steps.push_back(Stack{slice, stacked[i], loop.iteration, ElementCount(type.shape)});
    }
    for (const auto& [made, value] : swaps) program_.steps.push_back(Swap{made, value});
    program_.steps.push_back(Increment{loop.iteration});
    EmitAssign(graph::SizesAtEnd(graph_, node, 0));
    program_.steps.push_back(EndLoop{});
    if (counts) {
      program_.steps.push_back(Define{*count, loop.iteration, 0});
      program_.steps.push_back(shared_.NextPlan({*count}));
    }
    for (size_t i = 0; i < node.results.size(); ++i)
      SetResult(node.results[i], places[i], i < carried ? values[i] : stacked[i - carried]);
  }

  const Graph& graph_;
  Shared& shared_;
  Program& program_;
  graph::Links links_;
  Appended appended_;
  NodeGroups groups_;
  std::map<std::pair<ValueId, Place>, BufferId> place_;
  // Values that are the same bytes as others.
  std::map<ValueId, ValueId> alias_;
  // Buffers that this graph made, and has not given away as outputs.
  std::set<BufferId> own_;
  // Concatenations whose new part is where it belongs.
  std::set<size_t> written_;
};

// The value whose bytes these are.
ValueId SourceOf(const graph::Links& links, ValueId id) {
  while (IsAlias(links.DefinitionOf(id))) id = links.DefinitionOf(id)->operands[0];
  return id;
}

// The values that a kernel may write for `id`, because nobody else needs them: the same bytes.
std::vector<ValueId> WrittenFor(const graph::Links& links, ValueId id) {
  std::vector<ValueId> values;
  while (links.UsersOf(id).size() == 1 && !links.IsOutput(id)) {
    values.push_back(id);
    if (!IsAlias(links.DefinitionOf(id))) break;
    id = links.DefinitionOf(id)->operands[0];
  }
  return values;
}

// The concatenation that puts what is new behind an input, as an output. Passes may have given it
// another shape. Null if they made something else of it.
const Node* AppendOf(const Graph& graph, const graph::Links& links, const graph::State& state) {
  const Node* node = links.DefinitionOf(SourceOf(links, graph.outputs[state.output].value));
  auto* concat = node ? std::get_if<graph::Concat>(&node->op) : nullptr;
  if (!concat || node->operands.size() != 2) return nullptr;
  const Shape& shape = graph.values[node->result()].type.shape;
  bool is_first = ElementCount({shape.begin(), shape.begin() + concat->axis}).Is(1);
  bool is_behind = SourceOf(links, node->operands[0]) == graph.inputs[state.input].value;
  return is_first && is_behind ? node : nullptr;
}

// The result of a scatter of an input's elements that is an output, if nothing else needs the
// input: it can set them where they are. Invalid if there is none.
ValueId UpdateOf(const Graph& graph, const graph::Links& links, const graph::State& state) {
  const ValueId input = graph.inputs[state.input].value;
  const Node* node = links.DefinitionOf(SourceOf(links, graph.outputs[state.output].value));
  bool scatters = node && (std::holds_alternative<graph::ScatterND>(node->op) ||
                           std::holds_alternative<graph::ScatterElements>(node->op));
  if (!scatters || SourceOf(links, node->operands[0]) != input) return {};
  std::vector<ValueId> own = WrittenFor(links, node->operands[0]);
  return !own.empty() && own.back() == input ? node->result() : ValueId();
}

// The buffers of states that are kept in place, each both input and output.
Appended AddStates(const Graph& graph, const NodePlaces& places, Program& program,
                   std::vector<BufferId>& buffers) {
  Appended appended;
  graph::Links links(graph);
  for (graph::State& state : program.states) {
    buffers.emplace_back();
    if (ValueId id = UpdateOf(graph, links, state); id.valid()) {
      const auto n = static_cast<size_t>(links.DefinitionOf(id) - graph.nodes.data());
      if (places.Of(graph)[n] == Place::kHost) continue;
      const graph::Port& input = graph.inputs[state.input];
      const TensorType& type = graph.values[input.value].type;
      state.kept = graph::State::Kept::kUpdated;
      buffers.back() = program.buffers.Add(
          {input.name, type.dtype, ElementCount(type.shape), BufferKind::kState});
      appended.updated[id] = buffers.back();
    }
    if (state.kept != graph::State::Kept::kAppended) continue;
    const graph::Port &input = graph.inputs[state.input], &output = graph.outputs[state.output];
    const TensorType& type = graph.values[output.value].type;
    buffers.back() =
        program.buffers.Add({input.name, type.dtype, ElementCount(type.shape), BufferKind::kState});
    const Node* concat = AppendOf(graph, links, state);
    if (!concat) continue;
    auto n = static_cast<size_t>(concat - graph.nodes.data());
    appended.nodes[n] = {buffers.back(), ElementCount(graph.values[input.value].type.shape)};
    for (ValueId fresh : WrittenFor(links, concat->operands[1])) appended.concat_of[fresh] = n;
  }
  return appended;
}

// On the CPU what a run makes of a state is where the next one reads it: the two change places
// from run to run. On a GPU they would be bound anew each time, which takes longer than to copy
// what is small.
void KeepApart(Program& program) {
  if (program.target.IsGpu() || !IsStraight(program)) return;
  for (const graph::State& state : program.states) {
    Buffer& input = program.buffers[program.inputs[state.input].buffer];
    Buffer& output = program.buffers[program.outputs[state.output].buffer];
    if (input.kind != BufferKind::kInput || output.kind != BufferKind::kOutput) continue;
    input.kind = output.kind = BufferKind::kState;
  }
}

// The program of a model: its ports, and the steps of its graph.
Program FormProgram(const Graph& graph, Shared& shared) {
  Program& program = shared.program;
  std::vector<BufferId> states;
  Appended appended = AddStates(graph, shared.places, program, states);
  GraphFormer former(graph, shared, std::move(appended));
  // The state's buffer of an input or output, if it is kept in place.
  auto state_of = [&](size_t graph::State::* port, size_t i) {
    for (size_t s = 0; s < states.size(); ++s) {
      if (program.states[s].*port == i && states[s].valid()) return states[s];
    }
    return BufferId();
  };
  auto axis_of = [&](size_t graph::State::* port, size_t i) -> std::optional<int64_t> {
    for (const graph::State& state : program.states) {
      if (state.*port == i && state.kept == graph::State::Kept::kAppended) return state.axis;
    }
    return std::nullopt;
  };
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const graph::Port& port = graph.inputs[i];
    const TensorType& type = graph.values[port.value].type;
    // The page can put it anywhere. Where both want it, the host hands it on.
    bool on_host = shared.places.IsRead(graph, port.value, Place::kHost) ||
                   shared.places.Of(graph, port.value) == Place::kHost;
    BufferId buffer = state_of(&graph::State::input, i);
    if (buffer.valid()) on_host = false;
    Place place = on_host ? Place::kHost : Place::kDevice;
    if (!buffer.valid()) {
      buffer = program.buffers.Add({port.name,
                                    type.dtype,
                                    ElementCount(type.shape),
                                    BufferKind::kInput,
                                    {},
                                    place,
                                    false,
                                    false});
    }
    former.GiveValue(port.value, place, buffer);
    auto axis = axis_of(&graph::State::input, i);
    program.inputs.push_back({port.name, axis ? graph::AsCallersSee(type, *axis) : type, buffer});
  }
  former.Run();
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const graph::Port& port = graph.outputs[i];
    const TensorType& type = graph.values[port.value].type;
    if (BufferId buffer = state_of(&graph::State::output, i); buffer.valid()) {
      // Copied as a whole if a pass made something else of the concatenation.
      former.PutOutput(i, buffer);
      auto axis = axis_of(&graph::State::output, i);
      program.outputs.push_back(
          {port.name, axis ? graph::AsCallersSee(type, *axis) : type, buffer, port.hidden});
      continue;
    }
    // The page reads it where it lies.
    bool is_host =
        former.IsAt(port.value, Place::kHost) && !former.IsAt(port.value, Place::kDevice);
    Place place = is_host ? Place::kHost : shared.places.Of(graph, port.value);
    BufferId buffer = former.OutputAt(i, place);
    program.buffers[buffer].kind = BufferKind::kOutput;
    program.outputs.push_back({port.name, type, buffer, port.hidden});
  }
  KeepApart(program);
  return std::move(program);
}

}  // namespace

Program FormKernels(const Graph& graph, const Target& target, IdVector<WeightTag, Weight>& weights,
                    const std::vector<graph::State>& states, const LikelySizes& sizes) {
  Shared shared(graph, target, weights, sizes);
  shared.program.states = states;
  return FormProgram(graph, shared);
}

}  // namespace webnnc::plan
