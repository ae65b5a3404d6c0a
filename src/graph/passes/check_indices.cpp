#include "graph/passes/check_indices.h"

#include <algorithm>
#include <optional>
#include <set>

#include "graph/passes/index_bounds.h"
#include "tensor/substitute.h"
#include "webnnc/abi.h"

namespace webnnc::graph {

namespace {

// A tensor of indices, and the size of the dimension that they are indices of.
struct Use {
  ValueId index;
  Dim size;
  std::string origin;
  // Of gather_nd: the place of these indices in the last dimension.
  std::optional<int64_t> column = {};
};

std::string OriginOf(const Node& node) { return node.origins.empty() ? "" : node.origins[0]; }

// Each place of the last dimension is an index of a dimension of its own, from `first` on.
void AddColumns(const Graph& graph, const Node& node, size_t first, std::vector<Use>& uses) {
  const Shape& table = graph.values[node.operands[0]].type.shape;
  const Shape& indices = graph.values[node.operands[1]].type.shape;
  for (int64_t d = 0; d < indices.back().value(); ++d)
    uses.push_back({node.operands[1], table[first + static_cast<size_t>(d)], OriginOf(node), d});
}

std::vector<Use> UsesOf(const Graph& graph) {
  std::vector<Use> uses;
  for (const Node& node : graph.nodes) {
    if (node.operands.size() < 2) continue;
    const Shape& shape = graph.values[node.operands[0]].type.shape;
    if (auto* gather = std::get_if<Gather>(&node.op)) {
      uses.push_back({node.operands[1], shape[static_cast<size_t>(gather->axis)], OriginOf(node)});
    } else if (auto* elements = std::get_if<GatherElements>(&node.op)) {
      uses.push_back(
          {node.operands[1], shape[static_cast<size_t>(elements->axis)], OriginOf(node)});
    } else if (auto* scatter = std::get_if<ScatterElements>(&node.op)) {
      uses.push_back({node.operands[1], shape[static_cast<size_t>(scatter->axis)], OriginOf(node)});
    } else if (auto* nd = std::get_if<GatherND>(&node.op)) {
      AddColumns(graph, node, static_cast<size_t>(nd->batch), uses);
    } else if (std::holds_alternative<ScatterND>(node.op)) {
      AddColumns(graph, node, 0, uses);
    }
  }
  return uses;
}

class Checker {
 public:
  explicit Checker(Graph& graph) : graph_(graph), known_(KnownOf(graph)), links_(graph) {
    FindMost();
  }
  // Of a body, which may not run, and whose sizes may be others each time: nothing is refused or
  // assumed beforehand.
  Checker(Graph& body, const std::vector<Known>& inputs)
      : graph_(body), is_body_(true), known_(KnownOf(body, inputs)), links_(body) {
    FindMost();
  }

  Result<IndexChecks> Run() {
    for (const Use& use : UsesOf(graph_)) TRY(Check(use));
    if (auto told = Tell()) graph_.outputs.push_back({abi::kIndexOutput, *told, true});
    return std::move(result_);
  }

 private:
  Status Check(Use use) {
    FindColumn(use);
    FindOnce(use);
    Known known = known_[static_cast<size_t>(use.index.index)];
    // The bounds of all columns together are not each one's.
    if (use.column) known = Inexact(known);
    Dim count = ElementCount(graph_.values[use.index].type.shape);
    bool empty = count.Is(0);
    const SymbolSizes at_least_one = SymbolsOfSome(count);
    auto of_some = [&](const Dim& size) { return Substitute(size, at_least_one); };
    bool fits_below =
        known.low && ProvablyLessEqual(of_some(Dim(0) - use.size), of_some(known.low->value));
    bool fits_above = known.high && ProvablyLess(of_some(known.high->value), of_some(use.size));
    if (empty || (fits_below && fits_above)) return kSuccess;
    if (is_body_) {
      pending_.push_back(use);
      return kSuccess;
    }
    if (use.size.Is(0)) return RefuseEmpty(count, use);
    TRY(RefuseConstant(known, use));
    // What sizes decide is told beforehand, from the other side as well.
    if (fits_below && known.high && known.high->exact) return AssumeBelow(known.high->value, use);
    // Slices cut a constant, of which they may leave out what is outside.
    if (known.source && use.size.IsConstant()) return Narrow(*known.source, use);
    pending_.push_back(use);
    return kSuccess;
  }

  void FindMost() {
    for (const Node& node : graph_.nodes) {
      auto* define = std::get_if<Define>(&node.op);
      for (size_t i = 0; define && i < define->most.size(); ++i)
        most_[define->symbols[i]] = define->most[i];
    }
  }

  // Where there are no indices, all of them fit. So symbols are at least 1 that have to be for
  // there to be some: each as one more than itself.
  SymbolSizes SymbolsOfSome(const Dim& count) const {
    SymbolSizes symbols;
    std::vector<Dim> todo{count};
    while (!todo.empty()) {
      const Dim size = todo.back();
      todo.pop_back();
      bool is_product = size.constant() == 0 && size.terms().size() == 1;
      for (size_t i = 0; is_product && i < size.terms()[0].factors.size(); ++i) {
        const DimAtom& factor = size.terms()[0].factors[i];
        if (factor.kind != DimAtom::Kind::kSymbol) continue;
        const Dim symbol = Dim::Symbol(factor.symbol);
        if (!symbols.emplace(factor.symbol, symbol + 1).second) continue;
        if (auto most = most_.find(factor.symbol); most != most_.end())
          todo.push_back(most->second);
      }
    }
    return symbols;
  }

  // What indices were repeated from: there are fewer to look at, and they are the same.
  void FindOnce(Use& use) const {
    while (!use.column) {
      const Node* node = links_.DefinitionOf(use.index);
      if (!node || !std::holds_alternative<Expand>(node->op)) return;
      Shape from = graph_.values[node->operands[0]].type.shape;
      const Shape& to = graph_.values[use.index].type.shape;
      from.insert(from.begin(), to.size() - from.size(), 1);
      // None of them may be repeated no times.
      for (size_t d = 0; d < to.size(); ++d) {
        if (from[d] != to[d] && LowerBound(to[d]).value_or(0) < 1) return;
      }
      use.index = node->operands[0];
    }
  }

  // The operand that a column of gather_nd's indices comes from, where they were put together.
  void FindColumn(Use& use) const {
    while (use.column) {
      const Shape& shape = graph_.values[use.index].type.shape;
      if (shape.back().Is(1)) use.column.reset();
      const Node* node = links_.DefinitionOf(use.index);
      auto* concat = node ? std::get_if<Concat>(&node->op) : nullptr;
      if (!use.column || !concat || concat->axis + 1 != static_cast<int64_t>(shape.size())) return;
      for (ValueId operand : node->operands) {
        const Dim& columns = graph_.values[operand].type.shape.back();
        if (!columns.IsConstant()) return;
        if (*use.column < columns.value()) {
          use.index = operand;
          break;
        }
        *use.column -= columns.value();
      }
    }
  }

  // A table without rows takes no index.
  Status RefuseEmpty(const Dim& count, const Use& use) {
    if (LowerBound(count).value_or(0) > 0) {
      Error error{"the table is empty: the dimension that is indexed has no elements"};
      error.where.node = use.origin;
      return error;
    }
    pending_.push_back(use);
    return kSuccess;
  }

  // An exact constant outside is there in every run.
  Status RefuseConstant(const Known& known, const Use& use) const {
    if (!use.size.IsConstant() || use.column) return kSuccess;
    int64_t size = use.size.value();
    for (const std::optional<Bound>& bound : {known.low, known.high}) {
      if (!bound || !bound->exact || !bound->value.IsConstant()) continue;
      int64_t value = bound->value.value();
      if (value >= -size && value < size) continue;
      Error error{"the index " + std::to_string(value) + " is outside a dimension of " +
                  std::to_string(size)};
      error.where.node = use.origin;
      return error;
    }
    return kSuccess;
  }

  Status AssumeBelow(const Dim& highest, const Use& use) {
    Assumption assumption{highest + 1, Assumption::Relation::kLessEqual, use.size, use.origin};
    auto& all = graph_.assumptions;
    if (std::find(all.begin(), all.end(), assumption) == all.end()) all.push_back(assumption);
    return kSuccess;
  }

  Status Narrow(const Source& source, const Use& use) {
    int64_t size = use.size.value();
    InputRange range{graph_.inputs[source.input].name, -size - source.shift,
                     size - 1 - source.shift, use.origin};
    for (InputRange& other : result_.ranges) {
      if (other.input != range.input) continue;
      if (range.high - range.low < other.high - other.low) other.origin = range.origin;
      other.low = std::max(other.low, range.low);
      other.high = std::min(other.high, range.high);
      return kSuccess;
    }
    result_.ranges.push_back(range);
    return kSuccess;
  }

  // ---- What is left: the least and the largest index are computed in the run.

  // A value of type i32[3 * checks]; nothing if there are none.
  std::optional<ValueId> Tell() {
    std::vector<ValueId> parts = VisitBodies();
    Builder build(graph_);
    for (const Use& use : pending_) {
      build.SetOrigins(use.origin.empty() ? std::vector<std::string>{} : std::vector{use.origin});
      ValueId index = Column(build, use);
      for (ReduceKind kind : {ReduceKind::kMin, ReduceKind::kMax}) {
        ValueId bound =
            build.Add(Reduce{kind, AllAxes(build, index), false}, {index}, "index.bound");
        parts.push_back(Flat(build, WithinNarrow(build, bound)));
      }
      parts.push_back(Flat(build, build.Add(Sizes{{use.size}, true}, {}, "index.size")));
      result_.checks.push_back({use.origin, InputsOf(use.index)});
    }
    if (parts.empty()) return std::nullopt;
    return parts.size() == 1 ? parts[0] : build.Add(Concat{0}, parts, abi::kIndexOutput);
  }

  // ---- Bodies: what is told of their indices is one result more of the node that has them.

  // These results, whose checks are the first.
  std::vector<ValueId> VisitBodies() {
    std::vector<ValueId> told;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      std::optional<ValueId> result;
      if (std::holds_alternative<If>(node.op)) result = VisitBranches(node);
      if (std::holds_alternative<Loop>(node.op)) result = VisitLoop(node);
      graph_.nodes.push_back(std::move(node));
      if (result) told.push_back(*result);
    }
    for (size_t i = 0, check = 0; i < told.size(); ++i) {
      size_t end = check + Checks(graph_.values[told[i]].type);
      for (; check < end; ++check) result_.checks[check].inputs = InputsOf(told[i]);
    }
    return told;
  }

  static size_t Checks(const TensorType& told) {
    return static_cast<size_t>(told.shape[0].value()) / 3;
  }
  // Of indices that were not computed. Of no elements the least is larger than the largest.
  static ValueId Nothing(Builder& build, size_t checks) {
    std::vector<int64_t> values;
    for (size_t i = 0; i < checks; ++i) values.insert(values.end(), {INT32_MAX, INT32_MIN, 0});
    return build.AddConstant(IntegerTensor(DType::kI32, values), "index.none");
  }

  struct Told {
    std::optional<ValueId> value;
    std::vector<IndexCheck> checks;
  };
  static Told TellBody(Graph& body, const std::vector<Known>& inputs) {
    Checker checker(body, inputs);
    for (const Use& use : UsesOf(body)) CHECK(checker.Check(use));
    std::optional<ValueId> value = checker.Tell();
    return {value, std::move(checker.result_.checks)};
  }
  void Append(std::vector<IndexCheck> checks) {
    result_.checks.insert(result_.checks.end(), checks.begin(), checks.end());
  }
  Known Operand(const Node& node, size_t i) const {
    return Inexact(known_[static_cast<size_t>(node.operands[i].index)]);
  }

  // Each branch tells nothing of the other's.
  std::optional<ValueId> VisitBranches(Node& node) {
    std::vector<Known> inputs;
    for (size_t i = 1; i < node.operands.size(); ++i) inputs.push_back(Operand(node, i));
    std::vector<Told> told;
    size_t checks = 0;
    for (Graph& body : node.bodies) {
      told.push_back(TellBody(body, inputs));
      checks += told.back().checks.size();
    }
    if (checks == 0) return std::nullopt;
    for (size_t b = 0; b < told.size(); ++b) {
      Builder build(node.bodies[b]);
      std::vector<ValueId> parts;
      for (const Told& branch : told) {
        if (branch.checks.empty()) continue;
        bool own = &branch == &told[b];
        parts.push_back(own ? *branch.value : Nothing(build, branch.checks.size()));
      }
      ValueId all = parts.size() == 1 ? parts[0] : build.Add(Concat{0}, parts, "index.told");
      node.bodies[b].outputs.push_back({"index.told", all});
    }
    for (Told& branch : told) Append(std::move(branch.checks));
    node.results.push_back(Builder(graph_).AddValue("index.told", TypeOfTold(checks)));
    return node.results.back();
  }

  static TensorType TypeOfTold(size_t checks) {
    return {DType::kI32, {Dim(static_cast<int64_t>(3 * checks))}};
  }

  // What an iteration found is carried on, until another one finds something outside.
  std::optional<ValueId> VisitLoop(Node& node) {
    auto& loop = std::get<Loop>(node.op);
    Graph& body = node.bodies[0];
    const auto carried = static_cast<size_t>(loop.carried), first = loop.first_carried();
    std::vector<Known> inputs(1 + carried);
    bool counts = std::find_if(loop.symbols.begin(), loop.symbols.end(), [&](const auto& symbol) {
                    return loop.count == Dim::Symbol(symbol);
                  }) == loop.symbols.end();
    if (counts) inputs[0] = {Bound{0}, Bound{loop.count - 1}, {}};
    for (size_t i = first + carried; i < node.operands.size(); ++i)
      inputs.push_back(Operand(node, i));
    Told told = TellBody(body, inputs);
    if (told.checks.empty()) return std::nullopt;

    const size_t checks = told.checks.size();
    auto at = [](auto& list, size_t i) { return list.begin() + static_cast<int64_t>(i); };
    const size_t condition = body.outputs.size() - node.results.size();
    Builder inside(body), build(graph_);
    ValueId before = inside.AddValue("index.before", TypeOfTold(checks));
    ValueId after = WorstOf(inside, before, *told.value);
    body.inputs.insert(at(body.inputs, 1 + carried), {"index.before", before});
    body.outputs.insert(at(body.outputs, condition + carried), {"index.told", after});
    node.operands.insert(at(node.operands, first + carried), Nothing(build, checks));
    ValueId result = build.AddValue("index.told", TypeOfTold(checks));
    node.results.insert(at(node.results, carried), result);
    ++loop.carried;
    Append(std::move(told.checks));
    return result;
  }

  // What was told before, or now where that is outside.
  static ValueId WorstOf(Builder& build, ValueId before, ValueId now) {
    using loop::BinaryOp;
    const Dim checks = FloorDiv(build.type(now).shape[0], 3);
    auto binary = [&](BinaryOp op, ValueId a, ValueId b) {
      return build.Add(Binary{op}, {a, b}, "index.outside");
    };
    ValueId rows = build.Add(Reshape{{checks, 3}}, {now}, "index.rows");
    ValueId earlier = build.Add(Reshape{{checks, 3}}, {before}, "index.rows");
    std::vector<ValueId> columns;
    for (int64_t column = 0; column < 3; ++column)
      columns.push_back(build.Add(Slice{{0, column}, {checks, 1}, {1, 1}}, {rows}, "index.column"));
    ValueId least = columns[0], most = columns[1], size = columns[2];
    ValueId sum = binary(BinaryOp::kAdd, least, size);
    ValueId is_below = binary(BinaryOp::kLess, sum, build.AddScalar(DType::kI32, 0));
    ValueId is_above = binary(BinaryOp::kLessEqual, size, most);
    ValueId is_there = binary(BinaryOp::kLessEqual, least, most);
    ValueId is_outside =
        binary(BinaryOp::kAnd, is_there, binary(BinaryOp::kOr, is_below, is_above));
    ValueId worst = build.Add(Where{}, {is_outside, rows, earlier}, "index.worst");
    return build.Add(Reshape{{build.type(now).shape[0]}}, {worst}, "index.told");
  }

  ValueId Column(Builder& build, const Use& use) {
    if (!use.column) return use.index;
    const Shape& shape = build.type(use.index).shape;
    Slice slice;
    for (const Dim& size : shape) {
      bool last = slice.steps.size() + 1 == shape.size();
      slice.starts.push_back(last ? Dim(*use.column) : Dim(0));
      slice.sizes.push_back(last ? Dim(1) : size);
      slice.steps.push_back(1);
    }
    return build.Add(slice, {use.index}, "index.column");
  }

  static Integers AllAxes(const Builder& build, ValueId id) {
    Integers axes;
    for (int64_t d = 0; d < build.type(id).rank(); ++d) axes.push_back(d);
    return axes;
  }

  // What 32 bits do not hold is outside of any table, and stays so when it is narrowed.
  static ValueId WithinNarrow(Builder& build, ValueId id) {
    if (build.type(id).dtype != DType::kI64) return id;
    for (auto [op, limit] :
         {std::pair{loop::BinaryOp::kMin, INT32_MAX}, {loop::BinaryOp::kMax, INT32_MIN}})
      id = build.Add(Binary{op}, {id, build.AddScalar(DType::kI64, limit)}, "index.within");
    return id;
  }

  // i32[1].
  static ValueId Flat(Builder& build, ValueId id) {
    ValueId narrow = build.type(id).dtype == DType::kI32
                         ? id
                         : build.Add(Cast{DType::kI32}, {id}, "index.narrow");
    return build.Add(Reshape{{Dim(1)}}, {narrow}, "index.flat");
  }

  std::vector<std::string> InputsOf(ValueId id) const {
    std::set<ValueId> seen;
    std::vector<ValueId> todo{id};
    Links links(graph_);
    while (!todo.empty()) {
      ValueId next = todo.back();
      todo.pop_back();
      if (!seen.insert(next).second) continue;
      if (const Node* node = links.DefinitionOf(next))
        todo.insert(todo.end(), node->operands.begin(), node->operands.end());
    }
    std::vector<std::string> names;
    for (const Port& input : graph_.inputs) {
      if (seen.count(input.value)) names.push_back(input.name);
    }
    return names;
  }

  Graph& graph_;
  const bool is_body_ = false;
  const std::vector<Known> known_;  // by value
  Links links_;
  // The most of sizes that are data.
  SymbolSizes most_;
  IndexChecks result_;
  std::vector<Use> pending_;
};

}  // namespace

Result<IndexChecks> CheckIndices(Graph& graph) { return Checker(graph).Run(); }

}  // namespace webnnc::graph
