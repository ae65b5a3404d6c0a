#include "graph/verify.h"

#include <algorithm>
#include <set>

namespace webnnc::graph {

static bool IsAssumed(const Graph& graph, const Dim& a, const Dim& b) {
  return std::any_of(graph.assumptions.begin(), graph.assumptions.end(), [&](const auto& known) {
    bool same = (known.left == a && known.right == b) || (known.left == b && known.right == a);
    return same && known.relation == Assumption::Relation::kEqual;
  });
}

static Status VerifyRefine(const Graph& graph, const Refine& refine, const TensorType& x) {
  for (size_t d = 0; d < refine.shape.size(); ++d) {
    const Dim &from = x.shape[d], &to = refine.shape[d];
    if (from != to && !IsAssumed(graph, from, to))
      return Error{"refine: " + Print(from) + " and " + Print(to) + " are not assumed to be equal"};
  }
  return kSuccess;
}

// Sizes that are assumed to broadcast with each other, the smaller by Dim's order first.
using Pairs = std::set<std::pair<Dim, Dim>>;

static std::pair<Dim, Dim> PairOf(const Dim& a, const Dim& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

static Pairs BroadcastingPairs(const Graph& graph) {
  Pairs pairs;
  for (const Assumption& known : graph.assumptions) {
    if (known.relation == Assumption::Relation::kBroadcasts)
      pairs.insert(PairOf(known.left, known.right));
  }
  return pairs;
}

// Whether the part is one of those that a size has been broadcast from, or that what it is assumed
// to be was.
static bool IsPart(const Graph& graph, const Dim& part, const Dim& of) {
  auto is_in = [&](const Dim& size) {
    std::vector<Dim> parts = BroadcastParts(size);
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  return is_in(of) || std::any_of(graph.assumptions.begin(), graph.assumptions.end(),
                                  [&](const Assumption& known) {
                                    return known.relation == Assumption::Relation::kEqual &&
                                           known.right == of && is_in(known.left);
                                  });
}

// Whether `from` is `to` or 1 in every run: all that `from` is made of has been broadcast into
// `to`, or `to` is never 1 and decides.
static bool Broadcasts(const Graph& graph, const Pairs& pairs, const Dim& from, const Dim& to) {
  if (from == to || from.Is(1)) return true;
  for (const Dim& part : BroadcastParts(from)) {
    for (const Dim& other : BroadcastParts(to)) {
      if (part != other && !pairs.count(PairOf(part, other))) return false;
    }
    if (MayBeOne(to) && !IsPart(graph, part, to)) return false;
  }
  return true;
}

// A size that is not known becomes another one only where it was assumed to broadcast.
static Status VerifyExpand(const Graph& graph, const Pairs& pairs, const Expand& expand,
                           const TensorType& x) {
  size_t added = expand.shape.size() - x.shape.size();
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const Dim &from = x.shape[d], &to = expand.shape[added + d];
    if (!Broadcasts(graph, pairs, from, to))
      return Error{"expand: " + Print(from) + " is not assumed to broadcast to " + Print(to)};
  }
  return kSuccess;
}

// Elements of less than a byte are those of constants, and are cast.
static Status VerifyPacked(const Graph& graph, const Node& node, const Types& operands) {
  bool packed = std::any_of(operands.begin(), operands.end(),
                            [](const TensorType& type) { return IsPacked(type.dtype); });
  if (packed && !std::holds_alternative<Cast>(node.op))
    return Error{std::string(Name(node.op)) +
                 " of elements of less than a byte, which are cast only"};
  for (ValueId result : node.results) {
    const TensorType& type = graph.values[result].type;
    if (IsPacked(type.dtype) && !std::holds_alternative<Constant>(node.op))
      return Error{"is " + Print(type) + ", as only constants are"};
  }
  return kSuccess;
}

Status Verify(const Graph& graph) {
  const Pairs pairs = BroadcastingPairs(graph);
  std::vector<bool> defined(static_cast<size_t>(graph.values.size()));
  std::set<std::string> names;
  auto define = [&](ValueId id) {
    defined[static_cast<size_t>(id.index)] = true;
    return names.insert(graph.values[id].name).second;
  };

  for (const Port& port : graph.inputs) {
    const std::string& name = graph.values[port.value].name;
    if (!define(port.value)) return Error{"two values are named %" + name};
    if (HasNegativeSize(graph.values[port.value].type.shape))
      return Error{"a size of %" + name + " is negative"};
    if (IsPacked(graph.values[port.value].type.dtype))
      return Error{"%" + name + " has elements of less than a byte, as only constants have"};
  }
  for (const Node& node : graph.nodes) {
    if (node.results.empty()) return Error{std::string(Name(node.op)) + " has no result"};
    Location here{0, 0, graph.values[node.results[0]].name};
    Types operands;
    for (ValueId operand : node.operands) {
      if (!defined[static_cast<size_t>(operand.index)]) {
        return Error{"uses %" + graph.values[operand].name + " before it is defined", here};
      }
      operands.push_back(graph.values[operand].type);
    }
    for (const Graph& body : node.bodies) {
      if (auto status = Verify(body); !status) return status;
    }
    if (auto status = VerifyPacked(graph, node, operands); !status)
      return Error{status.error().message, here};
    auto types = InferTypes(node.op, operands, node.bodies);
    if (!types) return Error{types.error().message, here};
    Status status = kSuccess;
    if (auto* refine = std::get_if<Refine>(&node.op))
      status = VerifyRefine(graph, *refine, operands[0]);
    if (auto* expand = std::get_if<Expand>(&node.op))
      status = VerifyExpand(graph, pairs, *expand, operands[0]);
    if (!status) return Error{status.error().message, here};
    if (types.value().size() != node.results.size()) {
      return Error{
          std::string(Name(node.op)) + " has " + std::to_string(types.value().size()) + " results",
          here};
    }
    for (size_t i = 0; i < node.results.size(); ++i) {
      const Value& result = graph.values[node.results[i]];
      if (result.type != types.value()[i]) {
        return Error{"has type " + Print(result.type) + ", but " + std::string(Name(node.op)) +
                         " gives " + Print(types.value()[i]),
                     here};
      }
      if (!define(node.results[i])) return Error{"two values are named %" + result.name, here};
    }
  }
  for (const Port& port : graph.outputs) {
    if (!defined[static_cast<size_t>(port.value.index)]) {
      return Error{"returns %" + graph.values[port.value].name + ", which is not defined"};
    }
  }
  return kSuccess;
}

}  // namespace webnnc::graph
