#include "graph/ops/regions.h"

#include <algorithm>

#include "graph/ops/shapes.h"

namespace webnnc::graph {

// ---- Define

Result<Types> Define::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  bool is_integer = x.dtype == DType::kI64 || x.dtype == DType::kI32;
  if (!is_integer || x.rank() > 1 ||
      !ElementCount(x.shape).Is(static_cast<int64_t>(symbols.size())))
    return Error{"define " + std::to_string(symbols.size()) + " symbols by " + Print(x)};
  if (!most.empty() && most.size() != symbols.size())
    return Error{"define: a bound for each symbol, or none"};
  return Types{x};
}

void Define::Lower(loop::Lowering& to) const {
  LowerMap(to, [&](const loop::Index& index) { return to.build.Load(to.operands[0], index); });
}

// ---- What has bodies is no loops of a kernel: a program runs its bodies' kernels.

Result<Types> If::Infer(std::span<const TensorType>) const { return Error{"if without bodies"}; }
void If::Lower(loop::Lowering&) const { CHECK(false); }
Result<Types> Loop::Infer(std::span<const TensorType>) const {
  return Error{"loop without a body"};
}
void Loop::Lower(loop::Lowering&) const { CHECK(false); }

namespace {

bool IsFlag(const TensorType& type) {
  return type.dtype == DType::kBool && ElementCount(type.shape).Is(1);
}

Error Misfit(std::string_view what, size_t i, const TensorType& a, const TensorType& b) {
  return Error{std::string(what) + " " + std::to_string(i) + " is " + Print(a) + " and " +
               Print(b)};
}

const TensorType& InputType(const Graph& body, size_t i) {
  return body.values[body.inputs[i].value].type;
}
const TensorType& OutputType(const Graph& body, size_t i) {
  return body.values[body.outputs[i].value].type;
}

// Gives names in their order.
class Names {
 public:
  explicit Names(const std::vector<std::string>& names) : names_(names) {}
  std::optional<Dim> Next() {
    if (next_ == names_.size()) return std::nullopt;
    return Dim::Symbol(names_[next_++]);
  }
  bool AreUsedUp() const { return next_ == names_.size(); }

 private:
  const std::vector<std::string>& names_;
  size_t next_ = 0;
};

Status CheckCaptures(std::string_view what, const Graph& body, size_t first, const Types& operands,
                     size_t first_operand) {
  size_t captures = operands.size() - first_operand;
  if (body.inputs.size() != first + captures) {
    return Error{std::string(what) + ": a body has " + std::to_string(body.inputs.size()) +
                 " inputs"};
  }
  for (size_t i = 0; i < captures; ++i) {
    const TensorType &own = InputType(body, first + i), &given = operands[first_operand + i];
    if (own != given) return Misfit(std::string(what) + ": input", first + i, own, given);
  }
  return kSuccess;
}

}  // namespace

Result<Types> InferIf(const If& op, const Types& operands, const std::vector<Graph>& bodies) {
  if (bodies.size() != 2 || operands.empty()) return Error{"if has a condition and two bodies"};
  if (!IsFlag(operands[0])) return Error{"if: the condition is " + Print(operands[0])};
  for (const Graph& body : bodies) TRY(CheckCaptures("if", body, 0, operands, 1));
  if (bodies[0].outputs.size() != bodies[1].outputs.size())
    return Error{"if: the bodies have different numbers of outputs"};
  Names symbols(op.symbols);
  Types results;
  for (size_t i = 0; i < bodies[0].outputs.size(); ++i) {
    const TensorType &yes = OutputType(bodies[0], i), &no = OutputType(bodies[1], i);
    if (yes.dtype != no.dtype || yes.rank() != no.rank()) return Misfit("if: output", i, yes, no);
    TensorType type = yes;
    for (size_t d = 0; d < type.shape.size(); ++d) {
      if (yes.shape[d] == no.shape[d]) continue;
      auto symbol = symbols.Next();
      if (!symbol) return Misfit("if: output", i, yes, no);
      type.shape[d] = *symbol;
    }
    results.push_back(std::move(type));
  }
  if (!symbols.AreUsedUp()) return Error{"if: it has more symbols than sizes that differ"};
  return results;
}

Result<Types> InferLoop(const Loop& op, const Types& operands, const std::vector<Graph>& bodies) {
  const size_t first = op.first_carried(), carried = static_cast<size_t>(op.carried);
  if (bodies.size() != 1 || op.carried < 0 || operands.size() < first + carried)
    return Error{"loop has a body and its operands"};
  const Graph& body = bodies[0];
  if (op.trips && (operands[0].dtype != DType::kI64 || !ElementCount(operands[0].shape).Is(1)))
    return Error{"loop: the number of iterations is " + Print(operands[0])};
  if (op.condition && !IsFlag(operands[first - 1]))
    return Error{"loop: the condition is " + Print(operands[first - 1])};
  if (!op.trips && !op.condition) return Error{"loop: it has no end"};
  TRY(CheckCaptures("loop", body, 1 + carried, operands, first + carried));
  if (InputType(body, 0) != TensorType{DType::kI64, {}})
    return Error{"loop: the iteration is " + Print(InputType(body, 0))};
  size_t first_output = op.condition;
  if (body.outputs.size() < first_output + carried)
    return Error{"loop: the body has too few outputs"};
  if (op.condition && !IsFlag(OutputType(body, 0)))
    return Error{"loop: the condition is " + Print(OutputType(body, 0))};
  auto is_own = [&](const Dim& size) {
    auto symbol = SymbolOf(size);
    return symbol && std::count(op.symbols.begin(), op.symbols.end(), *symbol) > 0;
  };
  Types results;
  for (size_t i = 0; i < carried; ++i) {
    const TensorType &start = operands[first + i], &inside = InputType(body, 1 + i),
                     &end = OutputType(body, first_output + i);
    for (const TensorType* type : {&start, &end}) {
      bool fits = type->dtype == inside.dtype && type->rank() == inside.rank();
      for (size_t d = 0; fits && d < type->shape.size(); ++d)
        fits = type->shape[d] == inside.shape[d] || is_own(inside.shape[d]);
      if (!fits) return Misfit("loop: carried value", i, inside, *type);
    }
    results.push_back(inside);
  }
  for (size_t i = first_output + carried; i < body.outputs.size(); ++i) {
    TensorType type = OutputType(body, i);
    type.shape.insert(type.shape.begin(), op.count);
    results.push_back(std::move(type));
  }
  return results;
}

void CollectDefined(const Graph& graph, std::set<std::string>& into) {
  ForEachGraph(graph, [&](const Graph& inner) {
    for (const Node& node : inner.nodes) {
      if (auto* op = std::get_if<Define>(&node.op))
        into.insert(op->symbols.begin(), op->symbols.end());
      if (auto* op = std::get_if<If>(&node.op)) into.insert(op->symbols.begin(), op->symbols.end());
      if (auto* op = std::get_if<Loop>(&node.op))
        into.insert(op->symbols.begin(), op->symbols.end());
    }
  });
}

// ---- What symbols are set to

namespace {

void Match(const std::vector<std::string>& symbols, const Shape& shape, const Shape& from,
           std::map<std::string, Dim>& sizes) {
  for (size_t d = 0; d < shape.size(); ++d) {
    auto symbol = SymbolOf(shape[d]);
    bool is_own = symbol && std::count(symbols.begin(), symbols.end(), *symbol) > 0;
    if (is_own) sizes.emplace(*symbol, from[d]);
  }
}

}  // namespace

std::vector<Assumption> AssumedAlways(const Graph& graph) {
  std::vector<Assumption> assumed = graph.assumptions;
  for (const Node& node : graph.nodes) {
    if (!std::holds_alternative<Loop>(node.op)) continue;
    for (const Graph& body : node.bodies) {
      for (Assumption& more : AssumedAlways(body)) assumed.push_back(std::move(more));
    }
  }
  return assumed;
}

std::map<std::string, Dim> SizesAtEnd(const Graph& graph, const Node& node, size_t body) {
  std::map<std::string, Dim> sizes;
  const Graph& inner = node.bodies[body];
  if (auto* op = std::get_if<If>(&node.op)) {
    for (size_t i = 0; i < node.results.size(); ++i)
      Match(op->symbols, graph.values[node.results[i]].type.shape, OutputType(inner, i).shape,
            sizes);
  } else {
    const Loop& loop = std::get<Loop>(node.op);
    for (size_t i = 0; i < static_cast<size_t>(loop.carried); ++i)
      Match(loop.symbols, InputType(inner, 1 + i).shape,
            OutputType(inner, size_t{loop.condition} + i).shape, sizes);
  }
  return sizes;
}

std::map<std::string, Dim> SizesAtStart(const Graph& graph, const Node& node) {
  std::map<std::string, Dim> sizes;
  const Loop& loop = std::get<Loop>(node.op);
  for (size_t i = 0; i < static_cast<size_t>(loop.carried); ++i)
    Match(loop.symbols, InputType(node.bodies[0], 1 + i).shape,
          graph.values[node.operands[loop.first_carried() + i]].type.shape, sizes);
  return sizes;
}

}  // namespace webnnc::graph
