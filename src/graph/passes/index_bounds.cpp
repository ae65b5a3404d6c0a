#include "graph/passes/index_bounds.h"

#include <algorithm>
#include <map>

#include "graph/evaluate.h"

namespace webnnc::graph {

namespace {

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
  Analysis(const Graph& graph, const std::vector<Known>* inputs) : graph_(graph) {
    known_.resize(static_cast<size_t>(graph.values.size()));
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      ValueId id = graph.inputs[i].value;
      Of(id) = OfType(graph.values[id].type.dtype);
      if (!inputs) {
        if (IsInteger(graph.values[id].type)) Of(id).source = Source{i, 0};
      } else if ((*inputs)[i].low || (*inputs)[i].high) {
        Of(id) = (*inputs)[i];
      }
    }
    for (const Node& node : graph.nodes) {
      if (auto* top = std::get_if<TopK>(&node.op)) VisitTopK(*top, node);
      if (node.results.size() != 1) continue;
      Of(node.results[0]) = Result(node);
      FindElements(node);
    }
  }

  std::vector<Known> Take() { return std::move(known_); }

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
  const Known& Operand(const Node& node, size_t i) const {
    return known_[static_cast<size_t>(node.operands[i].index)];
  }

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
  Known Visit(const ScatterElements& scatter, const Node& node) const {
    if (scatter.update != loop::Update::kSet) return {};
    return Either(Operand(node, 0), Operand(node, 2), false);
  }
  // Sums of natural numbers: where the elements that count are put.
  Known Visit(const Cumulate& sums, const Node& node) const {
    const Known& x = Operand(node, 0);
    bool is_natural = x.low && LowerBound(x.low->value).value_or(-1) >= 0;
    bool counts = sums.kind == ReduceKind::kSum && IsInteger(TypeOf(node.results[0]));
    if (!counts || !is_natural || !x.high) return {};
    const Dim& terms = TypeOf(node.operands[0]).shape[static_cast<size_t>(sums.axis)];
    return {Bound{0}, Bound{x.high->value * (sums.exclusive ? terms - 1 : terms)}, {}};
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
        if (IsNatural(right_size)) return {Bound{0}, Bound{Max(*right_size, 1) - 1}, {}};
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

}  // namespace

std::vector<Known> KnownOf(const Graph& graph) { return Analysis(graph, nullptr).Take(); }

std::vector<Known> KnownOf(const Graph& body, const std::vector<Known>& inputs) {
  return Analysis(body, &inputs).Take();
}

Known Inexact(Known known) {
  if (known.low) known.low->exact = false;
  if (known.high) known.high->exact = false;
  known.source.reset();
  return known;
}

}  // namespace webnnc::graph
