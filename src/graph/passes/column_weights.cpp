#include "graph/passes/column_weights.h"

#include <algorithm>

#include "graph/passes/merge_common.h"

namespace webnnc::graph {

namespace {

class Finder {
 public:
  Finder(const Graph& graph, const Links& links) : graph_(graph), links_(links) {}

  // Adds what `value` is computed of; false if that is something else.
  bool Visit(ValueId value, std::optional<size_t> axis) {
    const Node* node = links_.DefinitionOf(value);
    if (!node) return false;
    for (const ColumnWeight::Part& part : weight.parts) {
      if (part.node.result() == value) return part.axis == axis;
    }
    if (std::holds_alternative<Constant>(node->op)) {
      if (axis && !HasWholeBytes(graph_.values[value].type, *axis)) return false;
    } else {
      bool is_own = links_.UsersOf(value).size() == 1 && !links_.IsOutput(value);
      // What all columns have in common stays one constant.
      if (!axis || !is_own || !VisitOperands(*node, *axis)) return false;
    }
    weight.parts.push_back({*node, axis});
    return true;
  }

  ColumnWeight weight;

 private:
  static bool HasWholeBytes(const TensorType& type, size_t axis) {
    Dim elements =
        ElementCount({type.shape.begin() + static_cast<int64_t>(axis), type.shape.end()});
    return elements.value() * BitSize(type.dtype) % 8 == 0;
  }

  bool VisitOperands(const Node& node, size_t axis) {
    return std::all_of(node.operands.begin(), node.operands.end(), [&](ValueId operand) {
      const Shape& shape = graph_.values[operand].type.shape;
      if (std::holds_alternative<Reshape>(node.op)) {
        auto before = AxisBefore(shape, graph_.values[node.result()].type.shape, axis);
        return before && Visit(operand, before);
      }
      if (auto* transpose = std::get_if<Transpose>(&node.op))
        return Visit(operand, static_cast<size_t>(transpose->order[axis]));
      bool broadcasts =
          std::holds_alternative<Unary>(node.op) || std::holds_alternative<Binary>(node.op) ||
          std::holds_alternative<Cast>(node.op) || std::holds_alternative<Expand>(node.op);
      return broadcasts && Visit(operand, BroadcastAxis(node, shape, axis));
    });
  }

  // The axis that a reshape makes `axis` of.
  static std::optional<size_t> AxisBefore(const Shape& from, const Shape& to, size_t axis) {
    const Dim outside = ElementCount({to.begin(), to.begin() + static_cast<int64_t>(axis)});
    Dim product = 1;
    for (size_t d = 0; d < from.size(); ++d) {
      if (product == outside && from[d] == to[axis]) return d;
      product = product * from[d];
    }
    return std::nullopt;
  }

  // The operand's axis that is broadcast to the result's `axis`; none if it has the same for all.
  std::optional<size_t> BroadcastAxis(const Node& node, const Shape& operand, size_t axis) const {
    size_t added = graph_.values[node.result()].type.shape.size() - operand.size();
    bool has = axis >= added && !operand[axis - added].Is(1);
    return has ? std::optional(axis - added) : std::nullopt;
  }

  const Graph& graph_;
  const Links& links_;
};

// The operation for other columns, so many.
Op WithColumns(Op op, size_t axis, const Dim& columns) {
  if (auto* reshape = std::get_if<Reshape>(&op)) reshape->shape[axis] = columns;
  if (auto* expand = std::get_if<Expand>(&op)) expand->shape[axis] = columns;
  return op;
}

// The place of `value` among the parts.
size_t PlaceOf(const ColumnWeight& weight, ValueId value) {
  size_t place = 0;
  while (weight.parts[place].node.result() != value) ++place;
  return place;
}

bool MatchParts(const Graph& graph, const ColumnWeight::Part& a, const ColumnWeight::Part& b) {
  if (a.axis != b.axis) return false;
  if (!a.axis) return SameOp(a.node.op, b.node.op);
  TensorType type = graph.values[a.node.result()].type, other = graph.values[b.node.result()].type;
  if (type.rank() != other.rank() || *a.axis >= type.shape.size()) return false;
  type.shape[*a.axis] = other.shape[*a.axis] = 1;
  if (type != other) return false;
  return std::holds_alternative<Constant>(a.node.op) ==
             std::holds_alternative<Constant>(b.node.op) &&
         (std::holds_alternative<Constant>(a.node.op) ||
          SameOp(WithColumns(a.node.op, *a.axis, 1), WithColumns(b.node.op, *b.axis, 1)));
}

}  // namespace

std::vector<const Constant*> ColumnWeight::Divided() const {
  std::vector<const Constant*> constants;
  for (const Part& part : parts) {
    if (auto* constant = std::get_if<Constant>(&part.node.op); constant && part.axis)
      constants.push_back(constant);
  }
  return constants;
}

std::optional<ColumnWeight> ColumnWeightOf(const Graph& graph, const Links& links, ValueId matrix,
                                           size_t axis) {
  Finder finder(graph, links);
  return finder.Visit(matrix, axis) ? std::optional(std::move(finder.weight)) : std::nullopt;
}

bool MatchColumns(const Graph& graph, const ColumnWeight& a, const ColumnWeight& b) {
  if (a.parts.size() != b.parts.size()) return false;
  for (size_t p = 0; p < a.parts.size(); ++p) {
    const Node &node = a.parts[p].node, &other = b.parts[p].node;
    if (node.operands.size() != other.operands.size() || !MatchParts(graph, a.parts[p], b.parts[p]))
      return false;
    for (size_t i = 0; i < node.operands.size(); ++i) {
      if (PlaceOf(a, node.operands[i]) != PlaceOf(b, other.operands[i])) return false;
    }
  }
  return true;
}

ValueId ConcatenateColumns(Builder& build, const std::vector<const ColumnWeight*>& weights,
                           const std::string& name) {
  const ColumnWeight& first = *weights[0];
  std::vector<ValueId> values;
  Dim columns = 0;
  for (size_t p = 0; p < first.parts.size(); ++p) {
    const auto& [node, axis] = first.parts[p];
    if (std::holds_alternative<Constant>(node.op)) {
      std::vector<Tensor> tensors;
      for (const ColumnWeight* weight : weights)
        tensors.push_back(std::get<Constant>(weight->parts[p].node.op).value);
      values.push_back(build.AddConstant(axis ? Concatenated(tensors, *axis) : tensors[0], name));
      if (axis) columns = build.type(values.back()).shape[*axis];
      continue;
    }
    std::vector<ValueId> operands;
    for (ValueId operand : node.operands) operands.push_back(values[PlaceOf(first, operand)]);
    values.push_back(build.Add(WithColumns(node.op, *axis, columns), operands, name));
  }
  return values.back();
}

Tensor Concatenated(const std::vector<Tensor>& tensors, size_t axis) {
  TensorType type = tensors[0].type;
  type.shape[axis] = 0;
  for (const Tensor& tensor : tensors)
    type.shape[axis] = type.shape[axis] + tensor.type.shape[axis];
  auto rows = static_cast<size_t>(
      ElementCount({type.shape.begin(), type.shape.begin() + static_cast<int64_t>(axis)}).value());
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>(ByteSize(type).value()));
  for (size_t row = 0; row < rows; ++row) {
    for (const Tensor& tensor : tensors) {
      auto all = tensor.data.bytes();
      auto part = all.subspan(row * (all.size() / rows), all.size() / rows);
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
  }
  return {type, TensorData::Own(std::move(bytes))};
}

}  // namespace webnnc::graph
