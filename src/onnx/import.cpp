#include "onnx/import.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "onnx/advice.h"
#include "onnx/assume.h"
#include "onnx/flatten_model.h"
#include "onnx/narrow.h"
#include "onnx/node_context.h"
#include "onnx/operators.h"
#include "onnx/ops/lists.h"

namespace webnnc::onnx {

namespace {

class Importer {
 public:
  // `known` is what an import before this one has assumed.
  // `takes_ones` as in ImportState.
  Importer(const Model& model, const ImportOptions& options, std::vector<Assumption> known,
           bool takes_ones)
      : model_(model),
        proto_(model.proto().graph()),
        options_(options),
        main_(model, state_, nullptr),
        frame_(&main_) {
    main_.graph.assumptions = std::move(known);
    state_.takes_ones = takes_ones;
    state_.is_state = options.is_state;
  }

  // Whether it had to decide which one of two sizes a model is for.
  bool asked_for_one() const { return state_.asked_for_one; }

  Result<graph::Graph> Run() {
    TRY_ASSIGN(auto nodes, FlattenModel(model_));
    TRY(CheckOperators(nodes));
    TRY(ListWeights(proto_));
    frame_->graph.name = proto_.name().empty() ? "main" : proto_.name();
    TRY(AddInputs());
    for (const FlatNode& node : nodes) ImportNode(node);
    AddOutputs();
    if (!problems_.empty()) return Summary("cannot be compiled");
    graph::RemoveDeadNodes(frame_->graph);
    return std::move(frame_->graph);
  }

 private:
  Error Summary(const std::string& what) { return Summary(what, problems_.size()); }
  Error Summary(const std::string& what, size_t count) {
    Error error{std::to_string(count) + (count == 1 ? " node " : " nodes ") + what};
    error.causes = std::move(problems_);
    return error;
  }

  static std::string TitleOf(const FlatNode& node) {
    std::string domain = node.node().domain().empty() ? "" : node.node().domain() + ".";
    return "node " + Quote(node.Title()) + " (" + domain + node.node().op_type() + ", opset " +
           std::to_string(node.opset) + ")";
  }

  void Note(const FlatNode& node, Error error) {
    error.where.node = TitleOf(node);
    problems_.push_back(std::move(error));
  }

  Status ListWeights(const pb::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) {
      if (!frame_->names.weights.emplace(tensor.name(), &tensor).second)
        return Error{"two weights are named " + Quote(tensor.name())};
    }
    for (const auto& tensor : graph.sparse_initializer()) {
      const std::string& name = tensor.values().name();
      if (frame_->names.weights.count(name) ||
          !frame_->names.sparse_weights.emplace(name, &tensor).second)
        return Error{"two weights are named " + Quote(name)};
    }
    return kSuccess;
  }

  // First of all, and for all nodes: operators that are not there.
  Status CheckOperators(const std::vector<FlatNode>& nodes) {
    // By operator, in the order of their first nodes.
    std::vector<std::vector<const FlatNode*>> unknown;
    for (const FlatNode& node : nodes) {
      bool standard = node.node().domain().empty() || node.node().domain() == "ai.onnx";
      const Operator* op = FindOperator(node.node().domain(), node.node().op_type());
      if (!op) {
        auto same = std::find_if(unknown.begin(), unknown.end(), [&](const auto& group) {
          return group[0]->node().op_type() == node.node().op_type() &&
                 group[0]->node().domain() == node.node().domain();
        });
        if (same == unknown.end()) same = unknown.emplace(unknown.end());
        same->push_back(&node);
      } else if (standard && node.opset == 0) {
        Note(node, Error{"the model does not say which opset it uses"});
      } else if (standard && node.opset < op->oldest) {
        Note(node, Error{"the opset is older than " + std::to_string(kOldestOpset),
                         {},
                         {"export the model again, or convert it with ONNX's version converter"}});
      }
    }
    size_t others = problems_.size();
    for (const auto& group : unknown) problems_.push_back(NotSupported(group));
    if (problems_.empty()) return kSuccess;
    size_t count = others;
    for (const auto& group : unknown) count += group.size();
    return Summary("cannot be compiled", count);
  }

  // What is said of nodes with one operator that is not there: all in one, and what to do.
  static Error NotSupported(const std::vector<const FlatNode*>& nodes) {
    constexpr size_t kMostNamed = 3;
    const pb::NodeProto& first = nodes[0]->node();
    Error error{"the operator is not supported"};
    error.where.node = TitleOf(*nodes[0]);
    if (nodes.size() > 1) {
      std::string domain = first.domain().empty() ? "" : first.domain() + ".";
      error.where.node =
          std::to_string(nodes.size()) + " nodes of " + domain + first.op_type() + " (";
      for (size_t i = 0; i < std::min(kMostNamed, nodes.size()); ++i)
        error.where.node += (i ? ", " : "") + Quote(nodes[i]->Title());
      error.where.node += nodes.size() > kMostNamed ? ", ...)" : ")";
    }
    std::string advice = AdviceFor(first.domain(), first.op_type());
    if (!advice.empty()) error.notes.push_back(advice);
    return error;
  }

  // ---- Inputs and outputs

  Result<Dim> DimOf(const pb::TensorShapeProto::Dimension& dimension, const std::string& input,
                    int position) {
    if (dimension.has_dim_value()) {
      if (dimension.dim_value() >= 0) return Dim(dimension.dim_value());
      return SymbolDim(input + "." + std::to_string(position));
    }
    std::string name = dimension.dim_param();
    // A size without a name gets one that says where it is.
    bool nameless = name.empty() || name == "?" || name == "None";
    return SymbolDim(nameless ? input + "." + std::to_string(position) : name);
  }

  Result<Dim> SymbolDim(const std::string& name) {
    TRY(CheckName("a size", name));
    symbols_.insert(name);
    state_.symbols.insert(name);
    auto fixed = options_.dims.find(name);
    return fixed == options_.dims.end() ? Dim::Symbol(name) : Dim(fixed->second);
  }

  static graph::ListPort::Kind KindOf(const pb::TypeProto& type) {
    using Kind = graph::ListPort::Kind;
    if (!type.has_optional_type()) return Kind::kSequence;
    return type.optional_type().elem_type().has_sequence_type() ? Kind::kOptionalSequence
                                                                : Kind::kOptional;
  }

  Result<TensorType> InputType(const pb::ValueInfoProto& input, const pb::TypeProto& of) {
    const auto& tensor = of.tensor_type();
    TensorType type;
    auto dtype = ElementType(tensor.elem_type());
    if (!dtype) return Error{"input " + Quote(input.name()) + ": " + dtype.error().message};
    type.dtype = dtype.value();
    auto given = options_.input_shapes.find(input.name());
    if (given != options_.input_shapes.end()) {
      if (tensor.has_shape() &&
          tensor.shape().dim_size() != static_cast<int>(given->second.size())) {
        return Error{"--input " + input.name() + " gives " + std::to_string(given->second.size()) +
                     " dimensions, the model has " + std::to_string(tensor.shape().dim_size())};
      }
      type.shape = given->second;
      for (Dim& size : type.shape) {
        size.CollectSymbols(symbols_);
        size.CollectSymbols(state_.symbols);
        size = size.Substitute(options_.dims);
      }
      return type;
    }
    if (!tensor.has_shape()) {
      return Error{"input " + Quote(input.name()) + " has no shape",
                   {},
                   {"give one with --input " + input.name() + ":SHAPE"}};
    }
    for (int d = 0; d < tensor.shape().dim_size(); ++d) {
      TRY_ASSIGN(auto size, DimOf(tensor.shape().dim(d), input.name(), d));
      type.shape.push_back(size);
    }
    return type;
  }

  // The names of sizes of tensors: in lists these are the same.
  void ListInputSymbols() {
    for (const auto& input : proto_.input()) {
      if (!input.type().has_tensor_type()) continue;
      for (const auto& size : input.type().tensor_type().shape().dim())
        state_.input_symbols.insert(size.dim_param());
      auto given = options_.input_shapes.find(input.name());
      if (given == options_.input_shapes.end()) continue;
      for (const Dim& size : given->second) size.CollectSymbols(state_.input_symbols);
    }
  }

  Status AddInput(const std::string& name, const TensorType& type) {
    if (auto status = graph::CheckType(type); !status)
      return Error{"input " + Quote(name) + " " + status.error().message};
    ValueId id = frame_->scope.build.AddValue(name, type);
    frame_->names.values[name] = id;
    frame_->graph.inputs.push_back({name, id});
    return kSuccess;
  }

  // A list is given packed: a port is one of its parts.
  Status AddListInput(const pb::ValueInfoProto& input, const pb::TypeProto& of) {
    const std::string& name = input.name();
    bool has_shape = of.tensor_type().has_shape() || options_.input_shapes.count(name);
    auto dtype = ElementType(of.tensor_type().elem_type());
    if (!dtype) return Error{"input " + Quote(name) + ": " + dtype.error().message};
    graph::ListPort port{KindOf(input.type()), dtype.value()};
    ListForm form;
    form.is_sequence = port.kind != graph::ListPort::Kind::kOptional;
    form.may_be_none = port.kind != graph::ListPort::Kind::kSequence;
    form.dtype = dtype.value();
    form.has_shape = true;
    form.columns = kMostListRank;
    if (has_shape) {
      TRY_ASSIGN(auto type, InputType(input, of));
      if (auto status = graph::CheckType(type); !status)
        return Error{"input " + Quote(name) + " " + status.error().message};
      port.shape = type.shape;
      form.columns = std::max<int64_t>(type.rank(), 1);
      form.sizes.emplace();
      for (const Dim& size : type.shape) form.sizes->push_back(Lasting(frame_->scope, size));
    }
    auto symbol = [&](const char* what) {
      return Dim::Symbol(frame_->scope.UniqueSymbol(name + what));
    };
    PackedList packed{form, {}, {}, {}};
    const std::string shapes = name + std::string(graph::kListShapes);
    const std::string there = name + std::string(graph::kListThere);
    TRY(AddInput(name, {port.dtype, {symbol(".elements")}}));
    TRY(AddInput(shapes, {DType::kI64, {symbol(".count"), form.columns}}));
    packed.data = frame_->names.values[name];
    packed.shapes = frame_->names.values[shapes];
    if (PartCount(form) == 3) {
      TRY(AddInput(there, {DType::kBool, {}}));
      packed.there = frame_->names.values[there];
    }
    frame_->names.values[name] = frame_->scope.AddList({{}, false, {}, packed}, name);
    frame_->names.values.erase(shapes);
    frame_->names.values.erase(there);
    frame_->graph.lists[name] = port;
    return kSuccess;
  }

  Status AddInputs() {
    ListInputSymbols();
    std::set<std::string> names;
    for (const auto& input : proto_.input()) {
      // Old models list their weights as inputs with a default.
      if (frame_->names.weights.count(input.name()) ||
          frame_->names.sparse_weights.count(input.name()))
        continue;
      const pb::TypeProto* of = TensorTypeIn(input.type());
      if (!of)
        return Error{"input " + Quote(input.name()) +
                     " is not a tensor, nor a sequence of tensors or an optional one"};
      if (!names.insert(input.name()).second)
        return Error{"two inputs are named " + Quote(input.name())};
      TRY(CheckName("an input", input.name()));
      if (of != &input.type()) {
        TRY(AddListInput(input, *of));
        continue;
      }
      TRY_ASSIGN(auto type, InputType(input, *of));
      TRY(AddInput(input.name(), type));
      frame_->scope.SetNarrow(frame_->names.values[input.name()],
                              NarrowType(of->tensor_type().elem_type()));
    }
    for (const auto& [name, shape] : options_.input_shapes) {
      if (!names.count(name)) {
        return Error{"--input names " + Quote(name) + ", which is not an input",
                     {},
                     {Listing("inputs", names)}};
      }
    }
    for (const auto& [name, value] : options_.dims) {
      if (!symbols_.count(name) && !IsSizeOfOutput(name)) {
        return Error{"--dim names " + Quote(name) + ", which is not a size of an input",
                     {},
                     {Listing("symbolic sizes", symbols_)}};
      }
    }
    return kSuccess;
  }

  // It may be the size that a state has room for (SetCapacities).
  bool IsSizeOfOutput(const std::string& name) const {
    for (const auto& output : proto_.output()) {
      for (const auto& size : output.type().tensor_type().shape().dim()) {
        if (size.dim_param() == name) return true;
      }
    }
    return false;
  }

  static std::string Listing(const std::string& what, const std::set<std::string>& names) {
    std::string text = "the model's " + what + " are";
    for (const std::string& name : names) text += " " + name;
    return names.empty() ? "the model has no " + what : text;
  }

  void AddOutputs() {
    std::set<std::string> names;
    if (proto_.output().empty()) problems_.push_back(Error{"the model has no outputs"});
    for (const auto& output : proto_.output()) {
      if (frame_->names.poisoned.count(output.name())) continue;
      if (!names.insert(output.name()).second) {
        problems_.push_back(Error{"two outputs are named " + Quote(output.name())});
      } else if (Status added = AddOutput(output); !added) {
        problems_.push_back(added.error());
      }
    }
    CheckPortNames();
  }

  Status AddOutput(const pb::ValueInfoProto& output) {
    TRY(CheckName("an output", output.name()));
    TRY_ASSIGN(auto id, Lookup(output.name()));
    if (frame_->scope.FindList(id)) return AddListOutput(output, id);
    TRY_ASSIGN(id, AsDeclared(output, id));
    frame_->graph.outputs.push_back({output.name(), id});
    CompareDeclared(output, id);
    return kSuccess;
  }

  // Of a narrow float an output has numbers that the type has, though wider ones were computed
  // with.
  Result<ValueId> AsDeclared(const pb::ValueInfoProto& output, ValueId id) {
    const Narrow* narrow = NarrowType(output.type().tensor_type().elem_type());
    bool rounds = narrow && narrow->IsFloat() && frame_->scope.NarrowOf(id) != narrow &&
                  frame_->graph.values[id].type.dtype == narrow->carried;
    if (!rounds) return id;
    static const pb::NodeProto kNone;
    NodeContext c(*frame_, kNone, 0, {}, "", output.name(), {});
    frame_->scope.SetNode("");
    Formula f(c);
    return f.Result(Rounded(f(id), *narrow, {}));
  }

  // Its parts are outputs. Where nothing was ever in it, the model says of what type that would be.
  Status AddListOutput(const pb::ValueInfoProto& output, ValueId id) {
    const std::string& name = output.name();
    static const pb::NodeProto kNone;
    NodeContext c(*frame_, kNone, 0, {}, "", name, {});
    frame_->scope.SetNode("");
    TRY_ASSIGN(auto form, FormOf(c, id));
    const pb::TypeProto* of = TensorTypeIn(output.type());
    auto declared = ElementType(of ? of->tensor_type().elem_type() : 0);
    if (!form.dtype && !declared)
      return Error{"output " + Quote(name) + ": " + declared.error().message};
    if (!form.dtype) form.dtype = declared.value();
    bool is_optional = output.type().has_optional_type();
    if (!form.is_sequence)
      form.is_sequence = !is_optional || KindOf(output.type()) != graph::ListPort::Kind::kOptional;
    // What a model calls a sequence is one, though it may have come from an optional.
    if (*form.is_sequence && output.type().has_sequence_type()) form.may_be_none = false;
    TRY_ASSIGN(auto packed, Pack(c, id, form));
    using Kind = graph::ListPort::Kind;
    graph::ListPort port{!*form.is_sequence ? Kind::kOptional
                         : form.may_be_none ? Kind::kOptionalSequence
                                            : Kind::kSequence,
                         *form.dtype};
    if (form.sizes) {
      port.shape.emplace();
      for (const std::optional<Dim>& size : *form.sizes) {
        const std::string open = name + "." + std::to_string(port.shape->size());
        port.shape->push_back(size ? *size : Dim::Symbol(open));
      }
    }
    auto& outputs = frame_->graph.outputs;
    outputs.push_back({name, packed.data});
    outputs.push_back({name + std::string(graph::kListShapes), packed.shapes});
    if (packed.there.valid())
      outputs.push_back({name + std::string(graph::kListThere), packed.there});
    frame_->graph.lists[name] = port;
    return kSuccess;
  }

  // What a list is made of has names that nothing else may have.
  void CheckPortNames() {
    for (auto* ports : {&frame_->graph.inputs, &frame_->graph.outputs}) {
      std::set<std::string> names;
      for (const graph::Port& port : *ports) {
        if (!names.insert(port.name).second)
          problems_.push_back(Error{Quote(port.name) + " names a part of a list, and a tensor"});
      }
    }
  }

  // The type that a model declares for an output is often left as it was before the model was
  // changed. What is computed counts, and a difference is told.
  void CompareDeclared(const pb::ValueInfoProto& output, ValueId id) const {
    const auto& declared = output.type().tensor_type();
    const TensorType& type = frame_->graph.values[id].type;
    bool says_type =
        output.type().has_tensor_type() && declared.elem_type() != pb::TensorProto::UNDEFINED;
    if (!says_type || !options_.warn) return;
    auto dtype = ElementType(declared.elem_type());
    bool differs = !dtype || dtype.value() != type.dtype;
    bool overridden = !options_.dims.empty() || !options_.input_shapes.empty();
    if (declared.has_shape() && !overridden) differs |= !FitsShape(declared.shape(), type.shape);
    if (!differs) return;
    options_.warn("output " + Quote(output.name()) + " is " + Print(type) +
                  ", not what the model declares it to be");
  }

  static bool FitsShape(const pb::TensorShapeProto& declared, const Shape& shape) {
    if (declared.dim_size() != static_cast<int>(shape.size())) return false;
    for (int d = 0; d < declared.dim_size(); ++d) {
      const Dim& size = shape[static_cast<size_t>(d)];
      int64_t said = declared.dim(d).dim_value();
      if (said > 0 && size.IsConstant() && !size.Is(said)) return false;
    }
    return true;
  }

  // Names that a page uses are C strings in the compiled model.
  static Status CheckName(const std::string& what, const std::string& name) {
    if (name.find('\0') == std::string::npos) return kSuccess;
    return Error{what + " has a name that holds NUL: " + Quote(name)};
  }

  // ---- Nodes

  // The value of this name; a weight's constant is made when it is first used, and what is around a
  // body becomes one of its inputs.
  Result<ValueId> Lookup(const std::string& name) { return Lookup(*frame_, name); }

  Result<ValueId> Lookup(Frame& frame, const std::string& name) {
    auto found = frame.names.values.find(name);
    if (found != frame.names.values.end()) return found->second;
    if (frame.names.weights.count(name) || frame.names.sparse_weights.count(name))
      return AddWeight(frame, name);
    if (!frame.around) return Error{Quote(name) + " is not defined"};
    TRY_ASSIGN(auto outside, Lookup(*frame.around, name));
    return frame.names.values[name] = frame.scope.Capture(outside);
  }

  Result<ValueId> AddWeight(Frame& frame, const std::string& name) {
    auto dense = frame.names.weights.find(name);
    bool is_dense = dense != frame.names.weights.end();
    auto tensor = is_dense ? model_.ReadStored(*dense->second)
                           : model_.ReadTensor(*frame.names.sparse_weights.at(name));
    if (!tensor)
      return Error{
          "weight " + Quote(name) + ": " + tensor.error().message, {}, tensor.error().notes};
    if (frame.bodies_open > 0 || frame.around) tensor = Owned(tensor.value());
    frame.scope.SetNode("");
    const Narrow* narrow = is_dense ? NarrowType(dense->second->data_type()) : nullptr;
    if (narrow) {
      TRY_ASSIGN(auto id, AddNarrow(frame, name, tensor.value(), *narrow));
      return frame.names.values[name] = id;
    }
    TRY_ASSIGN(auto id,
               frame.scope.Add(graph::Constant{std::move(tensor.value()), name}, {}, name));
    return frame.names.values[name] = id;
  }

  // The numbers of a narrow type that are stored as `tensor` has them. Of large weights these bytes
  // stay, and are decoded where they are read.
  Result<ValueId> AddNarrow(Frame& frame, const std::string& name, const Tensor& tensor,
                            const Narrow& type) {
    constexpr int64_t kAlwaysSmall = 4096;
    bool stays = ByteSize(tensor.type).value() > kAlwaysSmall;
    const Tensor& kept = stays ? tensor : Decoded(tensor, type);
    TRY_ASSIGN(auto id, frame.scope.Add(graph::Constant{kept, name}, {}, name));
    if (stays) {
      static const pb::NodeProto kNone;
      NodeContext c(frame, kNone, 0, {}, "", name, {});
      TRY_ASSIGN(id, Decoded(c, id, type));
    }
    frame.scope.SetNarrow(id, &type);
    return id;
  }

  bool IsPoisoned(const std::string& name) const {
    for (const Frame* frame = frame_; frame; frame = frame->around) {
      if (frame->names.poisoned.count(name)) return true;
      if (frame->names.values.count(name)) return false;
    }
    return false;
  }

  void ImportNode(const FlatNode& node) {
    bool poisoned = false;
    std::vector<ValueId> operands;
    std::optional<Error> problem;
    for (const std::string& input : node.node().input()) {
      poisoned |= IsPoisoned(input);
      operands.push_back(ValueId());
      if (input.empty() || poisoned) continue;
      auto id = Lookup(input);
      if (!id) {
        problem = id.error();
      } else {
        operands.back() = id.value();
      }
    }
    for (const std::string& name : node.NamesFromAround()) poisoned |= IsPoisoned(name);
    // What depends on a node with a problem cannot be judged.
    if (!poisoned && !problem) problem = RunImport(node, operands);
    if (poisoned || problem) {
      for (const std::string& output : node.node().output()) frame_->names.poisoned.insert(output);
    }
    if (problem) Note(node, std::move(*problem));
  }

  std::optional<Error> RunImport(const FlatNode& node, std::vector<ValueId> operands) {
    const Operator& op = *FindOperator(node.node().domain(), node.node().op_type());
    for (size_t i = 0; i < op.operands; ++i) {
      if (i >= operands.size() || !operands[i].valid()) {
        return Error{"operand " + std::to_string(i) + " is missing"};
      }
    }
    for (size_t i = 0; i < operands.size() && !op.takes_lists; ++i) {
      if (operands[i].valid() && frame_->scope.FindList(operands[i]))
        return Error{"operand " + std::to_string(i) + " is a sequence or an optional"};
    }
    while (!operands.empty() && !operands.back().valid()) operands.pop_back();
    std::string name = node.node().output_size() ? node.node().output(0) : node.Title();
    int32_t first = frame_->graph.values.size();
    frame_->scope.SetNode(node.Title());
    auto import_body = [&](Frame& frame, const pb::GraphProto& body, const Values& inputs) {
      return RunBody(frame, node, body, inputs);
    };
    NodeContext context(*frame_, node.node(), node.opset, std::move(operands), node.Title(), name,
                        import_body);
    auto results = op.import(context);
    if (context.attribute_problem()) return context.attribute_problem();
    if (!results) return results.error();
    for (size_t i = 0; i < results.value().size(); ++i) {
      ValueId id = results.value()[i];
      if (!id.valid() || static_cast<int>(i) >= node.node().output_size()) continue;
      const std::string& output = node.node().output(static_cast<int>(i));
      if (output.empty()) continue;
      frame_->names.values[output] = id;
      if (id.index >= first) TakeName(id, output, first);
    }
    for (const std::string& output : node.node().output()) {
      if (!output.empty() && !frame_->names.values.count(output)) {
        return Error{"output " + Quote(output) + " is not supported"};
      }
    }
    return std::nullopt;
  }

  // Imports a graph among a node's attributes into a frame: that in which the node stands, or one
  // of a body of its own. Its names are its own, and it reads those around it.
  Result<Values> RunBody(Frame& frame, const FlatNode& owner, const pb::GraphProto& body,
                         const Values& inputs) {
    constexpr int kDeepest = 64;
    constexpr size_t kMostNodes = 40000;
    if (body.input_size() != static_cast<int>(inputs.size()))
      return Error{"its graph " + Quote(body.name()) + " takes " +
                   std::to_string(body.input_size()) + " inputs, not " +
                   std::to_string(inputs.size())};
    if (depth_ == kDeepest) return Error{"graphs among attributes are nested too deep"};
    auto is_known = [&](const std::string& name) {
      for (const Frame* at = &frame; at; at = at->around) {
        if (at->names.values.count(name) || at->names.weights.count(name) ||
            at->names.sparse_weights.count(name))
          return true;
      }
      return false;
    };
    TRY_ASSIGN(auto nodes, FlattenBody(model_, body, owner.opsets, is_known));
    body_nodes_ += nodes.size() + 1;
    if (body_nodes_ > kMostNodes)
      return Error{"graphs among attributes have more than 40,000 nodes in all"};
    Names around = frame.names;
    std::vector<Error> problems = std::move(problems_);
    problems_.clear();
    Frame* before = std::exchange(frame_, &frame);
    ++frame.bodies_open;
    ++depth_;
    auto results = ImportBodyNodes(nodes, body, inputs);
    --depth_;
    --frame.bodies_open;
    frame_ = before;
    if (results && !problems_.empty()) results = problems_[0];
    problems_ = std::move(problems);
    // Weights that were first used in there stay.
    for (const auto& [name, id] : frame.names.values) {
      if (around.weights.count(name) || around.sparse_weights.count(name))
        around.values.emplace(name, id);
    }
    frame.names = std::move(around);
    for (Frame* at = &frame; at; at = at->around) at->scope.SetNode(owner.Title());
    if (results) return results;
    return InBody(body, std::move(results.error()));
  }

  Result<Values> ImportBodyNodes(const std::vector<FlatNode>& nodes, const pb::GraphProto& body,
                                 const Values& inputs) {
    TRY(CheckOperators(nodes));
    TRY(ListWeights(body));
    for (size_t i = 0; i < inputs.size(); ++i)
      frame_->names.values[body.input(static_cast<int>(i)).name()] = inputs[i];
    for (const FlatNode& node : nodes) ImportNode(node);
    if (!problems_.empty()) return Values();
    Values outputs;
    for (const auto& output : body.output()) {
      TRY_ASSIGN(auto id, Lookup(output.name()));
      outputs.push_back(id);
    }
    return outputs;
  }

  // What is wrong inside of a node's graph, told of the node: the first problem.
  static Error InBody(const pb::GraphProto& body, Error error) {
    while (!error.causes.empty()) error = Error(error.causes[0]);
    std::string where = error.where.node.empty() ? "" : error.where.node + ": ";
    return Error{
        "in its graph " + Quote(body.name()) + ": " + where + error.message, {}, error.notes};
  }

  // The node's result is called what the model calls it; a value made on the way swaps names.
  void TakeName(ValueId id, const std::string& name, int32_t first) {
    for (int32_t i = first; i < frame_->graph.values.size(); ++i) {
      graph::Value& value = frame_->graph.values[ValueId{i}];
      if (value.name == name) std::swap(value.name, frame_->graph.values[id].name);
    }
  }

  const Model& model_;
  const pb::GraphProto& proto_;
  const ImportOptions& options_;
  ImportState state_;
  Frame main_;
  // Where nodes are imported.
  Frame* frame_;
  int depth_ = 0;
  size_t body_nodes_ = 0;
  std::set<std::string> symbols_;
  std::vector<Error> problems_;
};

}  // namespace

Result<graph::Graph> Import(const Model& model, const ImportOptions& options) {
  // A transformer adds a mask of m to scores of n, and later multiplies the sum by values of n: so
  // it is broadcast(m,n), and then it must be n. An import that knows that from the start does not
  // expand the scores. Each import has fewer sizes than the one before; that most need one alone.
  constexpr int kMostImports = 4;
  std::vector<Assumption> known;
  bool takes_ones = false;
  for (int imports = 1;; ++imports) {
    Importer importer(model, options, known, takes_ones);
    auto graph = importer.Run();
    if (!graph && importer.asked_for_one() && !takes_ones) {
      takes_ones = true;
      known.clear();
      Importer other(model, options, known, takes_ones);
      auto again = other.Run();
      // What is wrong is told of the first attempt.
      if (again) graph = std::move(again);
    }
    if (!graph) return graph;
    std::vector<Assumption> found = EqualBroadcasts(graph.value());
    if (found.size() == known.size() || imports == kMostImports) return graph;
    known = std::move(found);
  }
}

Result<graph::Graph> Import(const std::string& path, const ImportOptions& options) {
  TRY_ASSIGN(auto model, Model::Load(path));
  return Import(model, options);
}

}  // namespace webnnc::onnx
