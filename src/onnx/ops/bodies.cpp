#include "onnx/ops/bodies.h"

#include <algorithm>

#include "graph/ops/regions.h"
#include "onnx/formula.h"
#include "onnx/ops/lists.h"

namespace webnnc::onnx {

namespace {

// Which values a graph's outputs need.
std::vector<bool> UsedValues(const graph::Graph& graph, const Values& outputs) {
  std::vector<bool> used(static_cast<size_t>(graph.values.size()));
  auto use = [&](ValueId id) { used[static_cast<size_t>(id.index)] = true; };
  for (ValueId output : outputs) use(output);
  for (const graph::Node& node : graph.nodes) {
    for (ValueId operand : node.operands) use(operand);
  }
  return used;
}

bool IsConstantNode(const graph::Node& node) {
  return std::holds_alternative<graph::Constant>(node.op);
}

}  // namespace

Values CapturesOf(Frame& frame, const Values& outputs) {
  frame.graph.outputs.clear();
  for (ValueId output : outputs) frame.graph.outputs.push_back({"", output});
  graph::RemoveDeadNodes(frame.graph);
  std::vector<bool> used = UsedValues(frame.graph, outputs);
  // Constants have been copied.
  for (const graph::Node& node : frame.graph.nodes) {
    if (IsConstantNode(node)) used[static_cast<size_t>(node.result().index)] = false;
  }
  Values captures;
  for (const auto& [outside, inside] : frame.scope.captures()) {
    if (used[static_cast<size_t>(inside.index)]) captures.push_back(outside);
  }
  return captures;
}

graph::Graph CloseBody(Frame& frame, const std::string& name, const Values& inputs,
                       const Values& outputs, const Values& captures) {
  graph::Graph& graph = frame.graph;
  graph.name = name;
  auto add_input = [&](ValueId id) { graph.inputs.push_back({graph.values[id].name, id}); };
  for (ValueId input : inputs) add_input(input);
  for (ValueId outside : captures) {
    const graph::Value& value = frame.around->graph.values[outside];
    auto found = std::find_if(frame.scope.captures().begin(), frame.scope.captures().end(),
                              [&](const auto& capture) { return capture.first == outside; });
    // What another body captures is an input of this one, too.
    add_input(found != frame.scope.captures().end()
                  ? found->second
                  : frame.scope.build.AddValue(value.name, value.type));
  }
  graph.outputs.clear();
  for (ValueId output : outputs) graph.outputs.push_back({graph.values[output].name, output});
  return std::move(graph);
}

namespace {

class LoopBuilder {
 public:
  LoopBuilder(NodeContext& c, const LoopBody& loop) : c_(c), loop_(loop) {
    for (const LoopBody::Carried& carried : loop.carried) types_.push_back(c.TypeOf(carried.start));
    stays_.resize(types_.size());
  }

  Result<Values> Run() {
    TRY_ASSIGN(bool may_start, MayStart());
    bool runs_once =
        may_start && loop_.known_trips && loop_.known_trips->Is(1) && !loop_.condition.valid();
    if (runs_once) return Unroll(1);
    TRY(FindSizes());
    if (!may_start) return Unroll(0);
    if (auto trips = TripsToUnroll()) return Unroll(*trips);
    std::vector<size_t> changing = ChangingSlices();
    return changing.empty() ? Add() : AddGrowing(changing);
  }

  // The results if all iterations are known to run; nothing if their number depends on data.
  Result<std::optional<Values>> UnrollKnown() {
    constexpr int64_t kMostIterations = 1024;
    bool is_known = loop_.known_trips && loop_.known_trips->IsConstant() &&
                    loop_.known_trips->value() <= kMostIterations && !loop_.condition.valid();
    if (!is_known) return std::optional<Values>();
    must_know_condition_ = true;
    const std::vector<Assumption> before = c_.scope().graph.assumptions;
    TRY_ASSIGN(auto results, Unroll(std::max<int64_t>(loop_.known_trips->value(), 0)));
    if (!is_condition_open_) return std::optional(std::move(results));
    c_.scope().graph.assumptions = before;
    return std::optional<Values>();
  }

 private:
  // Whether it may run at all, as far as is known.
  Result<bool> MayStart() {
    if (loop_.known_trips && UpperBound(*loop_.known_trips).value_or(1) <= 0) return false;
    if (!loop_.condition.valid()) return true;
    TRY_ASSIGN(auto condition, c_.scope().KnownConstant(loop_.condition));
    if (!condition) return true;
    starts_ = IsTrue(*condition);
    return starts_;
  }

  static bool IsTrue(const Tensor& flag) {
    return ElementCount(flag.type.shape).Is(1) && flag.data.At(flag.type.dtype, 0).integer != 0;
  }

  // Imports the body until the sizes of what it carries on are those that it was given: where they
  // differ they become symbols, so each import has fewer that might. What it only passes on is no
  // longer carried but read from around it, where it may be a constant.
  Status FindSizes() {
    const std::set<std::string> before = c_.scope().state().symbols;
    for (;;) {
      c_.scope().state().symbols = before;
      c_.scope().state().symbols.insert(symbols_.begin(), symbols_.end());
      TRY(ImportIteration());
      TRY_ASSIGN(bool changed, Compare());
      if (!changed) return kSuccess;
    }
  }

  Status ImportIteration() {
    frame_ = c_.NewFrame();
    NodeContext inside = c_.Inside(*frame_);
    inputs_ = {frame_->scope.build.AddValue("iteration", {DType::kI64, {}})};
    Values carried;
    for (size_t i = 0; i < types_.size(); ++i) {
      if (stays_[i]) {
        carried.push_back(frame_->scope.Capture(loop_.carried[i].start));
      } else {
        carried.push_back(frame_->scope.build.AddValue(loop_.carried[i].name, types_[i]));
        inputs_.push_back(carried.back());
      }
    }
    TRY_ASSIGN(outputs_, loop_.iterate(inside, inputs_[0], carried));
    if (outputs_.size() < first_output() + types_.size())
      return Error{"its body has " + std::to_string(outputs_.size()) + " outputs"};
    for (size_t i = first_output(); i < outputs_.size(); ++i) {
      if (frame_->scope.FindList(outputs_[i]))
        return Error{"output " + std::to_string(i) +
                     " of its body is a sequence or an optional, where it takes a tensor"};
    }
    carried_ = std::move(carried);
    is_conditional_ = false;
    if (loop_.has_condition) {
      TRY_ASSIGN(auto condition, frame_->scope.KnownConstant(outputs_[0]));
      is_conditional_ = !condition || !IsTrue(*condition);
    }
    if (loop_.condition.valid()) {
      TRY_ASSIGN(auto condition, c_.scope().KnownConstant(loop_.condition));
      is_conditional_ |= !condition;
    }
    return kSuccess;
  }

  size_t first_output() const { return loop_.has_condition ? 1 : 0; }

  // Makes symbols of the sizes that change; whether there are any.
  Result<bool> Compare() {
    bool changed = false;
    for (size_t i = 0; i < types_.size(); ++i) {
      if (stays_[i]) continue;
      ValueId output = outputs_[first_output() + i];
      const TensorType& end = frame_->graph.values[output].type;
      const std::string& name = loop_.carried[i].name;
      if (output == carried_[i]) {
        stays_[i] = changed = true;
        continue;
      }
      if (end.dtype != types_[i].dtype || end.rank() != types_[i].rank())
        return Error{"what it carries as " + Quote(name) + " is " + Print(types_[i]) +
                     " before an iteration and " + Print(end) + " behind it"};
      for (size_t d = 0; d < end.shape.size(); ++d) {
        Dim& size = types_[i].shape[d];
        auto own = SymbolOf(size);
        bool is_own = own && std::count(symbols_.begin(), symbols_.end(), *own) > 0;
        if (size == end.shape[d] || is_own) continue;
        symbols_.push_back(
            c_.scope().UniqueSymbol(c_.title() + "." + name + "." + std::to_string(d)));
        size = Dim::Symbol(symbols_.back());
        changed = true;
      }
    }
    return changed;
  }

  // Each iteration of its own is more to download and compile, but nothing waits for a decision,
  // and what the iteration's number is known for is constant.
  std::optional<int64_t> TripsToUnroll() const {
    constexpr int64_t kMostIterations = 8, kMostNodes = 64;
    if (is_conditional_ || !loop_.known_trips || !loop_.known_trips->IsConstant())
      return std::nullopt;
    int64_t trips = std::max<int64_t>(loop_.known_trips->value(), 0), nodes = 0;
    graph::ForEachGraph(frame_->graph, [&](const graph::Graph& graph) {
      nodes += std::count_if(graph.nodes.begin(), graph.nodes.end(),
                             [](const graph::Node& node) { return !IsConstantNode(node); });
    });
    bool is_small = trips <= 1 || (trips <= kMostIterations && nodes * trips <= kMostNodes);
    return is_small ? std::optional(trips) : std::nullopt;
  }

  Result<Values> Unroll(int64_t trips) {
    Values values, results;
    std::vector<Values> slices;
    for (const LoopBody::Carried& carried : loop_.carried) values.push_back(carried.start);
    for (int64_t i = 0; i < trips; ++i) {
      TRY_ASSIGN(auto iteration, c_.Scalar(DType::kI64, static_cast<double>(i)));
      TRY_ASSIGN(auto outputs, loop_.iterate(c_, iteration, values));
      auto first_slice = outputs.begin() + static_cast<int64_t>(first_output() + values.size());
      slices.resize(static_cast<size_t>(outputs.end() - first_slice));
      for (size_t k = 0; k < slices.size(); ++k) {
        ValueId slice = first_slice[static_cast<int64_t>(k)];
        Shape shape = c_.TypeOf(slice).shape;
        shape.insert(shape.begin(), 1);
        TRY_ASSIGN(slice, c_.Reshape(slice, shape));
        slices[k].push_back(slice);
      }
      std::copy(outputs.begin() + static_cast<int64_t>(first_output()), first_slice,
                values.begin());
      if (must_know_condition_ && loop_.has_condition && i + 1 < trips) {
        TRY_ASSIGN(auto known, c_.scope().KnownConstant(outputs[0]));
        is_condition_open_ = !known;
        if (!known || !IsTrue(*known)) break;
      }
    }
    results = values;
    if (trips == 0) return WithEmptySlices(std::move(results));
    for (const Values& stack : slices) {
      TRY_ASSIGN(auto all,
                 stack.size() == 1 ? Result<ValueId>(stack[0]) : c_.Add(graph::Concat{0}, stack));
      results.push_back(all);
    }
    return results;
  }

  // Of no iteration at all.
  Result<Values> WithEmptySlices(Values results) {
    for (size_t i = first_slice(); i < outputs_.size(); ++i) {
      TensorType type = frame_->graph.values[outputs_[i]].type;
      // Sizes that would be there are 0.
      std::set<std::string> changing(symbols_.begin(), symbols_.end());
      graph::CollectDefined(frame_->graph, changing);
      SymbolValues none;
      for (const std::string& symbol : changing) none[symbol] = 0;
      type.shape = Substitute(type.shape, none);
      type.shape.insert(type.shape.begin(), 0);
      TRY_ASSIGN(auto zero, c_.Scalar(type.dtype, 0));
      TRY_ASSIGN(auto empty, c_.Add(graph::Expand{type.shape}, {zero}));
      results.push_back(empty);
    }
    return results;
  }

  size_t first_slice() const { return first_output() + types_.size(); }

  // Which slices have sizes that are not the same in all iterations, as far as is known.
  std::vector<size_t> ChangingSlices() const {
    std::set<std::string> changing(symbols_.begin(), symbols_.end());
    graph::CollectDefined(frame_->graph, changing);
    std::vector<size_t> found;
    for (size_t i = first_slice(); i < outputs_.size(); ++i) {
      std::set<std::string> mentioned;
      for (const Dim& size : frame_->graph.values[outputs_[i]].type.shape)
        size.CollectSymbols(mentioned);
      bool changes = std::any_of(mentioned.begin(), mentioned.end(),
                                 [&](const auto& symbol) { return changing.count(symbol) > 0; });
      if (changes) found.push_back(i - first_slice());
    }
    return found;
  }

  // Such slices are put behind each other in a vector that is carried, with the largest and
  // smallest sizes that there were: these must be the same in the end.
  Result<Values> AddGrowing(const std::vector<size_t>& changing) {
    Formula f(c_);
    LoopBody loop = loop_;
    for (size_t k : changing) {
      const TensorType type = frame_->graph.values[outputs_[first_slice() + k]].type;
      Term empty = Expand(f.Number(0, type.dtype), {0});
      auto all = [&](double value) {
        return Expand(f.Number(value, DType::kI64), {static_cast<int64_t>(type.shape.size())});
      };
      for (auto& [name, start] : std::vector<std::pair<std::string, Term>>{
               {"slices", empty}, {"largest", all(0)}, {"smallest", all(INT32_MAX)}}) {
        TRY_ASSIGN(auto id, f.Result(start));
        loop.carried.push_back({name, id});
      }
    }
    loop.iterate = [&](NodeContext& inside, ValueId iteration, const Values& carried) {
      return IterateGrowing(inside, iteration, carried, changing);
    };
    TRY_ASSIGN(auto results, LoopBuilder(c_, loop).Run());
    return Collect(results, changing);
  }

  // Outputs: the condition, what is carried, what is carried for the slices that change, the other
  // slices, and the iteration as one more, which tells how many there are.
  Result<Values> IterateGrowing(NodeContext& inside, ValueId iteration, const Values& carried,
                                const std::vector<size_t>& changing) const {
    const size_t count = types_.size();
    auto middle = carried.begin() + static_cast<int64_t>(count);
    TRY_ASSIGN(auto outputs, loop_.iterate(inside, iteration, Values(carried.begin(), middle)));
    auto slices = outputs.begin() + static_cast<int64_t>(first_slice());
    Values all(outputs.begin(), slices), others;
    Formula f(inside);
    for (size_t i = 0; i < changing.size(); ++i) {
      Term slice = f(slices[static_cast<int64_t>(changing[i])]);
      auto before = middle + static_cast<int64_t>(3 * i);
      const Shape shape = f.TypeOf(slice).shape;
      Term sizes = f.Sizes(shape);
      for (Term term : {Concat({f(before[0]), Reshape(slice, {ElementCount(shape)})}, 0),
                        Max(f(before[1]), sizes), Min(f(before[2]), sizes)}) {
        TRY_ASSIGN(auto id, f.Result(term));
        all.push_back(id);
      }
    }
    for (auto slice = slices; slice != outputs.end(); ++slice) {
      auto k = static_cast<size_t>(slice - slices);
      bool changes = std::count(changing.begin(), changing.end(), k) > 0;
      if (!changes) all.push_back(*slice);
    }
    all.push_back(iteration);
    return all;
  }

  Result<Values> Collect(const Values& results, const std::vector<size_t>& changing) {
    const size_t count = types_.size();
    const Dim iterations = c_.TypeOf(results.back()).shape[0];
    Values all(results.begin(), results.begin() + static_cast<int64_t>(count));
    size_t slice_count = outputs_.size() - first_slice();
    auto next = results.begin() + static_cast<int64_t>(count + 3 * changing.size());
    Formula f(c_);
    for (size_t k = 0; k < slice_count; ++k) {
      auto found = std::find(changing.begin(), changing.end(), k);
      if (found == changing.end()) {
        all.push_back(*next++);
        continue;
      }
      auto own = results.begin() + static_cast<int64_t>(count) + 3 * (found - changing.begin());
      // Of no iteration at all there is no smallest.
      Term largest = f(own[1]);
      Term smallest = Where(f.Size(iterations, DType::kI64) <= 0, largest, f(own[2]));
      TRY_ASSIGN(auto high, f.Result(largest));
      TRY_ASSIGN(auto low, f.Result(smallest));
      TRY_ASSIGN(auto shape, c_.DefineSizes(high, "slice"));
      TRY_ASSIGN(auto same, c_.DefineSizes(low, "slice.smallest"));
      for (size_t d = 0; d < shape.size(); ++d) c_.AssumeEqual(same[d], shape[d]);
      shape.insert(shape.begin(), iterations);
      TRY_ASSIGN(auto stacked, c_.Reshape(own[0], shape));
      all.push_back(stacked);
    }
    return all;
  }

  Result<Values> Add() {
    graph::Loop op;
    op.trips = loop_.trips.valid();
    op.condition = is_conditional_;
    if (!op.trips && !op.condition) return Error{"it never ends"};
    if (outputs_.size() == first_output()) return Error{"its body has no outputs"};
    Values operands, outputs;
    if (op.trips) operands.push_back(loop_.trips);
    if (op.condition) {
      ValueId condition = loop_.condition;
      if (!condition.valid()) {
        TRY_ASSIGN(condition, c_.Scalar(DType::kBool, 1));
      }
      operands.push_back(condition);
      // A loop may have a condition at its start alone.
      if (loop_.has_condition) {
        outputs.push_back(outputs_[0]);
      } else {
        NodeContext inside = c_.Inside(*frame_);
        TRY_ASSIGN(auto goes_on, inside.Scalar(DType::kBool, 1));
        outputs.push_back(goes_on);
      }
    }
    for (size_t i = 0; i < types_.size(); ++i) {
      if (stays_[i]) continue;
      ++op.carried;
      operands.push_back(loop_.carried[i].start);
      outputs.push_back(outputs_[first_output() + i]);
    }
    outputs.insert(outputs.end(), outputs_.begin() + static_cast<int64_t>(first_slice()),
                   outputs_.end());
    op.count = Count(op);
    op.symbols = symbols_;
    Values captures = CapturesOf(*frame_, outputs);
    operands.insert(operands.end(), captures.begin(), captures.end());
    std::vector<graph::Graph> bodies;
    bodies.push_back(CloseBody(*frame_, "body", inputs_, outputs, captures));
    TRY_ASSIGN(auto results, c_.scope().AddAll(op, operands, c_.result_name(), std::move(bodies)));
    // What stays is what it was.
    for (size_t i = 0; i < types_.size(); ++i) {
      if (stays_[i])
        results.insert(results.begin() + static_cast<int64_t>(i), loop_.carried[i].start);
    }
    return results;
  }

  Dim Count(const graph::Loop& op) {
    if (!op.condition && loop_.known_trips) return Max(*loop_.known_trips, 0);
    symbols_.push_back(c_.scope().UniqueSymbol(c_.title() + ".count"));
    return Dim::Symbol(symbols_.back());
  }

  NodeContext& c_;
  const LoopBody& loop_;
  bool starts_ = true;
  // Of UnrollKnown: whether an iteration's condition must be known, and is not.
  bool must_know_condition_ = false, is_condition_open_ = false;
  graph::Types types_;       // of what is carried, inside
  std::vector<bool> stays_;  // what the body only passes on
  std::vector<std::string> symbols_;
  // What the last import of the body gave.
  std::unique_ptr<Frame> frame_;
  Values inputs_, carried_, outputs_;
  bool is_conditional_ = false;
};

}  // namespace

namespace {

// A loop that carries lists. If all that it does with them is known when the model is compiled, it
// is unrolled; else it carries the tensors that packed lists are.
class ListLoopBuilder {
 public:
  ListLoopBuilder(NodeContext& c, const LoopBody& loop) : c_(c), loop_(loop) {}

  Result<Values> Run() {
    bool has_packed = std::any_of(loop_.carried.begin(), loop_.carried.end(),
                                  [&](const LoopBody::Carried& carried) {
                                    auto list = c_.scope().FindList(carried.start);
                                    return list && list->packed;
                                  });
    if (!has_packed) {
      TRY_ASSIGN(auto unrolled, LoopBuilder(c_, loop_).UnrollKnown());
      if (unrolled) return *unrolled;
    }
    TRY(FindForms());
    LoopBody packed = loop_;
    packed.carried.clear();
    for (size_t i = 0; i < loop_.carried.size(); ++i) {
      const LoopBody::Carried& carried = loop_.carried[i];
      if (!forms_[i]) {
        packed.carried.push_back(carried);
        continue;
      }
      TRY_ASSIGN(auto start, Pack(c_, carried.start, *forms_[i]));
      for (ValueId part : PartsOf(start)) packed.carried.push_back({carried.name, part});
    }
    packed.iterate = [&](NodeContext& inside, ValueId iteration, const Values& parts) {
      return IteratePacked(inside, iteration, parts);
    };
    TRY_ASSIGN(auto results, AddLoop(c_, packed));
    Values::const_iterator next = results.begin();
    Values all = Gathered(c_, next);
    all.insert(all.end(), next, results.cend());
    return all;
  }

 private:
  size_t first_output() const { return loop_.has_condition ? 1 : 0; }

  // Imports the body until what it carries on has the forms of what it was given. Each time they
  // hold more.
  Status FindForms() {
    forms_.resize(loop_.carried.size());
    for (size_t i = 0; i < forms_.size(); ++i) {
      if (!c_.scope().FindList(loop_.carried[i].start)) continue;
      TRY_ASSIGN(forms_[i], FormOf(c_, loop_.carried[i].start));
    }
    const std::set<std::string> before = c_.scope().state().symbols;
    for (bool changed = true; changed;) {
      TRY_ASSIGN(changed, JoinForms());
      c_.scope().state().symbols = before;
    }
    return kSuccess;
  }

  Result<bool> JoinForms() {
    std::unique_ptr<Frame> frame = c_.NewFrame();
    NodeContext inside = c_.Inside(*frame);
    Values parts;
    for (size_t i = 0; i < forms_.size(); ++i) {
      const auto& [name, start] = loop_.carried[i];
      auto add = [&](const TensorType& type) {
        parts.push_back(frame->scope.build.AddValue(name, type));
      };
      if (!forms_[i]) {
        add(c_.TypeOf(start));
        continue;
      }
      add({forms_[i]->dtype.value_or(DType::kBool), {Dim::Symbol(c_.scope().UniqueSymbol(name))}});
      add({DType::kI64, {Dim::Symbol(c_.scope().UniqueSymbol(name)), forms_[i]->columns}});
      if (PartCount(*forms_[i]) == 3) add({DType::kBool, {}});
    }
    ValueId iteration = frame->scope.build.AddValue("iteration", {DType::kI64, {}});
    TRY_ASSIGN(auto outputs, Iterate(inside, iteration, parts));
    bool changed = false;
    for (size_t i = 0; i < forms_.size(); ++i) {
      ValueId output = outputs[first_output() + i];
      if (!forms_[i] && inside.scope().FindList(output)) {
        // A tensor that is carried becomes an optional.
        TRY_ASSIGN(forms_[i], FormOf(c_, loop_.carried[i].start));
        changed = true;
      }
      if (!forms_[i]) continue;
      TRY_ASSIGN(auto end, FormOf(inside, output));
      TRY_ASSIGN(auto joined, Join(*forms_[i], end));
      changed |= !SameForm(joined, *forms_[i]);
      forms_[i] = joined;
    }
    return changed;
  }

  // The values of these parts.
  Values Gathered(NodeContext& c, Values::const_iterator& next) const {
    Values values;
    for (size_t i = 0; i < forms_.size(); ++i) {
      values.push_back(forms_[i] ? c.scope().AddList({{}, false, {}, FromParts(*forms_[i], next)},
                                                     loop_.carried[i].name)
                                 : *next++);
    }
    return values;
  }

  Result<Values> Iterate(NodeContext& inside, ValueId iteration, const Values& parts) const {
    Values::const_iterator next = parts.begin();
    TRY_ASSIGN(auto outputs, loop_.iterate(inside, iteration, Gathered(inside, next)));
    if (outputs.size() < first_output() + forms_.size())
      return Error{"its body has " + std::to_string(outputs.size()) + " outputs"};
    return outputs;
  }

  Result<Values> IteratePacked(NodeContext& inside, ValueId iteration, const Values& parts) const {
    TRY_ASSIGN(auto outputs, Iterate(inside, iteration, parts));
    Values all(outputs.begin(), outputs.begin() + static_cast<int64_t>(first_output()));
    for (size_t i = first_output(); i < outputs.size(); ++i) {
      size_t k = i - first_output();
      if (k >= forms_.size() || !forms_[k]) {
        all.push_back(outputs[i]);
        continue;
      }
      TRY_ASSIGN(auto packed, Pack(inside, outputs[i], *forms_[k]));
      for (ValueId part : PartsOf(packed)) all.push_back(part);
    }
    return all;
  }

  NodeContext& c_;
  const LoopBody& loop_;
  // Of what is carried, nothing for tensors.
  std::vector<std::optional<ListForm>> forms_;
};

}  // namespace

Result<Values> AddLoop(NodeContext& c, const LoopBody& loop) {
  bool has_lists = std::any_of(loop.carried.begin(), loop.carried.end(), [&](const auto& carried) {
    return c.scope().FindList(carried.start);
  });
  return has_lists ? ListLoopBuilder(c, loop).Run() : LoopBuilder(c, loop).Run();
}

}  // namespace webnnc::onnx
