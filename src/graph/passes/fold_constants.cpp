#include "graph/passes/fold_constants.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/lower.h"
#include "loop/stage.h"

namespace webnnc::graph {

// Sizes, also where a slice begins, that a run decides.
static bool MentionsSymbols(const Graph& graph, const Node& node) {
  std::set<std::string> symbols;
  CollectSymbols(graph, node, symbols);
  return !symbols.empty();
}

// Weights that are stored in few bits stay so: kernels widen them where they are read.
static bool WidensIntegers(const Graph& graph, const Node& node) {
  auto* cast = std::get_if<Cast>(&node.op);
  if (!cast) return false;
  DType from = graph.values[node.operands[0]].type.dtype;
  return IsInteger(from) && BitSize(from) < 32 && BitSize(cast->to) > BitSize(from);
}

namespace {

class Folder {
 public:
  Folder(Graph& graph, EvaluationBudget& budget) : graph_(graph), budget_(budget) {}

  void Run() {
    Rewriter rewrite(graph_);
    for (Node& node : rewrite.nodes()) {
      if (auto* constant = std::get_if<Constant>(&node.op)) {
        known_[node.result()] = constant->value;
        rewrite.Keep(std::move(node));
        continue;
      }
      if (!FollowsFromConstants(node)) {
        rewrite.Keep(std::move(node));
        continue;
      }
      auto results = IsWorthIt(node) ? Results(node) : std::nullopt;
      if (!results) {
        for (ValueId result : node.results) made_.emplace(result, node);
        rewrite.Keep(std::move(node));
        continue;
      }
      // Weights keep the name of the weight they were made from: that is what people look for.
      for (size_t i = 0; i < node.results.size(); ++i) {
        std::string name = graph_.values[node.results[i]].name;
        ValueId folded = rewrite.build.AddConstant((*results)[i], name);
        known_[folded] = (*results)[i];
        rewrite.Replace(node.results[i], folded);
      }
    }
  }

 private:
  const TensorType& TypeOf(ValueId value) const { return graph_.values[value].type; }

  bool FollowsFromConstants(const Node& node) const {
    const bool decides = !node.bodies.empty() || std::holds_alternative<Define>(node.op);
    const bool has_source = !node.operands.empty() || std::holds_alternative<Sizes>(node.op) ||
                            std::holds_alternative<Iota>(node.op);
    return has_source && !decides && !MentionsSymbols(graph_, node) &&
           std::all_of(node.operands.begin(), node.operands.end(), [&](ValueId operand) {
             return known_.count(operand) > 0 || made_.count(operand) > 0;
           });
  }

  // Whether a kernel would do more than to put what it stores together from constants in the file.
  bool IsWorthIt(const Node& node) const {
    constexpr int64_t kAlwaysSmall = 4096, kSmallest = 64;
    int64_t operand_bytes = 0;
    for (ValueId operand : node.operands) operand_bytes += ByteSize(TypeOf(operand)).value();
    const int64_t most = WidensIntegers(graph_, node) ? std::max(kSmallest, operand_bytes)
                                                      : std::max(kAlwaysSmall, 2 * operand_bytes);
    for (ValueId result : node.results) {
      const TensorType& type = TypeOf(result);
      if (!IsStatic(type.shape) || ByteSize(type).value() > most) return false;
    }
    const bool is_made = std::holds_alternative<Iota>(node.op) ||
                         std::any_of(node.operands.begin(), node.operands.end(),
                                     [&](ValueId operand) { return made_.count(operand) > 0; });
    return !is_made || !IsMap(node);
  }

  // Whether each element is computed by itself. Then kernels compute it where they need it.
  bool IsMap(const Node& node) const {
    Types types;
    for (ValueId operand : node.operands) types.push_back(TypeOf(operand));
    const std::vector<loop::Stage> stages = loop::StagesOf(LowerOp(node.op, types));
    return std::all_of(stages.begin(), stages.end(), [](const loop::Stage& stage) {
      return stage.kind == loop::StageKind::kMap && !stage.ordered;
    });
  }

  std::optional<std::vector<Tensor>> Results(const Node& node) {
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) {
      std::optional<Tensor> value = ValueOf(operand);
      if (!value) return std::nullopt;
      operands.push_back(std::move(*value));
    }
    return Evaluate(node.op, operands, budget_);
  }

  // Computed when something first needs it.
  std::optional<Tensor> ValueOf(ValueId value) {
    if (auto found = known_.find(value); found != known_.end()) return found->second;
    if (auto found = computed_.find(value); found != computed_.end()) return found->second;
    const Node& node = made_.at(value);
    auto results = Results(node);
    if (!results) return std::nullopt;
    for (size_t i = 0; i < results->size(); ++i)
      computed_.emplace(node.results[i], std::move((*results)[i]));
    return computed_.at(value);
  }

  Graph& graph_;
  EvaluationBudget& budget_;
  std::map<ValueId, Tensor> known_;
  // What kernels make out of constants, and its values as far as something needed them.
  std::map<ValueId, Node> made_;
  std::map<ValueId, Tensor> computed_;
};

}  // namespace

void FoldConstants(Graph& graph, EvaluationBudget& budget) { Folder(graph, budget).Run(); }

}  // namespace webnnc::graph
