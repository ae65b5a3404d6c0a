#include "graph/passes/check_indices.h"

#include <algorithm>
#include <optional>
#include <set>

#include "graph/passes/index_bounds.h"
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
  explicit Checker(Graph& graph) : graph_(graph), known_(KnownOf(graph)), links_(graph) {}

  Result<IndexChecks> Run() {
    for (const Use& use : UsesOf(graph_)) TRY(Check(use));
    AddOutput();
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
    bool fits_below = known.low && ProvablyLessEqual(Dim(0) - use.size, known.low->value);
    bool fits_above = known.high && ProvablyLess(known.high->value, use.size);
    if (empty || (fits_below && fits_above)) return kSuccess;
    if (use.size.Is(0)) return RefuseEmpty(count, use);
    TRY(RefuseConstant(known, use));
    // What sizes decide is told beforehand, from the other side as well.
    if (fits_below && known.high && known.high->exact) return AssumeBelow(known.high->value, use);
    // Slices cut a constant, of which they may leave out what is outside.
    if (known.source && use.size.IsConstant()) return Narrow(*known.source, use);
    pending_.push_back(use);
    return kSuccess;
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

  void AddOutput() {
    if (pending_.empty()) return;
    Builder build(graph_);
    std::vector<ValueId> parts;
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
    ValueId all = parts.size() == 1 ? parts[0] : build.Add(Concat{0}, parts, abi::kIndexOutput);
    graph_.outputs.push_back({abi::kIndexOutput, all, true});
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
  const std::vector<Known> known_;  // by value
  Links links_;
  IndexChecks result_;
  std::vector<Use> pending_;
};

}  // namespace

Result<IndexChecks> CheckIndices(Graph& graph) { return Checker(graph).Run(); }

}  // namespace webnnc::graph
