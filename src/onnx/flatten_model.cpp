#include "onnx/flatten_model.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "onnx/function_defaults.pb.h"

namespace webnnc::onnx {

std::string FlatNode::Title() const {
  if (!node().name().empty()) return node().name();
  for (const std::string& output : node().output()) {
    if (!output.empty()) return output;
  }
  return node().op_type();
}

namespace {

// Calls `visit` on each graph among the node's attributes.
template <typename Visit>
void ForEachBody(const pb::NodeProto& node, const Visit& visit) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) visit(attribute.g());
    for (const auto& graph : attribute.graphs()) visit(graph);
  }
}

// Adds what the body reads and does not define. Names in it may be those of values around it.
void CollectFreeNames(const pb::GraphProto& body, std::set<std::string>& names) {
  std::set<std::string> defined{""}, used;
  for (const auto& input : body.input()) defined.insert(input.name());
  for (const auto& tensor : body.initializer()) defined.insert(tensor.name());
  for (const auto& tensor : body.sparse_initializer()) defined.insert(tensor.values().name());
  for (const auto& output : body.output()) used.insert(output.name());
  for (const auto& node : body.node()) {
    defined.insert(node.output().begin(), node.output().end());
    used.insert(node.input().begin(), node.input().end());
    ForEachBody(node, [&](const pb::GraphProto& inner) { CollectFreeNames(inner, used); });
  }
  std::set_difference(used.begin(), used.end(), defined.begin(), defined.end(),
                      std::inserter(names, names.end()));
}

}  // namespace

std::set<std::string> FlatNode::NamesFromAround() const {
  std::set<std::string> names;
  ForEachBody(node(), [&](const pb::GraphProto& body) { CollectFreeNames(body, names); });
  return names;
}

namespace {

std::string Domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

using OpsetsPointer = std::shared_ptr<const Opsets>;

template <typename Proto>
OpsetsPointer OpsetsOf(const Proto& proto) {
  Opsets opsets;
  for (const auto& import : proto.opset_import())
    opsets[Domain(import.domain())] = import.version();
  return std::make_shared<const Opsets>(std::move(opsets));
}

class Inliner {
 public:
  explicit Inliner(const pb::ModelProto& model) {
    for (const auto& function : model.functions()) {
      functions_[{Domain(function.domain()), function.name()}] = &function;
    }
  }

  Result<std::vector<FlatNode>> Run(const pb::GraphProto& graph, const OpsetsPointer& opsets) {
    if (graph.node_size() > kMostNodes) return TooMany("nodes");
    for (const auto& node : graph.node()) {
      // The model outlives the nodes, so there is nothing to keep alive.
      TRY(Visit(std::shared_ptr<const pb::NodeProto>(std::shared_ptr<void>(), &node), opsets, 0));
    }
    return std::move(nodes_);
  }

 private:
  // What a model may become. Functions that call each other twice would double it at each level,
  // also where nothing is left of their bodies, so calls count as well as nodes, and so do bytes:
  // each call has a copy of what its function's nodes hold.
  static constexpr int kDeepest = 64;
  static constexpr int kMostNodes = 40000, kMostCalls = kMostNodes;
  static constexpr size_t kMostCopiedBytes = size_t{1} << 30;

  static Error TooMany(const std::string& what) {
    return Error{"the model has more than 40,000 " + what};
  }

  Status Add(FlatNode node) {
    if (nodes_.size() == kMostNodes) return TooMany("nodes");
    nodes_.push_back(std::move(node));
    return kSuccess;
  }

  Status Visit(const std::shared_ptr<const pb::NodeProto>& node, const OpsetsPointer& opsets,
               int depth) {
    auto function = functions_.find({Domain(node->domain()), node->op_type()});
    if (function == functions_.end()) {
      auto opset = opsets->find(Domain(node->domain()));
      return Add({node, opset == opsets->end() ? 0 : opset->second, opsets});
    }
    if (depth == kDeepest) {
      return Error{"function " + node->op_type() + " calls itself"};
    }
    auto status = Inline(*node, *function->second, depth);
    // The outermost call is the one that is in the model.
    if (!status && depth == 0) {
      FlatNode call{node, 0, opsets};
      return Error{status.error().message, {0, 0, call.Title()}, status.error().notes};
    }
    return status;
  }

  Status Inline(const pb::NodeProto& call, const pb::FunctionProto& function, int depth) {
    if (++calls_ > kMostCalls) return TooMany("calls of functions");
    std::map<std::string, std::string> names{{"", ""}};
    for (int i = 0; i < function.input_size(); ++i) {
      names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    }
    for (int i = 0; i < function.output_size(); ++i) {
      bool used = i < call.output_size() && !call.output(i).empty();
      // An output that is also an input of the function would need a copy.
      if (names.count(function.output(i)) && used) {
        auto copy = std::make_shared<pb::NodeProto>();
        copy->set_op_type("Identity");
        *copy->add_input() = names[function.output(i)];
        *copy->add_output() = call.output(i);
        TRY(Add({copy, 13, nullptr}));
      } else if (used) {
        names[function.output(i)] = call.output(i);
      }
    }
    std::string title = call.name().empty() ? call.op_type() : call.name();
    std::string prefix = title + "/" + std::to_string(calls_ - 1) + "/";
    auto rename = [&](std::string* name) {
      auto [found, is_new] = names.emplace(*name, prefix + *name);
      *name = found->second;
    };
    OpsetsPointer opsets = OpsetsOf(function);
    pb::NodeProto arguments = WithDefaults(call, function);
    for (const pb::NodeProto& inner : function.node()) {
      auto node = std::make_shared<pb::NodeProto>(inner);
      node->set_name(prefix + (inner.name().empty() ? inner.op_type() : inner.name()));
      Adapt(arguments, rename, node.get());
      copied_bytes_ += node->ByteSizeLong();
      if (copied_bytes_ > kMostCopiedBytes)
        return Error{"its functions' nodes take more than 1 GiB, attributes included"};
      TRY(Visit(node, opsets, depth + 1));
    }
    return kSuccess;
  }

  // The call's attributes, and the function's defaults of those it leaves out.
  pb::NodeProto WithDefaults(const pb::NodeProto& call, const pb::FunctionProto& function) {
    pb::NodeProto all;
    *all.mutable_attribute() = call.attribute();
    for (const auto& attribute : DefaultsOf(function).attribute_proto()) {
      bool given = std::any_of(call.attribute().begin(), call.attribute().end(),
                               [&](const auto& other) { return other.name() == attribute.name(); });
      if (!given) *all.add_attribute() = attribute;
    }
    return all;
  }

  const FunctionDefaults& DefaultsOf(const pb::FunctionProto& function) {
    auto [found, is_new] = defaults_.try_emplace(&function);
    // What is not a default is skipped.
    bool parsed =
        !is_new || found->second.ParsePartialFromString(function.SerializePartialAsString());
    if (!parsed) found->second.Clear();
    return found->second;
  }

  // A function's node where it is called: with the names and attributes of the call, also in graphs
  // among its attributes.
  using Rename = std::function<void(std::string*)>;
  static void Adapt(const pb::NodeProto& call, const Rename& rename, pb::NodeProto* node) {
    for (auto& input : *node->mutable_input()) rename(&input);
    for (auto& output : *node->mutable_output()) rename(&output);
    BindAttributes(call, node);
    for (auto& attribute : *node->mutable_attribute()) {
      if (attribute.has_g()) AdaptBody(call, rename, attribute.mutable_g());
      for (auto& graph : *attribute.mutable_graphs()) AdaptBody(call, rename, &graph);
    }
  }

  static void AdaptBody(const pb::NodeProto& call, const Rename& rename, pb::GraphProto* body) {
    for (auto& input : *body->mutable_input()) rename(input.mutable_name());
    for (auto& output : *body->mutable_output()) rename(output.mutable_name());
    for (auto& tensor : *body->mutable_initializer()) rename(tensor.mutable_name());
    for (auto& tensor : *body->mutable_sparse_initializer())
      rename(tensor.mutable_values()->mutable_name());
    for (auto& node : *body->mutable_node()) Adapt(call, rename, &node);
  }

  // Replaces attributes that refer to the function's by the call's; those the call leaves out go.
  static void BindAttributes(const pb::NodeProto& call, pb::NodeProto* node) {
    pb::NodeProto bound;
    for (const auto& attribute : node->attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *bound.add_attribute() = attribute;
        continue;
      }
      for (const auto& given : call.attribute()) {
        if (given.name() != attribute.ref_attr_name()) continue;
        auto* copy = bound.add_attribute();
        *copy = given;
        copy->set_name(attribute.name());
      }
    }
    *node->mutable_attribute() = bound.attribute();
  }

  std::map<std::pair<std::string, std::string>, const pb::FunctionProto*> functions_;
  std::vector<FlatNode> nodes_;
  std::map<const pb::FunctionProto*, FunctionDefaults> defaults_;
  int calls_ = 0;
  size_t copied_bytes_ = 0;
};

// Puts each node behind those it depends on, otherwise in the model's order.
class Sorter {
 public:
  using IsDefined = std::function<bool(const std::string& name)>;
  Sorter(const pb::GraphProto& graph, std::vector<FlatNode> nodes, IsDefined is_defined_around)
      : graph_(graph),
        nodes_(std::move(nodes)),
        is_defined_around_(std::move(is_defined_around)),
        state_(nodes_.size()) {}

  Result<std::vector<FlatNode>> Run() {
    for (const auto& input : graph_.input()) given_.insert(input.name());
    for (const auto& tensor : graph_.initializer()) given_.insert(tensor.name());
    for (const auto& tensor : graph_.sparse_initializer()) given_.insert(tensor.values().name());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      for (const std::string& output : nodes_[i].node().output()) {
        if (output.empty()) continue;
        if (given_.count(output) || !definition_.emplace(output, i).second) {
          return Error{Quote(output) + " is defined twice", {0, 0, nodes_[i].Title()}};
        }
      }
    }
    for (const FlatNode& node : nodes_) {
      const auto& inputs = node.node().input();
      uses_.emplace_back(inputs.begin(), inputs.end());
      for (const std::string& name : node.NamesFromAround()) uses_.back().push_back(name);
    }
    for (size_t i = 0; i < nodes_.size(); ++i) TRY(Visit(i));
    std::vector<FlatNode> sorted;
    for (size_t i : order_) sorted.push_back(std::move(nodes_[i]));
    return sorted;
  }

 private:
  enum class State : uint8_t { kNew, kOpen, kDone };

  // Depth first, with a stack of our own: chains of nodes are longer than the machine's stack.
  Status Visit(size_t start) {
    if (state_[start] == State::kDone) return kSuccess;
    std::vector<std::pair<size_t, size_t>> stack{{start, 0}};
    state_[start] = State::kOpen;
    while (!stack.empty()) {
      auto& [i, next] = stack.back();
      if (next == uses_[i].size()) {
        state_[i] = State::kDone;
        order_.push_back(i);
        stack.pop_back();
        continue;
      }
      const std::string& input = uses_[i][next++];
      if (input.empty() || given_.count(input)) continue;
      auto definition = definition_.find(input);
      if (definition == definition_.end()) {
        if (is_defined_around_(input)) continue;
        return Error{"uses " + Quote(input) + ", which nothing defines", {0, 0, nodes_[i].Title()}};
      }
      size_t d = definition->second;
      if (state_[d] == State::kOpen) {
        return Error{"the model has a cycle: it depends on itself through " + Quote(input),
                     {0, 0, nodes_[i].Title()}};
      }
      if (state_[d] == State::kNew) {
        state_[d] = State::kOpen;
        stack.push_back({d, 0});
      }
    }
    return kSuccess;
  }

  const pb::GraphProto& graph_;
  std::vector<FlatNode> nodes_;
  IsDefined is_defined_around_;
  std::vector<std::vector<std::string>> uses_;  // a node's
  std::vector<State> state_;
  std::vector<size_t> order_;
  std::set<std::string> given_;
  std::map<std::string, size_t> definition_;
};

}  // namespace

Result<std::vector<FlatNode>> FlattenModel(const Model& model) {
  return FlattenBody(model, model.proto().graph(), OpsetsOf(model.proto()),
                     [](const std::string&) { return false; });
}

Result<std::vector<FlatNode>> FlattenBody(
    const Model& model, const pb::GraphProto& body, const OpsetsPointer& opsets,
    const std::function<bool(const std::string& name)>& is_defined_around) {
  TRY_ASSIGN(auto nodes, Inliner(model.proto()).Run(body, opsets));
  return Sorter(body, std::move(nodes), is_defined_around).Run();
}

}  // namespace webnnc::onnx
