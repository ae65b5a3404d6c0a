#include "graph/evaluate.h"

#include <algorithm>

#include "graph/lower.h"
#include "graph/ops/regions.h"
#include "loop/interpret_dims.h"
#include "loop/passes/replace_symbols.h"
#include "loop/run_stages.h"
#include "loop/verify.h"

namespace webnnc::graph {

Result<SymbolValues> BindSymbols(const Graph& graph, const Types& inputs) {
  CHECK(inputs.size() == graph.inputs.size());
  SymbolValues symbols;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i].value];
    Error misfit{"input \"" + graph.inputs[i].name + "\" is " + Print(inputs[i]) +
                 ", but the model takes " + Print(value.type)};
    if (inputs[i].dtype != value.type.dtype || inputs[i].rank() != value.type.rank()) return misfit;
    for (size_t d = 0; d < inputs[i].shape.size(); ++d) {
      const Dim& size = value.type.shape[d];
      // Inputs' sizes are integers or single symbols; anything else is checked below.
      if (auto symbol = SymbolOf(size)) symbols.emplace(*symbol, inputs[i].shape[d].value());
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i].value];
    if (Substitute(value.type.shape, symbols) != inputs[i].shape) {
      return Error{"input \"" + graph.inputs[i].name + "\" is " + Print(inputs[i]) +
                   ", but the model takes " + Print(value.type)};
    }
  }
  return symbols;
}

namespace {

// Runs an operation's kernel, whose first buffers are the operands, each once.
Result<std::vector<Tensor>> Run(loop::Kernel kernel, const std::vector<const Tensor*>& operands,
                                const SymbolValues& symbols) {
  TRY(loop::VerifyPlain(kernel));
  std::map<std::string, Dim> sizes;
  for (const auto& [symbol, value] : symbols) sizes.emplace(symbol, value);
  loop::ReplaceSymbols(kernel, sizes);
  std::vector<std::span<const uint8_t>> bytes;
  for (const Tensor* operand : operands) bytes.push_back(operand->data.bytes());
  TRY_ASSIGN(auto computed, loop::RunStages(kernel, bytes));
  std::vector<Tensor> results;
  for (const loop::Buffer& buffer : kernel.buffers) {
    if (buffer.space != loop::Space::kOut) continue;
    results.push_back({buffer.type, TensorData::Own(std::move(computed[results.size()]))});
  }
  return results;
}

}  // namespace

std::optional<std::vector<Tensor>> Evaluate(const Op& op, const std::vector<Tensor>& operands,
                                            EvaluationBudget& budget) {
  if (auto* constant = std::get_if<Constant>(&op)) return std::vector{constant->value};
  Types types;
  std::vector<std::span<const uint8_t>> bytes;
  for (const Tensor& operand : operands) {
    types.push_back(operand.type);
    bytes.push_back(operand.data.bytes());
  }
  loop::Kernel kernel = LowerOp(op, types);
  loop::StagesCost cost = loop::CostOfStages(kernel);
  if (cost.steps > budget.steps || cost.bytes > budget.bytes) return std::nullopt;
  budget.steps -= cost.steps;
  budget.bytes -= cost.bytes;
  auto computed = loop::RunStages(kernel, bytes);
  // A kernel that reaches outside its buffers is a bug of the operation's definition.
  CHECK(computed);
  auto result_types = InferTypes(op, types);
  CHECK(result_types);
  std::vector<Tensor> results;
  for (size_t i = 0; i < computed.value().size(); ++i)
    results.push_back({result_types.value()[i], TensorData::Own(std::move(computed.value()[i]))});
  return results;
}

namespace {

int64_t Element(const Tensor& tensor, int64_t i) {
  return Convert(tensor.data.At(tensor.type.dtype, i), DType::kI64).integer;
}

// Runs graphs and the bodies in them; symbols are variables of them all.
class Evaluator {
 public:
  Evaluator(SymbolValues symbols, const Watch& watch)
      : symbols_(std::move(symbols)), watch_(watch) {}

  Result<std::vector<Tensor>> Run(const Graph& graph, const std::vector<Tensor>& inputs,
                                  const std::function<void()>& each = {}) {
    // What an iteration before this one defined is not known yet.
    std::set<std::string> own;
    CollectDefined(graph, own);
    for (const std::string& symbol : own) symbols_.erase(symbol);
    std::vector<const Assumption*> assumed;
    for (const Assumption& assumption : graph.assumptions) assumed.push_back(&assumption);
    TRY(Check(assumed));
    std::vector<Tensor> values(static_cast<size_t>(graph.values.size()));
    auto at = [&](ValueId id) -> Tensor& { return values[static_cast<size_t>(id.index)]; };
    auto set = [&](ValueId id, Tensor value) {
      if (watch_.value) watch_.value(graph, id, value);
      at(id) = std::move(value);
    };
    for (size_t i = 0; i < inputs.size(); ++i) set(graph.inputs[i].value, inputs[i]);
    const std::vector<std::vector<ValueId>> ended = LastUses(graph);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& node = graph.nodes[n];
      std::vector<const Tensor*> operands;
      for (ValueId operand : node.operands) operands.push_back(&at(operand));
      auto results = RunNode(graph, node, operands);
      if (!results) {
        if (!results.error().where.node.empty()) return results.error();
        return Error{results.error().message, {0, 0, graph.values[node.results[0]].name}};
      }
      for (size_t i = 0; i < node.results.size(); ++i)
        set(node.results[i], std::move(results.value()[i]));
      if (std::holds_alternative<Define>(node.op) || !node.bodies.empty()) TRY(Check(assumed));
      for (ValueId value : ended[n]) at(value) = {};
      if (each) each();
    }
    std::vector<Tensor> outputs;
    for (const Port& port : graph.outputs) outputs.push_back(at(port.value));
    return outputs;
  }

 private:
  using Operands = std::vector<const Tensor*>;

  // The values that each node is the last to need.
  static std::vector<std::vector<ValueId>> LastUses(const Graph& graph) {
    std::set<ValueId> needed;
    for (const Port& port : graph.outputs) needed.insert(port.value);
    std::vector<std::vector<ValueId>> ended(graph.nodes.size());
    for (size_t n = graph.nodes.size(); n-- > 0;) {
      for (ValueId operand : graph.nodes[n].operands) {
        if (needed.insert(operand).second) ended[n].push_back(operand);
      }
    }
    return ended;
  }

  // Those of whose sizes all are known by now, each once.
  Status Check(std::vector<const Assumption*>& assumed) const {
    auto is_open = [&](const Assumption& assumption) {
      std::set<std::string> mentioned;
      assumption.left.CollectSymbols(mentioned);
      assumption.right.CollectSymbols(mentioned);
      return std::any_of(mentioned.begin(), mentioned.end(),
                         [&](const std::string& name) { return !symbols_.count(name); });
    };
    std::vector<const Assumption*> left;
    for (const Assumption* assumption : assumed) {
      if (is_open(*assumption)) {
        left.push_back(assumption);
      } else if (!Holds(*assumption, symbols_)) {
        return Error{"for these inputs " + Print(*assumption) + " does not hold"};
      }
    }
    assumed = std::move(left);
    return kSuccess;
  }

  Result<std::vector<Tensor>> RunNode(const Graph& graph, const Node& node,
                                      const Operands& operands) {
    if (auto* constant = std::get_if<Constant>(&node.op)) return std::vector{constant->value};
    if (auto* define = std::get_if<Define>(&node.op)) return RunDefine(*define, *operands[0]);
    if (std::holds_alternative<If>(node.op)) return RunIf(graph, node, operands);
    if (std::holds_alternative<Loop>(node.op)) return RunLoop(graph, node, operands);
    for (ValueId result : node.results) {
      for (const Dim& size : graph.values[result].type.shape) {
        int64_t value = size.Evaluate(symbols_);
        if (value < 0)
          return Error{"for these inputs " + Print(size) + " is a size of " +
                       std::to_string(value)};
      }
    }
    Operands once;
    for (size_t i = 0; i < operands.size(); ++i) {
      auto first = std::find(node.operands.begin(), node.operands.end(), node.operands[i]);
      if (first - node.operands.begin() == static_cast<ptrdiff_t>(i)) once.push_back(operands[i]);
    }
    return graph::Run(LowerNode(graph, node), once, symbols_);
  }

  Result<std::vector<Tensor>> RunDefine(const Define& define, const Tensor& x) {
    for (size_t i = 0; i < define.symbols.size(); ++i) {
      int64_t value = Element(x, static_cast<int64_t>(i));
      if (value < 0 || value > INT32_MAX)
        return Error{"the size " + define.symbols[i] + " is " + std::to_string(value)};
      symbols_[define.symbols[i]] = value;
    }
    return std::vector{x};
  }

  // All at once: a new value does not change another.
  void Assign(const std::map<std::string, Dim>& sizes) {
    SymbolValues values;
    for (const auto& [symbol, size] : sizes) values[symbol] = size.Evaluate(symbols_);
    for (const auto& [symbol, value] : values) symbols_[symbol] = value;
  }

  Result<std::vector<Tensor>> RunIf(const Graph& graph, const Node& node,
                                    const Operands& operands) {
    size_t taken = Element(*operands[0], 0) != 0 ? 0 : 1;
    std::vector<Tensor> inputs;
    for (size_t i = 1; i < operands.size(); ++i) inputs.push_back(*operands[i]);
    TRY_ASSIGN(auto results, Run(node.bodies[taken], inputs));
    Assign(SizesAtEnd(graph, node, taken));
    return results;
  }

  Result<std::vector<Tensor>> RunLoop(const Graph& graph, const Node& node,
                                      const Operands& operands) {
    const Loop& loop = std::get<Loop>(node.op);
    const Graph& body = node.bodies[0];
    const size_t first = loop.first_carried(), carried = static_cast<size_t>(loop.carried);
    const int64_t trips = loop.trips ? Element(*operands[0], 0) : INT64_MAX;
    bool goes_on = !loop.condition || Element(*operands[first - 1], 0) != 0;
    std::vector<Tensor> values, captures;
    for (size_t i = 0; i < operands.size() - first; ++i)
      (i < carried ? values : captures).push_back(*operands[first + i]);
    std::vector<std::vector<uint8_t>> stacked(node.results.size() - carried);
    Assign(SizesAtStart(graph, node));
    int64_t iteration = 0;
    for (; iteration < trips && goes_on; ++iteration) {
      std::vector<Tensor> inputs{ScalarTensor(Scalar::Integer(DType::kI64, iteration))};
      inputs.insert(inputs.end(), values.begin(), values.end());
      inputs.insert(inputs.end(), captures.begin(), captures.end());
      TRY_ASSIGN(auto outputs, Run(body, inputs));
      Assign(SizesAtEnd(graph, node, 0));
      auto output = outputs.begin();
      if (loop.condition) goes_on = Element(*output++, 0) != 0;
      for (Tensor& value : values) value = std::move(*output++);
      for (std::vector<uint8_t>& all : stacked) {
        auto bytes = (output++)->data.bytes();
        all.insert(all.end(), bytes.begin(), bytes.end());
      }
    }
    if (auto symbol = SymbolOf(loop.count)) {
      bool is_own = std::count(loop.symbols.begin(), loop.symbols.end(), *symbol) > 0;
      if (is_own) symbols_[*symbol] = iteration;
    }
    for (size_t i = 0; i < stacked.size(); ++i) {
      TensorType type = graph.values[node.results[carried + i]].type;
      type.shape = Substitute(type.shape, symbols_);
      values.push_back({std::move(type), TensorData::Own(std::move(stacked[i]))});
    }
    return values;
  }

  SymbolValues symbols_;
  const Watch& watch_;
};

}  // namespace

Result<std::vector<Tensor>> Evaluate(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const Watch& watch) {
  Types types;
  for (const Tensor& input : inputs) types.push_back(input.type);
  TRY_ASSIGN(auto symbols, BindSymbols(graph, types));
  return Evaluator(std::move(symbols), watch).Run(graph, inputs, watch.node);
}

std::optional<SizeElements> EvaluateSizes(const Op& op, const Types& operands,
                                          const std::vector<std::optional<SizeElements>>& known,
                                          const std::set<Dim>& sizes) {
  std::vector<std::optional<PartialElements>> partial;
  for (const std::optional<SizeElements>& elements : known)
    partial.push_back(elements ? std::optional(PartialElements(elements->begin(), elements->end()))
                               : std::nullopt);
  auto found = EvaluateElements(op, operands, partial, sizes);
  if (!found) return std::nullopt;
  SizeElements elements;
  for (const std::optional<Dim>& element : *found) {
    if (!element) return std::nullopt;
    elements.push_back(*element);
  }
  return elements;
}

std::optional<PartialElements> EvaluateElements(
    const Op& op, const Types& operands, const std::vector<std::optional<PartialElements>>& known,
    const std::set<Dim>& sizes) {
  // Sizes say their elements themselves.
  if (auto* sizes = std::get_if<Sizes>(&op))
    return PartialElements(sizes->values.begin(), sizes->values.end());
  auto types = InferTypes(op, operands);
  if (!types || types.value().size() != 1) return std::nullopt;
  const TensorType& result = types.value()[0];
  constexpr int64_t kMostElements = 64;
  bool small = IsStatic(result.shape) && ElementCount(result.shape).value() <= kMostElements;
  if (!small) return std::nullopt;
  loop::Kernel kernel = LowerOp(op, operands);
  std::vector<loop::DimElements> memory(static_cast<size_t>(kernel.buffers.size()));
  for (size_t i = 0; i < operands.size(); ++i) {
    if (known[i]) memory[i] = *known[i];
  }
  if (!loop::InterpretDims(kernel, memory, sizes)) return std::nullopt;
  return memory[operands.size()];
}

}  // namespace webnnc::graph
