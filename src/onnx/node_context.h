// What an operator's import function is given: its node's operands and attributes, and a builder
// for what it becomes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/evaluate.h"
#include "graph/graph.h"
#include "onnx/model.h"

namespace webnnc::onnx {

using graph::ValueId;
struct Narrow;

// What a model's graph and the bodies in it have in common while they are imported.
struct ImportState {
  graph::EvaluationBudget budget;
  // The names of all sizes that are open, and the most that those which data defines may be, where
  // that is a number.
  std::set<std::string> symbols;
  std::map<std::string, int64_t> most;
  // Those of the model's inputs: they are the same all through a run.
  std::set<std::string> input_symbols;
  // Whether a size that a model asks to be 1 is taken to be; and whether any was asked for.
  bool takes_ones = false, asked_for_one = false;
  // As in ImportOptions.
  std::function<bool(const std::string& input, const std::string& output)> is_state = {};
};

// What is known of a list's tensors when the model is compiled.
struct ListForm {
  // Whether it is a sequence, not an optional tensor; nothing of an optional of either kind that
  // has no element.
  std::optional<bool> is_sequence;
  bool may_be_none = false;
  // Of its tensors. Of those of an empty list the type is not known, and not the shape.
  std::optional<DType> dtype = {};
  bool has_shape = false;
  // Of their shapes as they are packed: at least the largest rank, and 1.
  int64_t columns = 1;
  // If all have one rank: the sizes, where they are the same in all.
  std::optional<std::vector<std::optional<Dim>>> sizes = {};
};

// A list of which nobody knows before a run how many tensors it has, as tensors that have all of
// them (ops/lists.h).
struct PackedList {
  ListForm form;
  // [elements]: those of all tensors, behind each other.
  ValueId data;
  // i64[count, columns]: the tensors' shapes, with -1 behind those of fewer dimensions.
  ValueId shapes;
  // bool[]: of a sequence that may be none, whether it is there. Invalid for others.
  ValueId there;
};

// A sequence of values, or an optional that has none; or one that is packed.
struct List {
  std::vector<ValueId> elements;
  bool is_none = false;
  // Of what has no elements, if the model says it.
  std::optional<DType> dtype = {};
  std::optional<PackedList> packed = {};
};

// What is known of a graph's values while a model is imported.
class Scope {
 public:
  // Of a body, `around` is the scope of the graph that it is in.
  Scope(const Model& model, graph::Graph& graph, ImportState& state, Scope* around = nullptr)
      : model(model), graph(graph), build(graph), state_(state), around_(around) {
    if (around) tensor_sizes_ = around->tensor_sizes_;
  }

  bool IsState(const std::string& input, const std::string& output) const {
    return state_.is_state && state_.is_state(input, output);
  }
  // The value's elements as sizes, if they are known: of constants, of Shape's results and of what
  // the model computes from them.
  std::optional<graph::SizeElements> KnownSizes(ValueId id) const;
  // The same one by one; nothing at all if the value has many elements.
  std::optional<graph::PartialElements> KnownElements(ValueId id) const;
  // The value as a constant, computed if it has to be; nothing if it depends on an input. An error
  // if computing it takes more than constants may take in all.
  Result<std::optional<Tensor>> KnownConstant(ValueId id);

  // Builder::TryAdd, which also learns what is known of the result, and assumes what must be so of
  // sizes that are open (assume.h).
  Result<ValueId> Add(graph::Op op, std::vector<ValueId> operands, const std::string& name);
  // The same of an operation with several results.
  Result<std::vector<ValueId>> AddAll(graph::Op op, std::vector<ValueId> operands,
                                      const std::string& name,
                                      std::vector<graph::Graph> bodies = {});

  // The elements of a small vector, or of a scalar, as sizes. Those that are not known are so in a
  // run only, where they must not be negative: they become symbols, named after `name`. `most` are
  // upper bounds of all elements, or nothing.
  Result<graph::SizeElements> DefineSizes(ValueId vector, const std::string& name,
                                          const graph::SizeElements& most = {});
  // A name for a symbol that the model does not have yet.
  std::string UniqueSymbol(const std::string& name);

  // Of a body: the value that stands in it for one of the graph around it.
  ValueId Capture(ValueId outside);
  ImportState& state() { return state_; }
  // What it has captured: values outside, and those inside.
  const std::vector<std::pair<ValueId, ValueId>>& captures() const { return captures_; }
  // A value that stands for a list: no node may read it.
  ValueId AddList(List list, const std::string& name);
  std::optional<List> FindList(ValueId id) const;

  // The narrow type whose numbers a value has, if a model says so; null for others.
  const Narrow* NarrowOf(ValueId id) const;
  void SetNarrow(ValueId id, const Narrow* type) { narrow_[id] = type; }

  // The two sizes whose equality a condition asks for.
  std::optional<std::pair<Dim, Dim>> EqualityBehind(ValueId condition) const;

  // Says which ONNX node what is added from now on comes from; "" for none.
  void SetNode(const std::string& title);
  void Assume(Assumption assumption);
  Dim AssumeBroadcast(const Dim& a, const Dim& b);

  const Model& model;
  graph::Graph& graph;
  graph::Builder build;

 private:
  Result<ValueId> AddReconciled(graph::Op op, std::vector<ValueId> operands,
                                const std::string& name);

  // Remembers what the node that was added last defines.
  void Define(ValueId id);
  std::optional<Tensor> ConstantOfSizes(ValueId id) const;
  // The nodes that must be evaluated for `id`, in order; nothing if it depends on an input.
  Result<std::optional<std::vector<size_t>>> NodesBehind(ValueId id);
  // Whether the value is known around the body; if so, it is among the constants then.
  Result<bool> IsKnownAround(ValueId id);
  // Whether both are computed in the same way from the same values.
  bool AreSame(ValueId a, ValueId b) const;

  ImportState& state_;
  Scope* around_;
  std::string node_;
  std::map<ValueId, graph::PartialElements> elements_;
  std::map<ValueId, size_t> definition_;  // index into graph.nodes
  std::vector<std::pair<ValueId, ValueId>> captures_;
  std::map<ValueId, List> lists_;
  std::map<ValueId, const Narrow*> narrow_;
  // What has been defined as sizes.
  std::vector<std::pair<ValueId, graph::SizeElements>> defined_;
  std::set<Dim> tensor_sizes_;  // those that are open
  std::map<ValueId, Tensor> constants_;
};

// What names stand for where nodes are imported.
struct Names {
  std::map<std::string, const pb::TensorProto*> weights;
  std::map<std::string, const pb::SparseTensorProto*> sparse_weights;
  std::map<std::string, ValueId> values;
  // What depends on a node with a problem.
  std::set<std::string> poisoned;
};

// A graph that is imported: the model's, or a body of one of its nodes.
struct Frame {
  Frame(const Model& model, ImportState& state, Frame* around)
      : scope(model, graph, state, around ? &around->scope : nullptr), around(around) {}
  Frame(const Frame&) = delete;

  graph::Graph graph;
  Scope scope;
  Names names;
  // The graph that a body is in.
  Frame* around;
  // Graphs among attributes that are being imported into this one.
  int bodies_open = 0;
};

// One value a result of the node; an invalid id for one that is not wanted.
using Values = std::vector<ValueId>;

// Imports a graph among a node's attributes into a frame, given its inputs; gives its outputs.
using ImportBody =
    std::function<Result<Values>(Frame& frame, const pb::GraphProto& body, const Values& inputs)>;

class NodeContext {
 public:
  NodeContext(Frame& frame, const pb::NodeProto& node, int64_t opset, std::vector<ValueId> operands,
              std::string title, std::string name, ImportBody import_body)
      : frame_(&frame),
        node_(node),
        opset_(opset),
        operands_(std::move(operands)),
        title_(std::move(title)),
        name_(std::move(name)),
        import_body_(std::move(import_body)) {}

  // The same node with another operand, for operators that are another one of something else.
  NodeContext WithOperand(size_t i, ValueId operand) const {
    NodeContext changed = *this;
    changed.operands_.at(i) = operand;
    return changed;
  }

  // The same with these operands alone.
  NodeContext WithOperands(std::vector<ValueId> operands) const {
    NodeContext changed = *this;
    changed.operands_ = std::move(operands);
    return changed;
  }

  void SetOperand(size_t i, ValueId operand) { operands_.at(i) = operand; }

  int64_t opset() const { return opset_; }
  const std::string& op_type() const { return node_.op_type(); }
  // The narrow type of an operand's elements; null for types that graphs have.
  const Narrow* NarrowOf(size_t i) const { return scope().NarrowOf(operands_.at(i)); }
  // What the model calls its first result.
  const std::string& result_name() const { return name_; }
  const Model& model() const { return scope().model; }

  // ---- Operands. An optional operand that is left out is not there.

  size_t count() const { return operands_.size(); }
  bool Has(size_t i) const { return i < operands_.size() && operands_[i].valid(); }
  // An operand that must be there: Import has checked that.
  ValueId operator[](size_t i) const { return operands_.at(i); }
  const TensorType& Type(size_t i) const { return TypeOf(operands_.at(i)); }
  const TensorType& TypeOf(ValueId id) const { return scope().graph.values[id].type; }
  // Which of the node's results anyone could use: an unnamed one nobody can.
  bool Wants(size_t result) const;
  // Whether an operand is what the result was in the run before, by the model's names for them.
  bool IsState(size_t operand, size_t result) const {
    return Has(operand) && Wants(result) &&
           scope().IsState(node_.input(static_cast<int>(operand)),
                           node_.output(static_cast<int>(result)));
  }
  // How many results it has, those without a name included.
  size_t result_count() const { return static_cast<size_t>(node_.output_size()); }

  // The operand's elements as sizes, which are symbols where data decides. `most` bounds them all.
  Result<graph::SizeElements> Sizes(size_t i, const graph::SizeElements& most = {});
  // The operand's elements as sizes if they are known, of whatever sign.
  Result<std::optional<graph::SizeElements>> FindSizes(size_t i) const;
  Result<std::optional<std::vector<int64_t>>> FindIntegers(size_t i) const;
  // How many elements a vector or scalar has that decides how many dimensions something has.
  Result<int64_t> Length(size_t i) const;
  // The elements of a value that was computed, as sizes; of the node's name and `what` symbols are
  // named.
  Result<graph::SizeElements> DefineSizes(ValueId vector, const std::string& what,
                                          const graph::SizeElements& most = {}) {
    return scope().DefineSizes(vector, title_ + "." + what, most);
  }
  // The most that a size may be; nothing if that is not known.
  std::optional<int64_t> LargestOf(const Dim& size) const;
  // The same for axes and the like: integers.
  Result<std::vector<int64_t>> Integers(size_t i) const;
  Result<Tensor> Constant(size_t i) const;
  // The operand as a constant; nothing if it depends on an input.
  Result<std::optional<Tensor>> KnownConstant(size_t i) const {
    return scope().KnownConstant(operands_.at(i));
  }
  Result<std::vector<double>> Reals(size_t i) const;
  Result<std::optional<std::vector<double>>> FindReals(size_t i) const;
  std::optional<graph::SizeElements> KnownSizes(ValueId id) const { return scope().KnownSizes(id); }
  std::optional<graph::PartialElements> KnownElements(ValueId id) const {
    return scope().KnownElements(id);
  }

  // ---- Attributes

  bool HasAttribute(const std::string& name) const { return Find(name) != nullptr; }
  int64_t Int(const std::string& name, int64_t otherwise) const;
  double Float(const std::string& name, double otherwise) const;
  std::string String(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> Ints(const std::string& name, std::vector<int64_t> otherwise = {}) const;
  std::vector<double> Floats(const std::string& name) const;
  std::vector<std::string> Strings(const std::string& name) const;
  Result<Tensor> TensorAttribute(const std::string& name) const;
  // The narrow type of a tensor that is an attribute; null for others.
  const Narrow* NarrowAttribute(const std::string& name) const;
  std::vector<std::string> AttributeNames() const;
  // Where axes may be an attribute (older opsets) or operand `i` (newer).
  Result<std::vector<int64_t>> IntsOrOperand(const std::string& name, size_t i,
                                             std::vector<int64_t> otherwise) const;

  // The graph that is this attribute.
  Result<const pb::GraphProto*> GraphAttribute(const std::string& name) const;
  // What the graph that is this attribute makes of these inputs.
  Result<Values> Body(const std::string& name, const Values& inputs);

  // A body of this node, and what adds to it: a context without operands.
  std::unique_ptr<Frame> NewFrame() {
    return std::make_unique<Frame>(scope().model, scope().state(), frame_);
  }
  NodeContext Inside(Frame& frame) const {
    NodeContext inside = *this;
    inside.frame_ = &frame;
    inside.operands_.clear();
    frame.scope.SetNode(title_);
    return inside;
  }
  const std::string& title() const { return title_; }
  Frame& frame() { return *frame_; }
  Scope& scope() const { return frame_->scope; }

  // What is wrong with the attributes that were asked for: one has another type than was expected.
  const std::optional<Error>& attribute_problem() const { return attribute_problem_; }

  // An axis counted from the front, or an error.
  Result<int64_t> Axis(int64_t axis, int64_t rank) const;
  // Distinct axes counted from the front, in rising order.
  Result<std::vector<int64_t>> Axes(const std::vector<int64_t>& axes, int64_t rank) const;

  // That `vector` has one element for each of `size` channels or the like; `what` says which
  // vector.
  Status CheckVector(const std::string& what, ValueId vector, const Dim& size,
                     const std::string& each = "channel") const;

  // ---- Building

  Result<ValueId> Add(graph::Op op, std::vector<ValueId> operands) {
    return scope().Add(std::move(op), std::move(operands), name_);
  }
  // An operation of several results, in its order.
  Result<std::vector<ValueId>> AddAll(graph::Op op, std::vector<ValueId> operands) {
    return scope().AddAll(std::move(op), std::move(operands), name_);
  }
  Result<ValueId> Unary(graph::Function function, ValueId a) {
    return Add(graph::Unary{function}, {a});
  }
  Result<ValueId> Binary(loop::BinaryOp op, ValueId a, ValueId b) {
    return Add(graph::Binary{op}, {a, b});
  }
  // a op value, with the number as a scalar of a's type.
  Result<ValueId> Binary(loop::BinaryOp op, ValueId a, double value);
  Result<ValueId> Cast(ValueId a, DType to);
  // As an operator of the model does it: what becomes f16 is rounded (graph::Cast).
  Result<ValueId> CastExactly(ValueId a, DType to);
  // With as many elements in every run: where that cannot be told, it is assumed.
  Result<ValueId> Reshape(ValueId a, Shape shape);
  // a == b, or a <= b, in every run.
  void AssumeEqual(const Dim& a, const Dim& b) {
    scope().Assume({a, Assumption::Relation::kEqual, b});
  }
  void AssumeLessEqual(const Dim& a, const Dim& b) {
    scope().Assume({a, Assumption::Relation::kLessEqual, b});
  }
  // What the two broadcast to, which is assumed to be possible.
  Dim AssumeBroadcast(const Dim& a, const Dim& b) { return scope().AssumeBroadcast(a, b); }
  Result<ValueId> Transpose(ValueId a, std::vector<int64_t> order);
  Result<ValueId> Scalar(DType dtype, double value);
  Result<ValueId> IntegerConstant(DType dtype, const std::vector<int64_t>& values);
  Result<ValueId> AddConstant(Tensor tensor);

 private:
  const pb::AttributeProto* Find(const std::string& name) const;
  // The attribute if it has this type.
  const pb::AttributeProto* Find(const std::string& name,
                                 pb::AttributeProto::AttributeType type) const;

  Frame* frame_;
  const pb::NodeProto& node_;
  int64_t opset_;
  std::vector<ValueId> operands_;
  // What the model calls the node, and its first result.
  std::string title_, name_;
  ImportBody import_body_;
  mutable std::optional<Error> attribute_problem_;
};

}  // namespace webnnc::onnx
