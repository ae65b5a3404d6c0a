#include "onnx/node_context.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "graph/passes/merge_common.h"
#include "onnx/assume.h"
#include "onnx/narrow.h"

namespace webnnc::onnx {

// ---- Scope ------------------------------------------------------------------------------------

// More are no shape arithmetic.
static constexpr int64_t kMostElements = 64;

std::optional<graph::PartialElements> Scope::KnownElements(ValueId id) const {
  auto found = elements_.find(id);
  if (found != elements_.end()) return found->second;
  const Shape& shape = graph.values[id].type.shape;
  bool small = IsStatic(shape) && ElementCount(shape).value() <= kMostElements;
  if (!small) return std::nullopt;
  return graph::PartialElements(static_cast<size_t>(ElementCount(shape).value()));
}

std::optional<graph::SizeElements> Scope::KnownSizes(ValueId id) const {
  auto elements = KnownElements(id);
  if (!elements) return std::nullopt;
  graph::SizeElements sizes;
  for (const std::optional<Dim>& element : *elements) {
    if (!element) return std::nullopt;
    sizes.push_back(*element);
  }
  return sizes;
}

void Scope::SetNode(const std::string& title) {
  node_ = title;
  build.SetOrigins(title.empty() ? std::vector<std::string>{} : std::vector{title});
}

void Scope::Assume(Assumption assumption) {
  assumption.origin = node_;
  onnx::Assume(graph, std::move(assumption));
}

Dim Scope::AssumeBroadcast(const Dim& a, const Dim& b) {
  return onnx::AssumeBroadcast(graph, a, b, node_);
}

Result<ValueId> Scope::Add(graph::Op op, std::vector<ValueId> operands, const std::string& name) {
  operands = Reconcile(graph, build, op, std::move(operands), node_);
  return AddReconciled(std::move(op), std::move(operands), name);
}

Result<std::vector<ValueId>> Scope::AddAll(graph::Op op, std::vector<ValueId> operands,
                                           const std::string& name,
                                           std::vector<graph::Graph> bodies) {
  operands = Reconcile(graph, build, op, std::move(operands), node_);
  TRY_ASSIGN(auto results,
             build.TryAddAll(std::move(op), std::move(operands), name, std::move(bodies)));
  for (ValueId result : results) Define(result);
  return results;
}

void Scope::Define(ValueId id) {
  definition_[id] = graph.nodes.size() - 1;
  for (const Dim& size : graph.values[id].type.shape) {
    if (!size.IsConstant()) tensor_sizes_.insert(size);
  }
}

Result<ValueId> Scope::AddReconciled(graph::Op op, std::vector<ValueId> operands,
                                     const std::string& name) {
  TRY_ASSIGN(auto id, build.TryAdd(op, operands, name));
  Define(id);
  if (auto* constant = std::get_if<graph::Constant>(&op)) {
    const Tensor& tensor = constant->value;
    constants_[id] = tensor;
    if (ElementCount(tensor.type.shape).value() > kMostElements) return id;
    graph::PartialElements elements;
    for (int64_t i = 0; i < ElementCount(tensor.type.shape).value(); ++i) {
      webnnc::Scalar element = tensor.data.At(tensor.type.dtype, i);
      bool integral = !IsFloat(element.dtype) || (std::fabs(element.real) <= INT32_MAX &&
                                                  element.real == std::trunc(element.real));
      if (!integral) return id;
      elements.push_back(IsFloat(element.dtype) ? static_cast<int64_t>(element.real)
                                                : element.integer);
    }
    elements_[id] = std::move(elements);
    return id;
  }
  if (auto* define = std::get_if<graph::Define>(&op)) {
    for (const std::string& symbol : define->symbols) elements_[id].push_back(Dim::Symbol(symbol));
    return id;
  }
  graph::Types types;
  std::vector<std::optional<graph::PartialElements>> known;
  bool any = std::holds_alternative<graph::Sizes>(op) || std::holds_alternative<graph::Iota>(op);
  for (ValueId operand : operands) {
    types.push_back(graph.values[operand].type);
    known.push_back(KnownElements(operand));
    any |= elements_.count(operand) > 0;
  }
  if (!any) return id;
  auto elements = graph::EvaluateElements(op, types, known, tensor_sizes_);
  bool finds = elements && (elements->empty() ||
                            std::any_of(elements->begin(), elements->end(),
                                        [](const auto& element) { return element.has_value(); }));
  if (finds) elements_[id] = std::move(*elements);
  return id;
}

std::optional<Tensor> Scope::ConstantOfSizes(ValueId id) const {
  const TensorType& type = graph.values[id].type;
  auto known = KnownSizes(id);
  if (!known || !IsStatic(type.shape)) return std::nullopt;
  const graph::SizeElements& sizes = *known;
  std::vector<uint8_t> bytes(sizes.size() * static_cast<size_t>(ByteSize(type.dtype)));
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!sizes[i].IsConstant()) return std::nullopt;
    auto value = static_cast<double>(sizes[i].value());
    WriteScalar(bytes.data(), static_cast<int64_t>(i),
                IsFloat(type.dtype) ? webnnc::Scalar::Real(type.dtype, value)
                                    : webnnc::Scalar::Integer(type.dtype, sizes[i].value()));
  }
  return Tensor{type, TensorData::Own(std::move(bytes))};
}

Result<bool> Scope::IsKnownAround(ValueId id) {
  for (const auto& [outside, inside] : captures_) {
    if (inside != id) continue;
    TRY_ASSIGN(auto constant, around_->KnownConstant(outside));
    if (constant) constants_[id] = std::move(*constant);
    return constant.has_value();
  }
  return false;
}

Result<std::optional<std::vector<size_t>>> Scope::NodesBehind(ValueId id) {
  const std::optional<std::vector<size_t>> not_known;
  std::set<size_t> nodes;
  std::vector<ValueId> left{id};
  while (!left.empty()) {
    ValueId next = left.back();
    left.pop_back();
    if (constants_.count(next)) continue;
    // What is known as integers needs no evaluation, and may depend on sizes of inputs only.
    if (auto constant = ConstantOfSizes(next)) {
      constants_[next] = std::move(*constant);
      continue;
    }
    auto definition = definition_.find(next);
    if (definition == definition_.end()) {
      TRY_ASSIGN(bool is_known, IsKnownAround(next));
      if (!is_known) return not_known;
      continue;
    }
    const graph::Node& node = graph.nodes[definition->second];
    // Also of what has a known size, as of a slice that begins where data says.
    std::set<std::string> symbols;
    graph::CollectSymbols(graph, node, symbols);
    if (!node.bodies.empty() || !symbols.empty()) return not_known;
    if (!nodes.insert(definition->second).second) continue;
    left.insert(left.end(), node.operands.begin(), node.operands.end());
  }
  return std::optional(std::vector<size_t>(nodes.begin(), nodes.end()));
}

Result<std::optional<Tensor>> Scope::KnownConstant(ValueId id) {
  TRY_ASSIGN(auto nodes, NodesBehind(id));
  if (!nodes) return std::optional<Tensor>();
  for (size_t n : *nodes) {
    const graph::Node& node = graph.nodes[n];
    std::vector<Tensor> operands;
    for (ValueId operand : node.operands) operands.push_back(constants_.at(operand));
    auto results = graph::Evaluate(node.op, operands, state_.budget);
    if (!results) {
      return Error{"it needs the value of " + Quote(graph.values[node.results[0]].name) +
                       ", a constant that takes too long to compute",
                   {},
                   {"put what it is into the model, as a weight"}};
    }
    for (size_t i = 0; i < node.results.size(); ++i) constants_[node.results[i]] = (*results)[i];
  }
  return std::optional(constants_.at(id));
}

// ---- Sizes that data decides

std::string Scope::UniqueSymbol(const std::string& name) {
  std::string unique = name;
  for (int i = 2; !state_.symbols.insert(unique).second; ++i)
    unique = name + "." + std::to_string(i);
  return unique;
}

bool Scope::AreSame(ValueId a, ValueId b) const {
  // Shape arithmetic is not deep; what is counts as different.
  constexpr int kMostPairs = 256;
  std::set<std::pair<ValueId, ValueId>> seen;
  std::vector<std::pair<ValueId, ValueId>> left{{a, b}};
  while (!left.empty()) {
    auto [x, y] = left.back();
    left.pop_back();
    if (x == y || !seen.emplace(x, y).second) continue;
    if (seen.size() > kMostPairs) return false;
    auto of_x = definition_.find(x), of_y = definition_.find(y);
    if (of_x == definition_.end() || of_y == definition_.end()) return false;
    const graph::Node &one = graph.nodes[of_x->second], &other = graph.nodes[of_y->second];
    bool same = one.bodies.empty() && one.operands.size() == other.operands.size() &&
                graph::SameOp(one.op, other.op);
    if (!same) return false;
    auto place = [](const graph::Node& node, ValueId id) {
      return std::find(node.results.begin(), node.results.end(), id) - node.results.begin();
    };
    if (place(one, x) != place(other, y)) return false;
    for (size_t i = 0; i < one.operands.size(); ++i)
      left.emplace_back(one.operands[i], other.operands[i]);
  }
  return true;
}

Result<graph::SizeElements> Scope::DefineSizes(ValueId vector, const std::string& name,
                                               const graph::SizeElements& most) {
  if (auto known = KnownSizes(vector)) return *known;
  for (const auto& [before, sizes] : defined_) {
    if (AreSame(before, vector)) return sizes;
  }
  // Copied, since values are added.
  const TensorType type = graph.values[vector].type;
  const std::string value_name = graph.values[vector].name;
  auto elements = KnownElements(vector);
  if (!elements || type.rank() > 1) {
    return Error{Quote(value_name) + " is " + Print(type) +
                     ", but decides sizes: a vector is needed whose length is known",
                 {},
                 {"export the model with fixed sizes"}};
  }
  ValueId open = vector;
  if (type.dtype != DType::kI64) {
    TRY_ASSIGN(open, Add(graph::Cast{DType::kI64}, {open}, value_name + ".sizes"));
  }
  std::vector<int64_t> places;
  graph::Define define;
  for (size_t i = 0; i < elements->size(); ++i) {
    if ((*elements)[i]) continue;
    places.push_back(static_cast<int64_t>(i));
    std::string symbol = elements->size() == 1 ? name : name + "." + std::to_string(i);
    define.symbols.push_back(UniqueSymbol(symbol));
    if (!most.empty()) {
      define.most.push_back(most[i]);
      if (auto bound = UpperBound(most[i])) state_.most[define.symbols.back()] = *bound;
    }
    (*elements)[i] = Dim::Symbol(define.symbols.back());
  }
  if (places.size() < elements->size()) {
    TRY_ASSIGN(auto indices, Add(graph::Constant{IntegerTensor(DType::kI64, places), ""}, {},
                                 value_name + ".open"));
    TRY_ASSIGN(open, Add(graph::Gather{0}, {open, indices}, value_name + ".sizes"));
  }
  TRY(Add(std::move(define), {open}, name));
  graph::SizeElements sizes;
  for (const std::optional<Dim>& element : *elements) sizes.push_back(*element);
  for (const Dim& size : sizes) tensor_sizes_.insert(size);
  defined_.emplace_back(vector, sizes);
  return sizes;
}

ValueId Scope::Capture(ValueId outside) {
  for (const auto& [known, inside] : captures_) {
    if (known == outside) return inside;
  }
  if (auto list = around_->FindList(outside)) {
    for (ValueId& element : list->elements) element = Capture(element);
    if (list->packed) {
      for (ValueId* part : {&list->packed->data, &list->packed->shapes, &list->packed->there}) {
        if (part->valid()) *part = Capture(*part);
      }
    }
    return AddList(std::move(*list), around_->graph.values[outside].name);
  }
  // Copied, since `around_` may be given values by then.
  const graph::Value value = around_->graph.values[outside];
  auto definition = around_->definition_.find(outside);
  if (definition != around_->definition_.end()) {
    auto* constant = std::get_if<graph::Constant>(&around_->graph.nodes[definition->second].op);
    // Weights share their bytes.
    if (constant) {
      auto copy = AddReconciled(*constant, {}, value.name);
      CHECK(copy);
      captures_.emplace_back(outside, copy.value());
      return copy.value();
    }
  }
  ValueId inside = build.AddValue(value.name, value.type);
  captures_.emplace_back(outside, inside);
  if (auto elements = around_->elements_.find(outside); elements != around_->elements_.end())
    elements_[inside] = elements->second;
  return inside;
}

// ---- Lists

ValueId Scope::AddList(List list, const std::string& name) {
  ValueId id = build.AddValue(name, {DType::kBool, {}});
  lists_[id] = std::move(list);
  return id;
}

std::optional<List> Scope::FindList(ValueId id) const {
  auto found = lists_.find(id);
  return found == lists_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::pair<Dim, Dim>> Scope::EqualityBehind(ValueId condition) const {
  for (;;) {
    auto definition = definition_.find(condition);
    if (definition == definition_.end()) return std::nullopt;
    const graph::Node& node = graph.nodes[definition->second];
    auto* binary = std::get_if<graph::Binary>(&node.op);
    if (binary && binary->op == loop::BinaryOp::kEqual) {
      auto a = KnownSizes(node.operands[0]), b = KnownSizes(node.operands[1]);
      if (!a || !b || a->size() != 1 || b->size() != 1) return std::nullopt;
      return std::pair((*a)[0], (*b)[0]);
    }
    // What only hands it on.
    bool passes = std::holds_alternative<graph::Cast>(node.op) ||
                  std::holds_alternative<graph::Reshape>(node.op);
    if (!passes) return std::nullopt;
    condition = node.operands[0];
  }
}

// ---- Operands ---------------------------------------------------------------------------------

bool NodeContext::Wants(size_t result) const {
  return static_cast<int>(result) < node_.output_size() &&
         !node_.output(static_cast<int>(result)).empty();
}

static Error MustBeKnown(const pb::NodeProto& node, size_t i) {
  return Error{
      "operand " + std::to_string(i) + " (" + Quote(node.input(static_cast<int>(i))) +
          ") decides shapes or attributes, but depends on data that is only there when the "
          "model runs",
      {},
      {"make it a constant, or export the model with fixed sizes"}};
}

Result<std::optional<graph::SizeElements>> NodeContext::FindSizes(size_t i) const {
  if (auto sizes = scope().KnownSizes(operands_.at(i))) return std::optional(*sizes);
  TRY_ASSIGN(auto constant, scope().KnownConstant(operands_[i]));
  if (!constant) return std::optional<graph::SizeElements>();
  graph::SizeElements sizes;
  for (int64_t e = 0; e < ElementCount(constant->type.shape).value(); ++e) {
    sizes.push_back(Convert(constant->data.At(constant->type.dtype, e), DType::kI64).integer);
  }
  return std::optional(sizes);
}

Result<graph::SizeElements> NodeContext::Sizes(size_t i, const graph::SizeElements& most) {
  TRY_ASSIGN(auto known, FindSizes(i));
  if (known) return *known;
  auto sizes = DefineSizes(operands_[i], node_.input(static_cast<int>(i)), most);
  if (!sizes)
    return Error{
        "operand " + std::to_string(i) + ": " + sizes.error().message, {}, sizes.error().notes};
  return sizes;
}

Result<int64_t> NodeContext::Length(size_t i) const {
  const TensorType& type = Type(i);
  if (type.rank() <= 1 && IsStatic(type.shape)) return ElementCount(type.shape).value();
  return Error{"operand " + std::to_string(i) + " (" + Quote(node_.input(static_cast<int>(i))) +
                   ") is " + Print(type) +
                   ", but decides sizes: a vector is needed whose length "
                   "is known",
               {},
               {"export the model with fixed sizes"}};
}

Result<std::optional<std::vector<int64_t>>> NodeContext::FindIntegers(size_t i) const {
  TRY_ASSIGN(auto sizes, FindSizes(i));
  std::optional<std::vector<int64_t>> values;
  if (!sizes) return values;
  values.emplace();
  for (const Dim& size : *sizes) {
    if (!size.IsConstant()) return std::optional<std::vector<int64_t>>();
    values->push_back(size.value());
  }
  return values;
}

std::optional<int64_t> NodeContext::LargestOf(const Dim& size) const {
  if (auto bound = UpperBound(size)) return bound;
  const std::map<std::string, int64_t>& most = scope().state().most;
  auto symbol = SymbolOf(size);
  auto found = symbol ? most.find(*symbol) : most.end();
  return found == most.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<int64_t>> NodeContext::Integers(size_t i) const {
  TRY_ASSIGN(auto sizes, FindSizes(i));
  if (!sizes) return MustBeKnown(node_, i);
  std::vector<int64_t> values;
  for (const Dim& size : *sizes) {
    if (!size.IsConstant()) {
      return Error{"operand " + std::to_string(i) + " depends on the size " + Print(size),
                   {},
                   {"fix the size with --dim"}};
    }
    values.push_back(size.value());
  }
  return values;
}

Result<Tensor> NodeContext::Constant(size_t i) const {
  TRY_ASSIGN(auto constant, scope().KnownConstant(operands_.at(i)));
  if (!constant) return MustBeKnown(node_, i);
  return *constant;
}

static std::vector<double> RealsOf(const Tensor& tensor) {
  std::vector<double> values;
  for (int64_t e = 0; e < ElementCount(tensor.type.shape).value(); ++e) {
    values.push_back(tensor.data.At(tensor.type.dtype, e).AsReal());
  }
  return values;
}

Result<std::vector<double>> NodeContext::Reals(size_t i) const {
  TRY_ASSIGN(auto tensor, Constant(i));
  return RealsOf(tensor);
}

Result<std::optional<std::vector<double>>> NodeContext::FindReals(size_t i) const {
  TRY_ASSIGN(auto tensor, KnownConstant(i));
  return tensor ? std::optional(RealsOf(*tensor)) : std::nullopt;
}

// ---- Attributes -------------------------------------------------------------------------------

const pb::AttributeProto* NodeContext::Find(const std::string& name) const {
  for (const auto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

const pb::AttributeProto* NodeContext::Find(const std::string& name,
                                            pb::AttributeProto::AttributeType type) const {
  auto* attribute = Find(name);
  // The first exporters wrote no types.
  if (!attribute || attribute->type() == type || attribute->type() == pb::AttributeProto::UNDEFINED)
    return attribute;
  attribute_problem_ = Error{"attribute " + name + " has the type " +
                             pb::AttributeProto::AttributeType_Name(attribute->type()) +
                             " instead of " + pb::AttributeProto::AttributeType_Name(type)};
  return nullptr;
}

int64_t NodeContext::Int(const std::string& name, int64_t otherwise) const {
  auto* attribute = Find(name, pb::AttributeProto::INT);
  return attribute ? attribute->i() : otherwise;
}

double NodeContext::Float(const std::string& name, double otherwise) const {
  auto* attribute = Find(name, pb::AttributeProto::FLOAT);
  return attribute ? attribute->f() : otherwise;
}

std::string NodeContext::String(const std::string& name, const std::string& otherwise) const {
  auto* attribute = Find(name, pb::AttributeProto::STRING);
  return attribute ? attribute->s() : otherwise;
}

Result<const pb::GraphProto*> NodeContext::GraphAttribute(const std::string& name) const {
  auto* attribute = Find(name, pb::AttributeProto::GRAPH);
  if (!attribute) return Error{"the attribute " + name + " is missing"};
  return &attribute->g();
}

Result<Values> NodeContext::Body(const std::string& name, const Values& inputs) {
  TRY_ASSIGN(auto* body, GraphAttribute(name));
  return import_body_(*frame_, *body, inputs);
}

std::vector<int64_t> NodeContext::Ints(const std::string& name,
                                       std::vector<int64_t> otherwise) const {
  auto* attribute = Find(name, pb::AttributeProto::INTS);
  if (!attribute) return otherwise;
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<double> NodeContext::Floats(const std::string& name) const {
  auto* attribute = Find(name, pb::AttributeProto::FLOATS);
  if (!attribute) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::vector<std::string> NodeContext::Strings(const std::string& name) const {
  auto* attribute = Find(name, pb::AttributeProto::STRINGS);
  if (!attribute) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

const Narrow* Scope::NarrowOf(ValueId id) const {
  auto found = narrow_.find(id);
  return found == narrow_.end() ? nullptr : found->second;
}

Result<Tensor> NodeContext::TensorAttribute(const std::string& name) const {
  auto* attribute = Find(name);
  if (!attribute || !(attribute->has_t() || attribute->has_sparse_tensor())) {
    return Error{"attribute " + name + " is missing"};
  }
  TRY_ASSIGN(auto tensor, attribute->has_t()
                              ? scope().model.ReadTensor(attribute->t())
                              : scope().model.ReadTensor(attribute->sparse_tensor()));
  return Owned(tensor);
}

const Narrow* NodeContext::NarrowAttribute(const std::string& name) const {
  auto* attribute = Find(name);
  return attribute && attribute->has_t() ? NarrowType(attribute->t().data_type()) : nullptr;
}

std::vector<std::string> NodeContext::AttributeNames() const {
  std::vector<std::string> names;
  for (const auto& attribute : node_.attribute()) names.push_back(attribute.name());
  return names;
}

Result<std::vector<int64_t>> NodeContext::IntsOrOperand(const std::string& name, size_t i,
                                                        std::vector<int64_t> otherwise) const {
  if (HasAttribute(name)) return Ints(name);
  if (Has(i)) return Integers(i);
  return otherwise;
}

Result<int64_t> NodeContext::Axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) {
    return Error{"axis " + std::to_string(axis) + " is outside a tensor of " +
                 std::to_string(rank) + " dimensions"};
  }
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<int64_t>> NodeContext::Axes(const std::vector<int64_t>& axes,
                                               int64_t rank) const {
  std::vector<int64_t> out;
  for (int64_t axis : axes) {
    TRY_ASSIGN(auto front, Axis(axis, rank));
    out.push_back(front);
  }
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end())
    return Error{"an axis is named twice"};
  return out;
}

Status NodeContext::CheckVector(const std::string& what, ValueId vector, const Dim& size,
                                const std::string& each) const {
  const TensorType& type = TypeOf(vector);
  bool differs = type.rank() != 1 ||
                 (type.shape[0].IsConstant() && size.IsConstant() && type.shape[0] != size);
  if (!differs) return kSuccess;
  return Error{"the " + what + " is " + Print(type) + ", but must have one element for each " +
               each + ", of which there are " + Print(size)};
}

// ---- Building ---------------------------------------------------------------------------------

Result<ValueId> NodeContext::Scalar(DType dtype, double value) {
  return AddConstant(ScalarTensor(webnnc::Scalar::Of(dtype, value)));
}

Result<ValueId> NodeContext::AddConstant(Tensor tensor) {
  return scope().Add(graph::Constant{std::move(tensor), name_ + ".constant"}, {},
                     name_ + ".constant");
}

Result<ValueId> NodeContext::IntegerConstant(DType dtype, const std::vector<int64_t>& values) {
  return AddConstant(IntegerTensor(dtype, values));
}

Result<ValueId> NodeContext::Binary(loop::BinaryOp op, ValueId a, double value) {
  TRY_ASSIGN(auto scalar, Scalar(TypeOf(a).dtype, value));
  return Binary(op, a, scalar);
}

Result<ValueId> NodeContext::Cast(ValueId a, DType to) {
  if (TypeOf(a).dtype == to) return a;
  return Add(graph::Cast{to}, {a});
}

Result<ValueId> NodeContext::CastExactly(ValueId a, DType to) {
  if (TypeOf(a).dtype == to) return a;
  return Add(graph::Cast{to, to == DType::kF16}, {a});
}

Result<ValueId> NodeContext::Reshape(ValueId a, Shape shape) {
  const Shape from = TypeOf(a).shape;
  if (from == shape) return a;
  Dim count = ElementCount(from), wanted = ElementCount(shape);
  bool differ = count.IsConstant() && wanted.IsConstant();
  if (count != wanted && !differ) {
    // Their elements in one row are as many as is assumed.
    AssumeEqual(count, wanted);
    TRY_ASSIGN(a, Add(graph::Reshape{{count}}, {a}));
    TRY_ASSIGN(a, Add(graph::Refine{{wanted}}, {a}));
  }
  return Add(graph::Reshape{std::move(shape)}, {a});
}

Result<ValueId> NodeContext::Transpose(ValueId a, std::vector<int64_t> order) {
  int64_t rank = TypeOf(a).rank(), next = 0;
  bool stays =
      std::all_of(order.begin(), order.end(), [&](int64_t axis) { return axis == next++; });
  if (stays && next == rank) return a;
  return Add(graph::Transpose{std::move(order)}, {a});
}

}  // namespace webnnc::onnx
