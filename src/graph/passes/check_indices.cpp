#include "graph/passes/check_indices.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "graph/evaluate.h"
#include "webnnc/abi.h"

namespace webnnc::graph {

namespace {

// The least or largest value of an integer tensor.
struct Bound {
  Dim value;
  // Some element has it, in every run.
  bool exact = false;
};

// An input's elements, moved and shifted by `shift`; every one of them is there.
struct Source {
  size_t input = 0;
  int64_t shift = 0;
};

struct Known {
  std::optional<Bound> low, high;
  std::optional<Source> source;
};

bool IsInteger(const TensorType& type) { return webnnc::IsInteger(type.dtype); }

// The elements of a constant, of which there must be some.
Known OfConstant(const Tensor& tensor) {
  int64_t count = ElementCount(tensor.type.shape).value();
  if (!IsInteger(tensor.type) || count == 0) return {};
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = tensor.data.At(tensor.type.dtype, i).integer;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return {Bound{Dim(low), true}, Bound{Dim(high), true}, {}};
}

// What every value of a type is within.
Known OfType(DType dtype) {
  switch (dtype) {
    case DType::kBool: return {Bound{0}, Bound{1}, {}};
    case DType::kU8: return {Bound{0}, Bound{255}, {}};
    case DType::kI8: return {Bound{-128}, Bound{127}, {}};
    case DType::kU16: return {Bound{0}, Bound{65535}, {}};
    case DType::kI16: return {Bound{-32768}, Bound{32767}, {}};
    default: return {};
  }
}

class Analysis {
 public:
  explicit Analysis(const Graph& graph) : graph_(graph) {
    known_.resize(static_cast<size_t>(graph.values.size()));
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      ValueId id = graph.inputs[i].value;
      Of(id) = OfType(graph.values[id].type.dtype);
      if (IsInteger(graph.values[id].type)) Of(id).source = Source{i, 0};
    }
    for (const Node& node : graph.nodes) {
      if (auto* top = std::get_if<TopK>(&node.op)) VisitTopK(*top, node);
      if (node.results.size() != 1) continue;
      Of(node.results[0]) = Result(node);
      FindElements(node);
    }
  }

  const Known& operator[](ValueId id) const { return known_[static_cast<size_t>(id.index)]; }

  // Bounds hold for some elements of an operand too, but may be no element's then.
  static Known Inexact(Known known) {
    if (known.low) known.low->exact = false;
    if (known.high) known.high->exact = false;
    known.source.reset();
    return known;
  }

 private:
  Known& Of(ValueId id) { return known_[static_cast<size_t>(id.index)]; }
  const TensorType& TypeOf(ValueId id) const { return graph_.values[id].type; }

  void VisitTopK(const TopK& top, const Node& node) {
    Of(node.results[0]) = Inexact(Operand(node, 0));
    const Dim& size = TypeOf(node.operands[0]).shape[static_cast<size_t>(top.axis)];
    Of(node.results[1]) = {Bound{0}, Bound{size - 1}, {}};
  }

  // Of a few integers that shapes are computed from, each is known for itself.
  void FindElements(const Node& node) {
    ValueId result = node.results[0];
    if (!IsInteger(TypeOf(result))) return;
    if (auto* constant = std::get_if<Constant>(&node.op)) return AddElements(result, *constant);
    Types types;
    std::vector<std::optional<SizeElements>> known;
    bool any = std::holds_alternative<Sizes>(node.op);
    for (ValueId operand : node.operands) {
      types.push_back(TypeOf(operand));
      auto found = elements_.find(operand);
      known.push_back(found == elements_.end() ? std::nullopt : std::optional(found->second));
      any |= known.back().has_value();
    }
    if (!any) return;
    auto elements = EvaluateSizes(node.op, types, known);
    if (!elements || elements->empty()) return;
    Of(result) = Visit(Sizes{*elements}, node);
    elements_[result] = std::move(*elements);
  }

  void AddElements(ValueId id, const Constant& constant) {
    constexpr int64_t kMostElements = 64;
    const Tensor& tensor = constant.value;
    int64_t count = ElementCount(tensor.type.shape).value();
    if (count > kMostElements) return;
    SizeElements& elements = elements_[id];
    for (int64_t i = 0; i < count; ++i)
      elements.push_back(tensor.data.At(tensor.type.dtype, i).integer);
  }

  // Elements of either.
  static Known Either(const Known& a, const Known& b, bool both_are_there) {
    Known known;
    auto pick = [&](const std::optional<Bound>& x, const std::optional<Bound>& y,
                    Dim (*choose)(const Dim&, const Dim&)) -> std::optional<Bound> {
      if (!x || !y) return std::nullopt;
      return Bound{choose(x->value, y->value), both_are_there && x->exact && y->exact};
    };
    known.low = pick(a.low, b.low, Min);
    known.high = pick(a.high, b.high, Max);
    return known;
  }

  Known Result(const Node& node) const {
    return std::visit([&](const auto& op) { return Visit(op, node); }, node.op);
  }
  const Known& Operand(const Node& node, size_t i) const { return (*this)[node.operands[i]]; }

  // ---- Operations. What is not named here may give anything.

  template <typename Other>
  Known Visit(const Other&, const Node& node) const {
    return OfType(TypeOf(node.results[0]).dtype);
  }
  Known Visit(const Constant& constant, const Node&) const { return OfConstant(constant.value); }
  Known Visit(const Sizes& sizes, const Node&) const {
    Known known;
    for (const Dim& size : sizes.values) {
      known.low = Bound{known.low ? Min(known.low->value, size) : size, true};
      known.high = Bound{known.high ? Max(known.high->value, size) : size, true};
    }
    return known;
  }
  Known Visit(const Iota& iota, const Node&) const {
    return {Bound{0, true}, Bound{iota.count - 1, true}, {}};
  }
  Known Visit(const Cast& cast, const Node& node) const {
    // Integers of the size of indices keep their values in these, and wrap in the others.
    bool keeps = cast.to == DType::kI64 || cast.to == DType::kI32 || cast.to == DType::kF32 ||
                 cast.to == DType::kF64;
    return keeps ? Operand(node, 0) : OfType(cast.to);
  }
  Known Visit(const Transpose&, const Node& node) const { return Operand(node, 0); }
  Known Visit(const Reshape&, const Node& node) const { return Operand(node, 0); }
  Known Visit(const Refine&, const Node& node) const { return Operand(node, 0); }
  Known Visit(const Expand&, const Node& node) const { return Operand(node, 0); }
  Known Visit(const Tile&, const Node& node) const { return Operand(node, 0); }
  Known Visit(const Gather&, const Node& node) const { return Inexact(Operand(node, 0)); }
  Known Visit(const GatherElements&, const Node& node) const { return Inexact(Operand(node, 0)); }
  Known Visit(const GatherND&, const Node& node) const { return Inexact(Operand(node, 0)); }
  Known Visit(const Where&, const Node& node) const {
    return Either(Operand(node, 1), Operand(node, 2), false);
  }
  Known Visit(const Concat&, const Node& node) const {
    Known known = Either(Operand(node, 0), Operand(node, 0), true);
    for (size_t i = 1; i < node.operands.size(); ++i) known = Either(known, Operand(node, i), true);
    return known;
  }
  Known Visit(const ArgReduce& reduce, const Node& node) const {
    const Shape& shape = TypeOf(node.operands[0]).shape;
    return {Bound{0}, Bound{shape[static_cast<size_t>(reduce.axis)] - 1}, {}};
  }

  // Part of a vector that counts is such a vector; of others only the bounds are known.
  Known Visit(const Slice& slice, const Node& node) const {
    const Known& known = Operand(node, 0);
    auto* iota = DefinitionOf<Iota>(node.operands[0]);
    if (!iota || slice.steps != Integers{1}) return Inexact(known);
    return {Bound{slice.starts[0], true}, Bound{slice.starts[0] + slice.sizes[0] - 1, true}, {}};
  }

  Known Visit(const Unary& unary, const Node& node) const {
    const Known& a = Operand(node, 0);
    if (unary.function != Function::kNegate || !IsInteger(TypeOf(node.results[0]))) return {};
    auto negated = [](const std::optional<Bound>& bound) {
      return bound ? std::optional(Bound{Dim(0) - bound->value, bound->exact}) : std::nullopt;
    };
    return {negated(a.high), negated(a.low), {}};
  }

  // The value of all elements, if there is but one: a constant, or an expression over sizes.
  static std::optional<Dim> SizeOf(const Known& known) {
    bool single = known.low && known.high && known.low->value == known.high->value;
    return single ? std::optional(known.low->value) : std::nullopt;
  }
  static std::optional<int64_t> ValueOf(const Known& known) {
    auto size = SizeOf(known);
    return size && size->IsConstant() ? std::optional(size->value()) : std::nullopt;
  }
  static bool IsNatural(const std::optional<Dim>& size) {
    return size && LowerBound(*size).value_or(-1) >= 0;
  }

  Known Visit(const Binary& binary, const Node& node) const {
    const Known &a = Operand(node, 0), &b = Operand(node, 1);
    const TensorType& type = TypeOf(node.results[0]);
    // Comparisons, and floats, which index nothing.
    if (!IsInteger(type)) return OfType(type.dtype);
    std::optional<int64_t> left = ValueOf(a), right = ValueOf(b);
    std::optional<Dim> left_size = SizeOf(a), right_size = SizeOf(b);
    switch (binary.op) {
      case loop::BinaryOp::kAdd:
        if (right) return Shifted(a, *right);
        if (left) return Shifted(b, *left);
        return {Sum(a.low, b.low), Sum(a.high, b.high), {}};
      case loop::BinaryOp::kSub:
        if (right) return Shifted(a, -*right);
        return {Difference(a.low, b.high), Difference(a.high, b.low), {}};
      case loop::BinaryOp::kMul:
        if (IsNatural(right_size)) return Scaled(a, *right_size);
        if (IsNatural(left_size)) return Scaled(b, *left_size);
        return {};
      case loop::BinaryOp::kMin: return Clamped(a.low, b.low, a.high, b.high, Min);
      case loop::BinaryOp::kMax: return Clamped(a.high, b.high, a.low, b.low, Max);
      case loop::BinaryOp::kFloorMod:
        if (right && *right > 0) return {Bound{0}, Bound{*right - 1}, {}};
        return {};
      case loop::BinaryOp::kMod:
        if (!right || *right == 0) return {};
        return {
            Bound{a.low && LowerBound(a.low->value).value_or(-1) >= 0 ? 0 : 1 - std::abs(*right)},
            Bound{std::abs(*right) - 1},
            {}};
      case loop::BinaryOp::kDiv:
      case loop::BinaryOp::kFloorDiv: {
        bool counts = right && *right > 0 && a.low && LowerBound(a.low->value).value_or(-1) >= 0;
        if (!counts) return {};
        auto divided = [&](const std::optional<Bound>& bound) {
          return bound ? std::optional(Bound{FloorDiv(bound->value, *right), bound->exact})
                       : std::nullopt;
        };
        return {divided(a.low), divided(a.high), {}};
      }
      default: return {};
    }
  }

  static Known Shifted(Known known, int64_t by) {
    if (known.low) known.low->value = known.low->value + by;
    if (known.high) known.high->value = known.high->value + by;
    if (known.source) known.source->shift += by;
    return known;
  }
  static Known Scaled(Known known, const Dim& by) {
    if (known.low) known.low->value = known.low->value * by;
    if (known.high) known.high->value = known.high->value * by;
    known.source.reset();
    return known;
  }
  static std::optional<Bound> Sum(const std::optional<Bound>& a, const std::optional<Bound>& b) {
    if (!a || !b) return std::nullopt;
    return Bound{a->value + b->value, false};
  }
  static std::optional<Bound> Difference(const std::optional<Bound>& a,
                                         const std::optional<Bound>& b) {
    if (!a || !b) return std::nullopt;
    return Bound{a->value - b->value, false};
  }
  // Of min: `a` and `b` are the lower bounds, `c` and `d` the upper ones, of which one is enough.
  static Known Clamped(const std::optional<Bound>& a, const std::optional<Bound>& b,
                       const std::optional<Bound>& c, const std::optional<Bound>& d,
                       Dim (*choose)(const Dim&, const Dim&)) {
    std::optional<Bound> both, one;
    if (a && b) both = Bound{choose(a->value, b->value), false};
    if (c && d) {
      one = Bound{choose(c->value, d->value), false};
    } else if (c || d) {
      one = Bound{c ? c->value : d->value, false};
    }
    return choose == Min ? Known{both, one, {}} : Known{one, both, {}};
  }

  template <typename T>
  const T* DefinitionOf(ValueId id) const {
    for (const Node& node : graph_.nodes) {
      if (node.results.size() == 1 && node.results[0] == id) return std::get_if<T>(&node.op);
    }
    return nullptr;
  }

  const Graph& graph_;
  std::vector<Known> known_;
  std::map<ValueId, SizeElements> elements_;
};

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
  explicit Checker(Graph& graph) : graph_(graph), known_(graph), links_(graph) {}

  Result<IndexChecks> Run() {
    for (const Use& use : UsesOf(graph_)) TRY(Check(use));
    AddOutput();
    return std::move(result_);
  }

 private:
  Status Check(Use use) {
    FindColumn(use);
    FindOnce(use);
    Known known = known_[use.index];
    // The bounds of all columns together are not each one's.
    if (use.column) known = Analysis::Inexact(known);
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
  Analysis known_;
  Links links_;
  IndexChecks result_;
  std::vector<Use> pending_;
};

}  // namespace

Result<IndexChecks> CheckIndices(Graph& graph) { return Checker(graph).Run(); }

}  // namespace webnnc::graph
