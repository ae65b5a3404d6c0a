// Control flow. What it decides may be known when the model is compiled: then nothing is left of
// it.
#include <algorithm>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/bodies.h"
#include "onnx/ops/lists.h"

namespace webnnc::onnx {

namespace {

// What decides is one element: sizes of it that are open are assumed to be 1.
Result<ValueId> OneElement(NodeContext& c, ValueId x) {
  Shape shape = c.TypeOf(x).shape;
  if (ElementCount(shape).IsConstant()) return x;
  for (Dim& size : shape) {
    if (size.IsConstant()) continue;
    c.AssumeEqual(size, 1);
    size = 1;
  }
  return c.Add(graph::Refine{shape}, {x});
}

// The first where there may be several, as ONNX Runtime takes it of a loop's body.
Result<ValueId> FirstElement(NodeContext& c, ValueId x) {
  const Shape shape = c.TypeOf(x).shape;
  graph::Slice first{graph::Sizes1D(shape.size(), 0), shape, std::vector<int64_t>(shape.size(), 1)};
  for (Dim& size : first.sizes) {
    if (size.IsConstant()) continue;
    c.AssumeLessEqual(1, size);
    size = 1;
  }
  return first.sizes == shape ? Result<ValueId>(x) : c.Add(first, {x});
}

}  // namespace

// ---- If

namespace {

struct Branch {
  std::string attribute;
  std::unique_ptr<Frame> frame;
  Values outputs;

  const TensorType& Type(size_t i) const { return frame->graph.values[outputs[i]].type; }
};

Result<Branch> ImportBranch(NodeContext& c, const std::string& attribute) {
  Branch branch{attribute, c.NewFrame(), {}};
  NodeContext inside = c.Inside(*branch.frame);
  TRY_ASSIGN(branch.outputs, inside.Body(attribute, {}));
  if (inside.attribute_problem()) return *inside.attribute_problem();
  return branch;
}

// What an output of the branches is: a list of as many elements in both, a packed list, or a
// tensor.
struct Output {
  std::optional<List> list = {};
  std::optional<ListForm> form = {};
};

// Lists of as many elements of the same types in both branches are outputs one by one.
bool AreAlike(const Branch& yes, const std::optional<List>& a, const Branch& no,
              const std::optional<List>& b) {
  bool known = a && b && !a->packed && !b->packed && a->is_none == b->is_none;
  if (!known || a->elements.size() != b->elements.size()) return false;
  for (size_t k = 0; k < a->elements.size(); ++k) {
    const TensorType& one = yes.frame->graph.values[a->elements[k]].type;
    const TensorType& other = no.frame->graph.values[b->elements[k]].type;
    if (one.dtype != other.dtype || one.rank() != other.rank()) return false;
  }
  return true;
}

// Makes tensors of all outputs of the branches, and tells what these are.
Result<std::vector<Output>> Flatten(NodeContext& c, Branch& yes, Branch& no) {
  if (yes.outputs.size() != no.outputs.size() || yes.outputs.empty())
    return Error{"its branches have " + std::to_string(yes.outputs.size()) + " and " +
                 std::to_string(no.outputs.size()) + " outputs"};
  std::vector<Output> outputs;
  Values all_yes, all_no;
  NodeContext in_yes = c.Inside(*yes.frame), in_no = c.Inside(*no.frame);
  for (size_t i = 0; i < yes.outputs.size(); ++i) {
    auto a = yes.frame->scope.FindList(yes.outputs[i]), b = no.frame->scope.FindList(no.outputs[i]);
    Values of_yes{yes.outputs[i]}, of_no{no.outputs[i]};
    Output& output = outputs.emplace_back();
    if (AreAlike(yes, a, no, b)) {
      output.list = a;
      of_yes = a->elements;
      of_no = b->elements;
    } else if (a || b) {
      TRY_ASSIGN(auto form_of_yes, FormOf(in_yes, yes.outputs[i]));
      TRY_ASSIGN(auto form_of_no, FormOf(in_no, no.outputs[i]));
      auto form = Join(form_of_yes, form_of_no);
      if (!form) return Error{"output " + std::to_string(i) + ": " + form.error().message};
      output.form = form.value();
      TRY_ASSIGN(auto packed_yes, Pack(in_yes, yes.outputs[i], *output.form));
      TRY_ASSIGN(auto packed_no, Pack(in_no, no.outputs[i], *output.form));
      of_yes = PartsOf(packed_yes);
      of_no = PartsOf(packed_no);
    }
    all_yes.insert(all_yes.end(), of_yes.begin(), of_yes.end());
    all_no.insert(all_no.end(), of_no.begin(), of_no.end());
  }
  yes.outputs = std::move(all_yes);
  no.outputs = std::move(all_no);
  return outputs;
}

Values Gathered(NodeContext& c, const Values& flat, const std::vector<Output>& outputs) {
  Values results;
  Values::const_iterator next = flat.begin();
  for (const Output& output : outputs) {
    if (output.form) {
      List list{{}, false, {}, FromParts(*output.form, next)};
      results.push_back(c.scope().AddList(std::move(list), c.result_name()));
    } else if (output.list) {
      List list = *output.list;
      for (ValueId& element : list.elements) element = *next++;
      results.push_back(c.scope().AddList(std::move(list), c.result_name()));
    } else {
      results.push_back(*next++);
    }
  }
  return results;
}

Status CheckBranches(const Branch& yes, const Branch& no) {
  for (size_t i = 0; i < yes.outputs.size(); ++i) {
    const TensorType &a = yes.Type(i), &b = no.Type(i);
    if (a.dtype == b.dtype && a.rank() == b.rank()) continue;
    return Error{"output " + std::to_string(i) + " is " + Print(a) + " in " + yes.attribute +
                     " and " + Print(b) + " in " + no.attribute,
                 {},
                 {"which one it is must be known when the model is compiled"}};
  }
  return kSuccess;
}

// Where branches give tensors of one element and of two ranks, both have the larger.
Status AlignRanks(NodeContext& c, Branch& yes, Branch& no) {
  for (size_t i = 0; i < yes.outputs.size(); ++i) {
    const Shape a = yes.Type(i).shape, b = no.Type(i).shape;
    bool fits = a.size() != b.size() && ElementCount(a).Is(1) && ElementCount(b).Is(1);
    if (!fits) continue;
    Branch& other = a.size() > b.size() ? no : yes;
    NodeContext inside = c.Inside(*other.frame);
    TRY_ASSIGN(other.outputs[i], inside.Reshape(other.outputs[i], a.size() > b.size() ? a : b));
  }
  return kSuccess;
}

bool IsCheap(const graph::Node& node) {
  if (std::holds_alternative<graph::Constant>(node.op)) return true;
  if (auto* op = std::get_if<graph::Binary>(&node.op)) {
    // What is not taken may divide integers by 0.
    using loop::BinaryOp;
    return op->op != BinaryOp::kDiv && op->op != BinaryOp::kMod && op->op != BinaryOp::kFloorDiv &&
           op->op != BinaryOp::kFloorMod;
  }
  return std::holds_alternative<graph::Sizes>(node.op) ||
         std::holds_alternative<graph::Unary>(node.op) ||
         std::holds_alternative<graph::Where>(node.op) ||
         std::holds_alternative<graph::Cast>(node.op) ||
         std::holds_alternative<graph::Reshape>(node.op);
}

// Whether computing both branches and selecting costs less than deciding: a few operations on few
// elements, which make tensors of the same sizes.
bool SuitSelection(const Branch& yes, const Branch& no) {
  constexpr int64_t kMostNodes = 8, kMostElements = 4096;
  for (size_t i = 0; i < yes.outputs.size(); ++i) {
    if (yes.Type(i) != no.Type(i)) return false;
  }
  for (const Branch* branch : {&yes, &no}) {
    const graph::Graph& graph = branch->frame->graph;
    if (!graph.assumptions.empty()) return false;
    int64_t count = 0;
    for (const graph::Node& node : graph.nodes) {
      count += !std::holds_alternative<graph::Constant>(node.op);
      if (!IsCheap(node) || count > kMostNodes) return false;
      for (ValueId result : node.results) {
        const Shape& shape = graph.values[result].type.shape;
        bool is_small = IsStatic(shape) && ElementCount(shape).value() <= kMostElements;
        if (!is_small) return false;
      }
    }
    for (ValueId output : branch->outputs) {
      const Shape& shape = graph.values[output].type.shape;
      if (!IsStatic(shape) || ElementCount(shape).value() > kMostElements) return false;
    }
  }
  return true;
}

Result<Values> Select(NodeContext& c) {
  TRY_ASSIGN(auto condition, c.Reshape(c[0], {}));
  TRY_ASSIGN(auto yes, c.Body("then_branch", {}));
  TRY_ASSIGN(auto no, c.Body("else_branch", {}));
  Values results;
  for (size_t i = 0; i < yes.size(); ++i) {
    TRY_ASSIGN(auto result, c.Add(graph::Where{}, {condition, yes[i], no[i]}));
    results.push_back(result);
  }
  return results;
}

// A size in which the branches differ is a symbol.
std::vector<std::string> DifferingSizes(NodeContext& c, const Branch& yes, const Branch& no) {
  std::vector<std::string> symbols;
  for (size_t i = 0; i < yes.outputs.size(); ++i) {
    const Shape &a = yes.Type(i).shape, &b = no.Type(i).shape;
    for (size_t d = 0; d < a.size(); ++d) {
      if (a[d] == b[d]) continue;
      const std::string& output = yes.frame->graph.values[yes.outputs[i]].name;
      symbols.push_back(c.scope().UniqueSymbol(c.title() + "." + output + "." + std::to_string(d)));
    }
  }
  return symbols;
}

}  // namespace

namespace {

// Exporters ask whether a size is 1, and squeeze it then: results of two ranks, of which only one
// fits what comes next. Where that is a size of inputs, a model is taken to want the size that it
// was exported with: first anything but 1, and if it cannot be imported so, 1. Runs of other sizes
// are refused. Whether the condition then holds; nothing if it asks for something else.
std::optional<bool> TakeBySize(NodeContext& c) {
  auto sizes = c.scope().EqualityBehind(c[0]);
  if (!sizes) return std::nullopt;
  auto [size, other] = *sizes;
  if (size.Is(1)) std::swap(size, other);
  if (!other.Is(1)) return std::nullopt;
  c.scope().state().asked_for_one = true;
  if (c.scope().state().takes_ones) {
    c.AssumeEqual(size, 1);
    return true;
  }
  c.AssumeLessEqual(2, size);
  return false;
}

}  // namespace

static Result<Values> ImportIf(NodeContext& node) {
  TRY_ASSIGN(auto one, OneElement(node, node[0]));
  NodeContext c = node.WithOperand(0, one);
  if (!ElementCount(c.Type(0).shape).Is(1) || c.Type(0).dtype != DType::kBool)
    return Error{"the condition is " + Print(c.Type(0))};
  TRY_ASSIGN(auto condition, c.KnownConstant(0));
  if (condition) {
    bool taken = condition->data.At(condition->type.dtype, 0).integer != 0;
    return c.Body(taken ? "then_branch" : "else_branch", {});
  }
  const std::set<std::string> symbols = c.scope().state().symbols;
  TRY_ASSIGN(auto yes, ImportBranch(c, "then_branch"));
  TRY_ASSIGN(auto no, ImportBranch(c, "else_branch"));
  bool has_lists = false;
  for (ValueId id : yes.outputs) has_lists |= yes.frame->scope.FindList(id).has_value();
  TRY_ASSIGN(auto outputs, Flatten(c, yes, no));
  // Empty sequences alone are the same in both.
  if (yes.outputs.empty()) return Gathered(c, {}, outputs);
  if (Status status = CheckBranches(yes, no); !status) {
    if (auto taken = TakeBySize(c)) {
      c.scope().state().symbols = symbols;
      return c.Body(*taken ? "then_branch" : "else_branch", {});
    }
    TRY(AlignRanks(c, yes, no));
    TRY(CheckBranches(yes, no));
  }
  Values captures = CapturesOf(*yes.frame, yes.outputs);
  for (ValueId id : CapturesOf(*no.frame, no.outputs)) {
    if (std::find(captures.begin(), captures.end(), id) == captures.end()) captures.push_back(id);
  }
  if (!has_lists && SuitSelection(yes, no)) {
    c.scope().state().symbols = symbols;
    return Select(c);
  }
  graph::If op{DifferingSizes(c, yes, no)};
  Values operands{c[0]};
  operands.insert(operands.end(), captures.begin(), captures.end());
  std::vector<graph::Graph> bodies;
  bodies.push_back(CloseBody(*yes.frame, "then", {}, yes.outputs, captures));
  bodies.push_back(CloseBody(*no.frame, "else", {}, no.outputs, captures));
  TRY_ASSIGN(auto flat, c.scope().AddAll(op, operands, c.result_name(), std::move(bodies)));
  return Gathered(c, flat, outputs);
}

// ---- Loop

// Operands: the number of iterations, the condition, both of which may be left out, and what is
// carried. The body has the iteration, the condition and what is carried as inputs.
static Result<Values> ImportLoop(NodeContext& c) {
  TRY_ASSIGN(auto* body, c.GraphAttribute("body"));
  auto count = static_cast<size_t>(body->input_size());
  if (count < 2 || count < c.count())
    return Error{"its body takes " + std::to_string(count) + " inputs, for " +
                 std::to_string(c.count()) + " operands"};
  LoopBody loop;
  for (size_t i = 2; i < count; ++i) {
    if (!c.Has(i)) return Error{"operand " + std::to_string(i) + " is missing"};
    loop.carried.push_back({body->input(static_cast<int>(i)).name(), c[i]});
  }
  if (c.Has(0)) {
    TRY_ASSIGN(loop.trips, OneElement(c, c[0]));
    if (!ElementCount(c.TypeOf(loop.trips).shape).Is(1) || c.Type(0).dtype != DType::kI64)
      return Error{"the number of iterations is " + Print(c.Type(0))};
    TRY_ASSIGN(auto trips, c.FindSizes(0));
    if (trips) loop.known_trips = (*trips)[0];
  }
  if (c.Has(1)) {
    TRY_ASSIGN(auto one, OneElement(c, c[1]));
    if (!ElementCount(c.TypeOf(one).shape).Is(1) || c.Type(1).dtype != DType::kBool)
      return Error{"the condition is " + Print(c.Type(1))};
    TRY_ASSIGN(auto condition, c.KnownConstant(1));
    bool holds = condition && condition->data.At(DType::kBool, 0).integer != 0;
    if (!holds) loop.condition = one;
  }
  loop.has_condition = true;
  loop.iterate = [&](NodeContext& inside, ValueId iteration,
                     const Values& carried) -> Result<Values> {
    // While it runs, the condition holds.
    TRY_ASSIGN(auto goes_on, inside.Scalar(DType::kBool, 1));
    Values inputs{iteration, goes_on};
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    TRY_ASSIGN(auto outputs, inside.Body("body", inputs));
    if (outputs.empty() || inside.TypeOf(outputs[0]).dtype != DType::kBool) return outputs;
    TRY_ASSIGN(outputs[0], FirstElement(inside, outputs[0]));
    return outputs;
  };
  return AddLoop(c, loop);
}

static constexpr Operator kOperators[] = {
    {"", "If", 1, ImportIf},
    {"", "Loop", 0, ImportLoop, kAnyOpset, true},
};

std::span<const Operator> ControlOperators() { return kOperators; }

}  // namespace webnnc::onnx
