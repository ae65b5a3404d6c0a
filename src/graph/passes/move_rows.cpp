#include "graph/passes/move_rows.h"

#include <algorithm>
#include <map>
#include <optional>

namespace webnnc::graph {

namespace {

// The last `count` elements along `axis` come first.
struct Roll {
  int64_t axis = 0;
  Dim count = 0;
};

struct Move {
  std::variant<Reshape, Transpose, Roll> how;
  Shape from;
};

// From what is moved on.
using Moves = std::vector<Move>;

bool IsReshape(const Move& move) { return std::holds_alternative<Reshape>(move.how); }

Move Inverse(const Move& move, const Shape& to) {
  if (IsReshape(move)) return {Reshape{move.from}, to};
  if (auto* roll = std::get_if<Roll>(&move.how)) {
    const Dim size = move.from[static_cast<size_t>(roll->axis)];
    return {Roll{roll->axis, size - roll->count}, to};
  }
  const Integers& order = std::get<Transpose>(move.how).order;
  Integers inverse(order.size());
  for (size_t d = 0; d < order.size(); ++d)
    inverse[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  return {Transpose{inverse}, to};
}

ValueId Apply(Builder& build, const Move& move, ValueId value, const std::string& name) {
  if (auto* reshape = std::get_if<Reshape>(&move.how)) return build.Add(*reshape, {value}, name);
  if (auto* order = std::get_if<Transpose>(&move.how)) return build.Add(*order, {value}, name);
  const Roll& roll = std::get<Roll>(move.how);
  const auto axis = static_cast<size_t>(roll.axis);
  const Shape shape = build.type(value).shape;
  auto part = [&](const Dim& start, const Dim& size) {
    Slice slice{Sizes1D(shape.size(), 0), shape, Integers(shape.size(), 1)};
    slice.starts[axis] = start;
    slice.sizes[axis] = size;
    return build.Add(slice, {value}, name + "_part");
  };
  const Dim rest = shape[axis] - roll.count;
  ValueId first = part(rest, roll.count), last = part(0, rest);
  return build.Add(Concat{roll.axis}, {first, last}, name);
}

ValueId ApplyAll(Builder& build, const Moves& moves, ValueId value, const std::string& name) {
  for (const Move& move : moves) value = Apply(build, move, value, name);
  return value;
}

ValueId MoveBack(Builder& build, const Moves& moves, ValueId value, const std::string& name) {
  for (auto move = moves.rbegin(); move != moves.rend(); ++move)
    value = Apply(build, Inverse(*move, build.type(value).shape), value, name);
  return value;
}

// An operation that computes each row by itself, with the operand that the rows are.
struct RowOp {
  Node node;
  size_t rows = 0;
};

class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph), links_(graph) {}

  // A sum: what is added to a product that was moved.
  struct MovedProduct {
    ValueId product;
    Moves moves;
    std::vector<RowOp> ops;  // behind the product, in order; the last is the sum's own
    size_t other = 0;        // the sum's operand that is moved back
  };
  std::optional<MovedProduct> PlanSum(const Node& node) const {
    auto* sum = std::get_if<Binary>(&node.op);
    if (!sum) return std::nullopt;
    for (size_t side : {size_t{0}, size_t{1}}) {
      const Shape& shape = TypeOf(node.operands[side]).shape;
      if (TypeOf(node.operands[1 - side]).shape != shape || shape.empty()) continue;
      MovedProduct found{{}, {}, {{node, side}}, 1 - side};
      ValueId value = node.operands[side];
      const bool is_own = Walk(value, &found.moves, found.ops);
      if (!is_own || found.moves.empty() || !IsProduct(value)) continue;
      bool only_reshapes = std::all_of(found.moves.begin(), found.moves.end(), IsReshape);
      if (!only_reshapes && !IsReadByRows(node.result())) continue;
      found.product = value;
      std::reverse(found.moves.begin(), found.moves.end());
      std::reverse(found.ops.begin(), found.ops.end());
      return found;
    }
    return std::nullopt;
  }

  // What moves the rows of a normalisation, up to and with `node`.
  struct MovedRows {
    ValueId rows;
    Moves moves;
    std::vector<RowOp> ops;  // from the normalisation on
  };
  std::optional<MovedRows> PlanMove(const Node& node) const {
    ValueId value = node.results[0];
    // The longest chain: nothing that only moves rows reads its result.
    if (!MoveOf(value) || links_.IsOutput(value) || IsMoved(value)) return std::nullopt;
    MovedRows found;
    size_t readers = 0;
    for (auto move = MoveOf(value); move; move = MoveOf(value)) {
      if (readers > 0 && !IsReadBy(value, readers)) return std::nullopt;
      readers = ReadersOf(move->first);
      found.moves.push_back(std::move(move->first));
      value = move->second;
    }
    bool only_reshapes = std::all_of(found.moves.begin(), found.moves.end(), IsReshape);
    if (only_reshapes || !IsReadBy(value, readers)) return std::nullopt;
    // The elements' functions behind the normalisation, and that itself, from the last on.
    if (auto op = RowOpOf(value)) {
      value = op->node.operands[op->rows];
      found.ops.push_back(std::move(*op));
      if (!Walk(value, nullptr, found.ops)) return std::nullopt;
    }
    const Node* normalize = links_.DefinitionOf(value);
    auto* op = normalize ? std::get_if<Normalize>(&normalize->op) : nullptr;
    if (!op || op->axes != Integers{TypeOf(value).rank() - 1}) return std::nullopt;
    found.ops.push_back({*normalize, 0});
    found.rows = normalize->operands[0];
    std::reverse(found.moves.begin(), found.moves.end());
    std::reverse(found.ops.begin(), found.ops.end());
    return found;
  }

 private:
  const TensorType& TypeOf(ValueId value) const { return graph_.values[value].type; }
  bool IsReadBy(ValueId value, size_t readers) const {
    return links_.UsersOf(value).size() == readers && !links_.IsOutput(value);
  }
  // The slices of a roll both read what it moves.
  static size_t ReadersOf(const Move& move) {
    return std::holds_alternative<Roll>(move.how) ? 2 : 1;
  }

  // The move that makes `value`, and of what.
  std::optional<std::pair<Move, ValueId>> MoveOf(ValueId value) const {
    const Node* node = links_.DefinitionOf(value);
    if (!node || TypeOf(value).shape.empty()) return std::nullopt;
    if (auto roll = RollOf(*node)) return roll;
    if (node->operands.size() != 1) return std::nullopt;
    const ValueId from = node->operands[0];
    const Shape &before = TypeOf(from).shape, &after = TypeOf(value).shape;
    if (before.empty() || before.back() != after.back()) return std::nullopt;
    if (auto* reshape = std::get_if<Reshape>(&node->op))
      return std::pair(Move{*reshape, before}, from);
    auto* transpose = std::get_if<Transpose>(&node->op);
    if (!transpose || transpose->order.back() != TypeOf(from).rank() - 1) return std::nullopt;
    return std::pair(Move{*transpose, before}, from);
  }

  // concat(slice(x, from n - count), slice(x, up to n - count)).
  std::optional<std::pair<Move, ValueId>> RollOf(const Node& node) const {
    auto* concat = std::get_if<Concat>(&node.op);
    if (!concat || node.operands.size() != 2) return std::nullopt;
    auto *first = links_.As<Slice>(node.operands[0]), *last = links_.As<Slice>(node.operands[1]);
    if (!first || !last || !IsReadBy(node.operands[0], 1) || !IsReadBy(node.operands[1], 1))
      return std::nullopt;
    const ValueId from = links_.DefinitionOf(node.operands[0])->operands[0];
    const Shape& shape = TypeOf(from).shape;
    const auto axis = static_cast<size_t>(concat->axis);
    if (links_.DefinitionOf(node.operands[1])->operands[0] != from || axis + 1 >= shape.size())
      return std::nullopt;
    for (const Slice* slice : {first, last}) {
      for (size_t d = 0; d < shape.size(); ++d) {
        if (slice->steps[d] != 1) return std::nullopt;
        if (d != axis && (slice->starts[d] != Dim(0) || slice->sizes[d] != shape[d]))
          return std::nullopt;
      }
    }
    const Dim &count = first->sizes[axis], &rest = last->sizes[axis];
    bool rolls =
        first->starts[axis] == rest && last->starts[axis] == Dim(0) && count + rest == shape[axis];
    if (!rolls) return std::nullopt;
    return std::pair(Move{Roll{concat->axis, count}, shape}, from);
  }

  // Goes on towards what `value` is made of, which nothing else reads: through functions of each
  // element, beside which there are vectors along the row, and, if `moves` are wanted, these.
  // Whether what it comes to is read by nothing else either.
  bool Walk(ValueId& value, Moves* moves, std::vector<RowOp>& ops) const {
    size_t readers = 1;
    while (IsReadBy(value, readers)) {
      if (auto move = moves ? MoveOf(value) : std::nullopt) {
        readers = ReadersOf(move->first);
        moves->push_back(std::move(move->first));
        value = move->second;
      } else if (auto op = RowOpOf(value)) {
        readers = 1;
        value = op->node.operands[op->rows];
        ops.push_back(std::move(*op));
      } else {
        return true;
      }
    }
    return false;
  }

  std::optional<RowOp> RowOpOf(ValueId value) const {
    const Node* node = links_.DefinitionOf(value);
    if (!node) return std::nullopt;
    if (std::holds_alternative<Unary>(node->op)) return RowOp{*node, 0};
    if (!std::holds_alternative<Binary>(node->op)) return std::nullopt;
    for (size_t side : {size_t{0}, size_t{1}}) {
      bool is_row = TypeOf(node->operands[side]).shape == TypeOf(value).shape;
      if (is_row && TypeOf(node->operands[1 - side]).rank() <= 1) return RowOp{*node, side};
    }
    return std::nullopt;
  }

  bool IsProduct(ValueId value) const { return links_.As<MatMul>(value) || links_.As<Conv>(value); }

  bool IsMoved(ValueId value) const {
    const auto& users = links_.UsersOf(value);
    return users.size() == 1 && MoveOf(users[0]->results[0]).has_value();
  }

  bool IsReadByRows(ValueId value) const {
    if (links_.IsOutput(value)) return false;
    const int64_t last = TypeOf(value).rank() - 1;
    const auto& users = links_.UsersOf(value);
    return std::all_of(users.begin(), users.end(), [&](const Node* user) {
      if (auto* normalize = std::get_if<Normalize>(&user->op))
        return normalize->axes == Integers{last};
      if (std::holds_alternative<MatMul>(user->op)) return user->operands[0] == value;
      return std::holds_alternative<Binary>(user->op) || std::holds_alternative<Unary>(user->op) ||
             std::holds_alternative<Slice>(user->op) || MoveOf(user->results[0]).has_value();
    });
  }

  const Graph& graph_;
  const Links links_;
};

// The same of rows of another shape.
ValueId AddRowOp(Builder& build, const RowOp& op, ValueId rows, std::vector<ValueId> operands,
                 const std::string& name) {
  operands[op.rows] = rows;
  Op same = op.node.op;
  if (auto* normalize = std::get_if<Normalize>(&same))
    normalize->axes = {build.type(rows).rank() - 1};
  return build.Add(same, std::move(operands), name);
}

}  // namespace

void MoveRows(Graph& graph) {
  std::map<ValueId, Planner::MovedProduct> sums;
  std::map<ValueId, Planner::MovedRows> moved;
  const Planner planner(graph);
  for (const Node& node : graph.nodes) {
    if (node.results.size() != 1) continue;
    if (auto sum = planner.PlanSum(node)) sums.emplace(node.result(), std::move(*sum));
    if (auto move = planner.PlanMove(node)) moved.emplace(node.result(), std::move(*move));
  }
  if (sums.empty() && moved.empty()) return;

  Rewriter rewrite(graph);
  auto add = [&](const RowOp& op, ValueId rows) {
    std::vector<ValueId> operands;
    for (ValueId operand : op.node.operands) operands.push_back(rewrite.Current(operand));
    return AddRowOp(rewrite.build, op, rows, std::move(operands),
                    graph.values[op.node.result()].name);
  };
  for (Node& node : rewrite.nodes()) {
    const ValueId result = node.results[0];
    const std::string name = graph.values[result].name;
    rewrite.build.SetOrigins(node.origins);
    if (auto sum = sums.find(result); sum != sums.end()) {
      auto& [product, moves, ops, other] = sum->second;
      ValueId rows = rewrite.Current(product);
      for (size_t i = 0; i + 1 < ops.size(); ++i) rows = add(ops[i], rows);
      RowOp& last = ops.back();
      std::vector<ValueId> operands = node.operands;
      operands[other] = MoveBack(rewrite.build, moves, node.operands[other], name);
      rows = AddRowOp(rewrite.build, last, rows, std::move(operands), name);
      rewrite.Replace(result, ApplyAll(rewrite.build, moves, rows, name));
    } else if (auto move = moved.find(result); move != moved.end()) {
      auto& [from, moves, ops] = move->second;
      ValueId rows = ApplyAll(rewrite.build, moves, rewrite.Current(from), name);
      for (const RowOp& op : ops) rows = add(op, rows);
      rewrite.Replace(result, rows);
    } else {
      rewrite.Keep(std::move(node));
    }
  }
}

}  // namespace webnnc::graph
