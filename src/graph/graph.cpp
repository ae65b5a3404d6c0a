#include "graph/graph.h"

#include <algorithm>

#include "graph/ops/regions.h"

namespace webnnc::graph {

Op::Op(const Op&) = default;
Op::Op(Op&&) noexcept = default;
Op& Op::operator=(const Op&) = default;
Op& Op::operator=(Op&&) noexcept = default;
Op::~Op() = default;

std::string_view Name(const Op& op) {
  if (auto* unary = std::get_if<Unary>(&op)) return Name(unary->function);
  if (auto* binary = std::get_if<Binary>(&op)) return OperationName(binary->op);
  return std::visit([](const auto& op) { return op.kName; }, op);
}

Result<Types> InferTypes(const Op& op, const Types& operands) {
  return std::visit(
      [&](const auto& o) -> Result<Types> {
        if (operands.size() < o.kMinOperands || operands.size() > o.kMaxOperands) {
          return Error{std::string(Name(op)) + " does not take " + std::to_string(operands.size()) +
                       " operands"};
        }
        TRY_ASSIGN(auto types, o.Infer(operands));
        for (const TensorType& type : types) {
          if (HasNegativeSize(type.shape))
            return Error{"the result's size would be negative: " + Print(type)};
        }
        return types;
      },
      op);
}

Result<Types> InferTypes(const Op& op, const Types& operands, const std::vector<Graph>& bodies) {
  if (std::holds_alternative<If>(op)) return InferIf(std::get<If>(op), operands, bodies);
  if (std::holds_alternative<Loop>(op)) return InferLoop(std::get<Loop>(op), operands, bodies);
  if (!bodies.empty()) return Error{std::string(Name(op)) + " has no bodies"};
  return InferTypes(op, operands);
}

std::vector<EqualSizes> EqualSizesOf(const Op& op, const Types& operands) {
  return std::visit(
      [&](const auto& o) {
        if constexpr (requires { o.Equal(operands); }) return o.Equal(operands);
        return std::vector<EqualSizes>();
      },
      op);
}

Status CheckType(const TensorType& type) {
  // Operations are nests of loops, and passes walk them one inside the other.
  constexpr int64_t kMostDimensions = 64;
  if (type.rank() > kMostDimensions) {
    return Error{"has " + std::to_string(type.rank()) + " dimensions, more than the " +
                 std::to_string(kMostDimensions) + " that a tensor may have"};
  }
  for (const Dim& size : type.shape) {
    bool too_long = size.IsConstant() && size.value() > INT32_MAX;
    if (too_long || IsAbsurd(size)) return Error{"has an absurd size: " + Print(size)};
  }
  if (IsAbsurd(ByteSize(type))) return Error{"is too large: " + Print(type)};
  return kSuccess;
}

// ---- Building ---------------------------------------------------------------------------------

Builder::Builder(Graph& graph) : graph_(graph) {
  for (const Value& value : graph.values) taken_.emplace(value.name, 1);
}

std::string Builder::Unique(const std::string& name) {
  std::string candidate = name.empty() ? "v" : name;
  if (taken_.emplace(candidate, 1).second) return candidate;
  int& next = taken_[name.empty() ? "v" : name];
  do {
    candidate = (name.empty() ? "v" : name) + "." + std::to_string(++next);
  } while (!taken_.emplace(candidate, 1).second);
  return candidate;
}

ValueId Builder::AddValue(const std::string& name, TensorType type) {
  return graph_.values.Add({Unique(name), std::move(type)});
}

Result<ValueId> Builder::TryAdd(Op op, std::vector<ValueId> operands, const std::string& name) {
  TRY_ASSIGN(auto results, TryAddAll(std::move(op), std::move(operands), name));
  CHECK(results.size() == 1);
  return results[0];
}

Result<std::vector<ValueId>> Builder::TryAddAll(Op op, std::vector<ValueId> operands,
                                                const std::string& name,
                                                std::vector<Graph> bodies) {
  Types types;
  for (ValueId operand : operands) types.push_back(graph_.values[operand].type);
  TRY_ASSIGN(auto inferred, InferTypes(op, types, bodies));
  for (const TensorType& type : inferred) {
    if (auto status = CheckType(type); !status)
      return Error{"the result " + status.error().message};
  }
  std::vector<ValueId> results;
  for (TensorType& type : inferred) results.push_back(AddValue(name, std::move(type)));
  graph_.nodes.push_back(
      {std::move(op), std::move(operands), results, origins_, std::move(bodies)});
  return results;
}

ValueId Builder::Add(Op op, std::vector<ValueId> operands, const std::string& name) {
  auto result = TryAdd(std::move(op), std::move(operands), name);
  if (!result) std::fprintf(stderr, "internal error: %s\n", result.error().message.c_str());
  CHECK(result);
  return result.value();
}

ValueId Builder::AddConstant(Tensor value, const std::string& name) {
  return Add(Constant{std::move(value), name}, {}, name);
}

ValueId Builder::AddScalar(DType dtype, double value) {
  return AddConstant(ScalarTensor(Scalar::Of(dtype, value)), PrintReal(value));
}

// ---- Rewriting --------------------------------------------------------------------------------

Rewriter::Rewriter(Graph& graph) : graph_(graph), old_(std::move(graph.nodes)), build(graph) {
  graph.nodes.clear();
}

Rewriter::~Rewriter() {
  for (Port& port : graph_.outputs) port.value = Current(port.value);
  RemoveDeadNodes(graph_);
}

ValueId Rewriter::Current(ValueId id) const {
  for (auto found = replaced_.find(id); found != replaced_.end(); found = replaced_.find(id)) {
    id = found->second;
  }
  return id;
}

Node& Rewriter::Visit(size_t at) {
  Node& node = old_[at];
  for (ValueId& operand : node.operands) operand = Current(operand);
  build.SetOrigins(node.origins);
  return node;
}

void Rewriter::Replace(const Node& node, ValueId by) { Replace(node.result(), by); }

void Rewriter::Replace(ValueId from, ValueId by) {
  if (from != by) replaced_[from] = by;
}

// ---- Looking around ---------------------------------------------------------------------------

Links::Links(const Graph& graph)
    : definition(static_cast<size_t>(graph.values.size())),
      users(static_cast<size_t>(graph.values.size())),
      is_output(static_cast<size_t>(graph.values.size())) {
  for (const Node& node : graph.nodes) {
    for (ValueId result : node.results) definition[static_cast<size_t>(result.index)] = &node;
    for (ValueId operand : node.operands)
      users[static_cast<size_t>(operand.index)].push_back(&node);
  }
  for (const Port& port : graph.outputs) is_output[static_cast<size_t>(port.value.index)] = true;
}

void ReplaceUses(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) std::replace(node.operands.begin(), node.operands.end(), from, to);
  for (Port& port : graph.outputs) {
    if (port.value == from) port.value = to;
  }
}

namespace {

void CollectSymbols(const Dim& size, std::set<std::string>& into) { size.CollectSymbols(into); }
void CollectSymbols(const std::vector<Dim>& sizes, std::set<std::string>& into) {
  for (const Dim& size : sizes) size.CollectSymbols(into);
}
template <typename T>
void CollectSymbols(const T&, std::set<std::string>&) {}

void CollectSymbols(const Graph& graph, std::set<std::string>& into) {
  for (const Node& node : graph.nodes) CollectSymbols(graph, node, into);
  for (const Assumption& assumption : graph.assumptions) {
    assumption.left.CollectSymbols(into);
    assumption.right.CollectSymbols(into);
  }
  for (const Port& port : graph.inputs) CollectSymbols(graph.values[port.value].type.shape, into);
}

}  // namespace

void CollectSymbols(const Graph& graph, const Node& node, std::set<std::string>& into) {
  std::visit(
      [&](const auto& op) {
        ForEachField(op, [&](std::string_view, const auto& value) { CollectSymbols(value, into); });
      },
      node.op);
  for (ValueId result : node.results) CollectSymbols(graph.values[result].type.shape, into);
  for (const Graph& body : node.bodies) CollectSymbols(body, into);
}

static const std::vector<std::string>* SymbolsSetBy(const Op& op) {
  if (auto* define = std::get_if<Define>(&op)) return &define->symbols;
  if (auto* branch = std::get_if<If>(&op)) return &branch->symbols;
  if (auto* loop = std::get_if<Loop>(&op)) return &loop->symbols;
  return nullptr;
}

void RemoveDeadNodes(Graph& graph) {
  std::vector<bool> used(static_cast<size_t>(graph.values.size()));
  for (const Port& port : graph.outputs) used[static_cast<size_t>(port.value.index)] = true;
  // What live nodes mention of sizes is known only as they are found, so definitions, which come
  // before what mentions them, are judged in time. Where there are none this is not asked.
  bool defines = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                             [](const Node& node) { return SymbolsSetBy(node.op) != nullptr; });
  std::set<std::string> symbols;
  for (const Assumption& assumption : graph.assumptions) {
    assumption.left.CollectSymbols(symbols);
    assumption.right.CollectSymbols(symbols);
  }
  auto is_mentioned = [&](const Node& node) {
    auto* own = SymbolsSetBy(node.op);
    return own && std::any_of(own->begin(), own->end(),
                              [&](const std::string& name) { return symbols.count(name) > 0; });
  };

  std::vector<Node> live;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    bool needed = std::any_of(node->results.begin(), node->results.end(), [&](ValueId result) {
      return used[static_cast<size_t>(result.index)];
    });
    if (!needed && !is_mentioned(*node)) continue;
    if (defines) CollectSymbols(graph, *node, symbols);
    for (ValueId operand : node->operands) used[static_cast<size_t>(operand.index)] = true;
    live.push_back(std::move(*node));
  }
  std::reverse(live.begin(), live.end());
  graph.nodes = std::move(live);
}

}  // namespace webnnc::graph
