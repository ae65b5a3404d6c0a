// The graph IR says what to compute: a list of operations on immutable tensors, in SSA form.
//
// Invariants, checked by Verify (verify.h):
//   - nodes are in topological order: an operand is an input or an earlier result;
//   - every value has the type its operation infers;
//   - what `refine` takes for equal is assumed to be;
//   - names are unique. They are for people: no pass may decide anything by a name.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "graph/ops.h"
#include "tensor/assumption.h"
#include "tensor/type.h"

namespace webnnc::graph {

using ValueId = Id<struct ValueTag>;

struct Graph;

struct Value {
  std::string name;
  TensorType type;
};

struct Node {
  Op op;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  // The nodes of the ONNX model that this came from, for errors and the report.
  std::vector<std::string> origins = {};
  // Of If and Loop. A body reads nothing from around it: what it needs are operands of the node.
  std::vector<Graph> bodies;

  ValueId result() const {
    CHECK(results.size() == 1);
    return results[0];
  }
};

// What a caller of the model calls an input or output. Names are the model's own.
struct Port {
  std::string name;
  ValueId value;
  // An output that callers do not see: what it tells is checked after a run (check_indices.h).
  bool hidden = false;
};

// An input or output that is a list of tensors for callers. The port of its name has the elements
// of all tensors behind each other, NAME + kListShapes their shapes, i64[count, columns] with -1
// behind those of fewer dimensions, and of an optional sequence NAME + kListThere, a bool, says
// whether it is there. An optional tensor is a list of one or none.
struct ListPort {
  enum class Kind : uint8_t { kSequence, kOptional, kOptionalSequence };
  Kind kind = Kind::kSequence;
  DType dtype = DType::kF32;
  // Of the tensors, if they have one rank: a size that is no symbol of the graph's other inputs may
  // be another one in each.
  std::optional<Shape> shape = {};
};
inline constexpr std::string_view kListShapes = ":shapes", kListThere = ":there";

struct Graph {
  std::string name;
  IdVector<ValueTag, Value> values;
  std::vector<Port> inputs;
  std::vector<Node> nodes;
  std::vector<Port> outputs;
  // What sizes must be in a run. `refine` relies on these.
  std::vector<Assumption> assumptions = {};
  // Of a whole model: inputs and outputs that are lists, by name.
  std::map<std::string, ListPort> lists = {};
};

// Calls `visit` on the graph and on all bodies in it, the innermost first.
template <typename G, typename Visit>
void ForEachGraph(G& graph, const Visit& visit) {
  for (auto& node : graph.nodes) {
    for (auto& body : node.bodies) ForEachGraph(body, visit);
  }
  visit(graph);
}

// "conv"; of an elementwise operation its function: "exp", "add".
std::string_view Name(const Op& op);

// The types that `op` gives for operands of these types, or why it cannot take them.
Result<Types> InferTypes(const Op& op, const Types& operands);
// The same of one that has bodies.
Result<Types> InferTypes(const Op& op, const Types& operands, const std::vector<Graph>& bodies);

// Which sizes of operands of these types must be equal for `op`.
std::vector<EqualSizes> EqualSizesOf(const Op& op, const Types& operands);

// Why no value may have this type: more than 64 dimensions, a size that an index of 32 bits cannot
// count, or more bytes than anyone means.
Status CheckType(const TensorType& type);

// Appends nodes to a graph, with types inferred and names made unique.
class Builder {
 public:
  explicit Builder(Graph& graph);

  // A new value, no node. Inputs are made this way.
  ValueId AddValue(const std::string& name, TensorType type);
  // The operands must fit: they are the compiler's own. Results are named after `name`.
  ValueId Add(Op op, std::vector<ValueId> operands, const std::string& name);
  ValueId AddConstant(Tensor value, const std::string& name);
  ValueId AddScalar(DType dtype, double value);
  // The same, for operands that may not fit.
  Result<ValueId> TryAdd(Op op, std::vector<ValueId> operands, const std::string& name);
  // An operation of several results, in its order.
  Result<std::vector<ValueId>> TryAddAll(Op op, std::vector<ValueId> operands,
                                         const std::string& name, std::vector<Graph> bodies = {});

  const TensorType& type(ValueId id) const { return graph_.values[id].type; }
  // What nodes added from now on come from.
  void SetOrigins(std::vector<std::string> origins) { origins_ = std::move(origins); }

 private:
  std::string Unique(const std::string& name);

  Graph& graph_;
  std::map<std::string, int> taken_;
  std::vector<std::string> origins_;
};

// Rewrites a graph node by node: takes the nodes out and puts back what the pass wants.
//
//   Rewriter rewrite(graph);
//   for (Node& node : rewrite.nodes()) {
//     if (...) rewrite.Replace(node, rewrite.build.Add(...)); else rewrite.Keep(std::move(node));
//   }
//
// When it goes out of scope, uses of replaced values follow and dead nodes are dropped.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph);
  Rewriter(const Rewriter&) = delete;
  ~Rewriter();

  // The old nodes, in order. A node's operands are current when the loop reaches it.
  class Nodes {
   public:
    class Iterator {
     public:
      Iterator(Rewriter* rewriter, size_t at) : rewriter_(rewriter), at_(at) {}
      Node& operator*() const { return rewriter_->Visit(at_); }
      void operator++() { ++at_; }
      bool operator!=(const Iterator& other) const { return at_ != other.at_; }

     private:
      Rewriter* rewriter_;
      size_t at_;
    };
    explicit Nodes(Rewriter* rewriter) : rewriter_(rewriter) {}
    Iterator begin() const { return {rewriter_, 0}; }
    Iterator end() const { return {rewriter_, rewriter_->old_.size()}; }

   private:
    Rewriter* rewriter_;
  };
  Nodes nodes() { return Nodes(this); }

  void Keep(Node node) { graph_.nodes.push_back(std::move(node)); }
  // Drops `node`; its only result is now `by`.
  void Replace(const Node& node, ValueId by);
  void Replace(ValueId from, ValueId by);
  ValueId Current(ValueId id) const;

 private:
  Node& Visit(size_t at);

  Graph& graph_;
  std::vector<Node> old_;
  std::map<ValueId, ValueId> replaced_;

 public:
  Builder build;
};

// ---- Looking around ---------------------------------------------------------------------------

// For each value the node that defines it, or null; and the nodes that use it, in order, once for
// each use. Valid until nodes are added or removed.
struct Links {
  explicit Links(const Graph& graph);
  const Node* DefinitionOf(ValueId id) const { return definition[static_cast<size_t>(id.index)]; }
  const std::vector<const Node*>& UsersOf(ValueId id) const {
    return users[static_cast<size_t>(id.index)];
  }
  bool IsOutput(ValueId id) const { return is_output[static_cast<size_t>(id.index)]; }
  // The operation that defines `id`, if it is a T.
  template <typename T>
  const T* As(ValueId id) const {
    const Node* node = DefinitionOf(id);
    return node ? std::get_if<T>(&node->op) : nullptr;
  }

  std::vector<const Node*> definition;
  std::vector<std::vector<const Node*>> users;
  std::vector<bool> is_output;
};

// Makes every use of `from` a use of `to`, outputs included.
void ReplaceUses(Graph& graph, ValueId from, ValueId to);

// The symbols that a node's attributes and the types of its results mention, and those of all in
// its bodies.
void CollectSymbols(const Graph& graph, const Node& node, std::set<std::string>& into);

// Drops the nodes whose results nobody uses, and of those that define symbols whose symbols nobody
// mentions.
void RemoveDeadNodes(Graph& graph);

}  // namespace webnnc::graph
