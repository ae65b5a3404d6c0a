#include "spirv/expressions.h"

#include <algorithm>

#include "base/overloaded.h"
#include "loop/fold.h"
#include "loop/integer_ranges.h"
#include "loop/rewrite.h"
#include "spirv/functions.h"

namespace webnnc::spirv {

using loop::BufferId;
using loop::ExprId;
using loop::Space;

// Stands for the condition that each load's own index is inside its buffer.
static constexpr ExprId kOwnBounds{-2};

// ---- Buffers ----------------------------------------------------------------------------------

static spv::StorageClass StorageOf(Layout::Kind kind) {
  switch (kind) {
    case Layout::Kind::kParameter: return spv::StorageClassStorageBuffer;
    case Layout::Kind::kWorkgroup: return spv::StorageClassWorkgroup;
    case Layout::Kind::kArray:
    case Layout::Kind::kVariables:
    case Layout::Kind::kFragments: break;
  }
  return spv::StorageClassFunction;
}

Expressions::Expressions(loop::Kernel& kernel, loop::Simplifier& simplify, CodeBuilder& code,
                         const std::vector<Layout>& layouts, const std::vector<bool>& read_only)
    : kernel_(kernel),
      simplify_(simplify),
      code_(code),
      layouts_(layouts),
      contexts_(kernel),
      sizes_(code),
      variables_(layouts.size()),
      changed_(layouts.size()) {
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    bool only_read = parameters_ < read_only.size() && read_only[parameters_];
    DeclareBuffer(BufferId{b}, only_read);
  }
}

DType Expressions::StoredType(BufferId buffer) const {
  bool halves = layouts_[static_cast<size_t>(buffer.index)].halves;
  return halves ? DType::kU32 : kernel_.buffers[buffer].type.dtype;
}

void Expressions::DeclareBuffer(BufferId id, bool read_only) {
  const loop::Buffer& buffer = kernel_.buffers[id];
  const Layout& layout = layouts_[static_cast<size_t>(id.index)];
  auto& variables = variables_[static_cast<size_t>(id.index)];
  ModuleBuilder& module = code_.module();
  DType dtype = StoredType(id);
  int64_t bytes = ByteSize(dtype) * layout.width;
  if (layout.kind == Layout::Kind::kParameter) {
    if (dtype == DType::kF16) module.Require(spv::CapabilityStorageBuffer16BitAccess);
    spv::Id block =
        module.BlockType(module.Type(dtype, layout.width), static_cast<uint32_t>(bytes));
    variables = {module.GlobalVariable(spv::StorageClassStorageBuffer, block, buffer.name)};
    module.Bind(variables[0], parameters_++);
    if (read_only && buffer.space == Space::kIn) {
      module.Decorate(variables[0], spv::DecorationNonWritable);
    }
  } else if (layout.kind == Layout::Kind::kWorkgroup) {
    spv::Id array = module.ArrayType(module.Type(dtype, layout.width), layout.count);
    variables = {module.GlobalVariable(spv::StorageClassWorkgroup, array, buffer.name)};
    workgroup_bytes_ += bytes * layout.count;
  } else if (layout.kind == Layout::Kind::kFragments) {
    for (int64_t f = 0; f < layout.count; ++f)
      variables.push_back(code_.FragmentVariable(dtype, buffer.name + "_" + std::to_string(f)));
  } else if (layout.kind == Layout::Kind::kArray) {
    variables = {code_.ArrayVariable(dtype, layout.width, layout.count, buffer.name)};
  } else {
    for (size_t v = 0; v < layout.variables.size(); ++v) {
      bool only = layout.variables.size() == 1;
      std::string name = only ? buffer.name : buffer.name + "_" + std::to_string(v);
      variables.push_back(code_.Variable(dtype, layout.variables[v], name).id);
    }
  }
}

Pointer Expressions::PointerTo(BufferId buffer, const Place& place, const Value& guard,
                               Contexts::Id context) {
  const Layout& layout = layouts_[static_cast<size_t>(buffer.index)];
  std::vector<Value> indices;
  // The buffer is the only member of a struct.
  if (layout.kind == Layout::Kind::kParameter) indices.push_back(code_.Int(0));
  if (place.element) {
    Value element = Eval(*place.element, context);
    if (guard.valid()) element = Select(guard, element, code_.Int(0));
    indices.push_back(element);
  }
  if (place.component) indices.push_back(Eval(*place.component, context));
  spv::Id variable =
      variables_[static_cast<size_t>(buffer.index)][static_cast<size_t>(place.variable)];
  return code_.Element(StorageOf(layout.kind), variable, StoredType(buffer), place.lanes, indices);
}

void Expressions::Store(const loop::Store& store) {
  const Layout& layout = layouts_[static_cast<size_t>(store.buffer.index)];
  Value value = Eval(store.value);
  int32_t lane = 0;
  for (const Place& place : PlacesOf(kernel_, simplify_, layout, store.index[0], value.lanes)) {
    Value part = value;
    if (place.lanes != value.lanes) {
      std::vector<Value> lanes;
      for (int32_t i = 0; i < place.lanes; ++i) lanes.push_back(code_.Extract(value, lane + i));
      part = code_.Construct(lanes);
    }
    lane += place.lanes;
    Pointer pointer = PointerTo(store.buffer, place, {}, Contexts::kAlways);
    if (store.update != loop::Update::kSet) {
      part = EmitUpdate(store.update, code_.Load(pointer), part);
    }
    code_.Store(pointer, part);
  }
  changed_[static_cast<size_t>(store.buffer.index)] = ++time_;
}

spv::Id Expressions::ElementAt(BufferId buffer, ExprId index) {
  const Layout& layout = layouts_[static_cast<size_t>(buffer.index)];
  Place place = PlacesOf(kernel_, simplify_, layout, index, layout.width)[0];
  return PointerTo(buffer, place, {}, Contexts::kAlways).id;
}

// ---- Changes of memory ------------------------------------------------------------------------

void Expressions::Change(const loop::Block& block) {
  loop::ForEachStmt(block, [&](const loop::Stmt& stmt) {
    if (std::holds_alternative<loop::Barrier>(stmt)) ChangeByBarrier();
    auto* store = std::get_if<loop::Store>(&stmt);
    if (store) changed_[static_cast<size_t>(store->buffer.index)] = ++time_;
  });
}

void Expressions::ChangeByBarrier() {
  for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
    if (kernel_.buffers[BufferId{b}].space != Space::kWorkgroup) continue;
    changed_[static_cast<size_t>(b)] = ++time_;
  }
}

const std::vector<BufferId>& Expressions::MutableLoads(ExprId id) {
  auto found = mutable_loads_.find(id);
  if (found != mutable_loads_.end()) return found->second;
  const loop::Expr& expr = kernel_.exprs[id];
  std::vector<BufferId> loads;
  auto* load = std::get_if<loop::Load>(&expr.node);
  if (load && kernel_.buffers[load->buffer].space != Space::kIn) loads.push_back(load->buffer);
  for (ExprId operand : loop::Operands(expr)) {
    const auto& inner = MutableLoads(operand);
    loads.insert(loads.end(), inner.begin(), inner.end());
  }
  std::sort(loads.begin(), loads.end());
  loads.erase(std::unique(loads.begin(), loads.end()), loads.end());
  return mutable_loads_[id] = std::move(loads);
}

// ---- Evaluation -------------------------------------------------------------------------------

std::optional<Value> Expressions::Find(const Key& key) {
  for (size_t s = here_ + 1; s-- > 0;) {
    auto found = scopes_[s].values.find(key);
    if (found == scopes_[s].values.end()) continue;
    auto is_older = [&](BufferId buffer) {
      return changed_[static_cast<size_t>(buffer.index)] < found->second.time;
    };
    auto is_valid = [&](ExprId id) {
      const auto& loads = MutableLoads(id);
      return std::all_of(loads.begin(), loads.end(), is_older);
    };
    bool has_guard = key.guard.valid() && key.guard != kOwnBounds;
    if (is_valid(key.id) && (!has_guard || is_valid(key.guard))) return found->second.value;
  }
  return std::nullopt;
}

size_t Expressions::ScopeOf(ExprId id) {
  auto found = scope_of_.find(id);
  if (found != scope_of_.end()) return found->second;
  const loop::Expr& expr = kernel_.exprs[id];
  size_t scope = 0;
  if (std::holds_alternative<loop::Load>(expr.node)) scope = kWhereUsed;
  if (auto* variable = std::get_if<loop::Variable>(&expr.node)) {
    scope = vars_.at(variable->var).scope;
  }
  for (ExprId operand : loop::Operands(expr)) scope = std::max(scope, ScopeOf(operand));
  return scope_of_[id] = scope;
}

bool Expressions::IsOffset(ExprId id) const {
  const loop::Expr& expr = kernel_.exprs[id];
  auto* binary = std::get_if<loop::Binary>(&expr.node);
  if (!binary || expr.dtype != DType::kI32) return false;
  bool sums = binary->op == loop::BinaryOp::kAdd || binary->op == loop::BinaryOp::kSub;
  return sums && std::holds_alternative<loop::Constant>(kernel_.exprs[binary->b].node);
}

size_t Expressions::PlaceFor(ExprId id) {
  size_t scope = ScopeOf(id);
  if (scope == kWhereUsed || IsOffset(id)) return here_;
  // Out of loops, but not out of an If for its own sake: there it may never be needed.
  while (scope < here_ && !scopes_[scope + 1].repeats) ++scope;
  return std::min(scope, here_);
}

Value Expressions::DefineLet(loop::VarId var, ExprId value) {
  Value result = Eval(value);
  vars_[var] = {result, IsOffset(value) ? here_ : std::min(ScopeOf(value), here_)};
  return result;
}

Value Expressions::Eval(ExprId id, Contexts::Id inherited) {
  Contexts::Id context = contexts_.Of(id, inherited);
  Key key{id, {}};
  if (auto known = Find(key)) return *known;
  if (context != Contexts::kAlways && NeedsGuard(id)) {
    key.guard = context == Contexts::kAnywhere ? kOwnBounds : contexts_.Condition(context);
    if (auto known = Find(key)) return *known;
  }
  // Operands have their values at least as far out, so they are written before.
  size_t inside = std::exchange(here_, PlaceFor(id));
  Value value = code_.AtDepth(here_, [&] { return Compute(id, context); });
  scopes_[here_].values[key] = {value, ++time_};
  here_ = inside;
  return value;
}

Value Expressions::Compute(ExprId id, Contexts::Id context) {
  // A copy, since evaluating adds expressions.
  loop::Expr expr = kernel_.exprs[id];
  // WGSL does not accept constant expressions that overflow.
  if (auto constant = ConstantOf(id)) return code_.Constant(*constant, expr.lanes);
  auto eval = [&](ExprId operand) { return Eval(operand, context); };
  return std::visit(
      Overloaded{
          [&](const loop::Constant&) { return Value(); },  // is above
          [&](const loop::Variable& node) { return vars_.at(node.var).value; },
          [&](const loop::Size& node) { return sizes_.Of(node.dim); },
          [&](const loop::Load& node) {
            return ComputeLoad(node, expr.lanes, GuardOf(node, expr.lanes, context), context);
          },
          [&](const loop::Unary& node) { return EmitUnary(node.op, eval(node.a)); },
          [&](const loop::Binary& node) { return ComputeBinary(node, context); },
          [&](const loop::Select& node) { return ComputeSelect(node, context); },
          [&](const loop::Convert& node) { return EmitConvert(eval(node.a), expr.dtype); },
          [&](const loop::Splat& node) { return code_.Splat(eval(node.a), expr.lanes); },
          [&](const loop::Ramp& node) { return ComputeRamp(node, expr.lanes, context); },
          [&](const loop::Pack& node) { return ComputePack(node, context); },
      },
      expr.node);
}

// Whether devices may combine a constant of `outer` with one of its operand `inner`: WGSL lets them
// regroup sums and products as if nothing were rounded.
bool Expressions::MayRegroup(const loop::Binary& outer, loop::ExprId inner) {
  using loop::BinaryOp;
  auto is_sum = [](BinaryOp op) { return op == BinaryOp::kAdd || op == BinaryOp::kSub; };
  auto takes_constant = [&](const loop::Binary& binary) {
    return ConstantOf(binary.a).has_value() || ConstantOf(binary.b).has_value();
  };
  auto* within = std::get_if<loop::Binary>(&kernel_.exprs[inner].node);
  bool alike = within && ((is_sum(outer.op) && is_sum(within->op)) ||
                          (outer.op == BinaryOp::kMul && within->op == BinaryOp::kMul));
  return alike && IsFloat(kernel_.exprs[inner].dtype) && takes_constant(outer) &&
         takes_constant(*within);
}

Value Expressions::ComputeBinary(const loop::Binary& binary, Contexts::Id context) {
  Value a = Eval(binary.a, context), b = Eval(binary.b, context);
  if (MayRegroup(binary, binary.a)) a = Opaque(a);
  if (MayRegroup(binary, binary.b)) b = Opaque(b);
  OperandFacts facts{ConstantOf(binary.b)};
  if (a.dtype == DType::kI32 && a.lanes == 1) {
    facts.a_non_negative = simplify_.ProvablyNonNegative(simplify_.ToPolynomial(binary.a));
    facts.b_non_negative = simplify_.ProvablyNonNegative(simplify_.ToPolynomial(binary.b));
  }
  if (binary.op == loop::BinaryOp::kShiftLeft || binary.op == loop::BinaryOp::kShiftRight) {
    constexpr loop::IntegerRange kWithin{0, 31};
    facts.shifts_within = kWithin.Holds(loop::IntegerRanges(kernel_, loop::RangeOf).Of(binary.b));
  }
  return EmitBinary(binary.op, a, b, facts);
}

Value Expressions::ComputeSelect(const loop::Select& select, Contexts::Id context) {
  Contexts::Id yes = contexts_.Inside(context, select.condition, true);
  Contexts::Id no = contexts_.Inside(context, select.condition, false);
  ExprId chosen = select.yes;
  Value condition;
  if (context == Contexts::kAlways && kernel_.exprs[select.condition].lanes == 1) {
    // select(a, select(b, x, 0), 0) is select(a and b, x, 0), and the load in x has that guard
    // anyway.
    loop::Expr expr = kernel_.exprs[chosen];
    auto* inner = std::get_if<loop::Select>(&expr.node);
    bool merges = inner && inner->no == select.no && kernel_.exprs[inner->condition].lanes == 1;
    if (merges && !NeedsGuard(select.no)) {
      yes = contexts_.Inside(yes, inner->condition, true);
      chosen = inner->yes;
    }
    condition = Eval(contexts_.Condition(yes), yes);
  } else {
    condition = Eval(select.condition, context);
  }
  Value value = Eval(chosen, yes);
  return Select(condition, value, Eval(select.no, no));
}

ExprId Expressions::GuardOf(const loop::Load& load, int32_t lanes, Contexts::Id context) {
  if (context == Contexts::kAlways || !MayBeOutside(load, lanes)) return {};
  if (context != Contexts::kAnywhere) return contexts_.Condition(context);
  loop::Builder build(kernel_);
  ExprId last = build.Add(load.index[0], build.Int(lanes - 1));
  ExprId size = build.Size(kernel_.buffers[load.buffer].type.shape[0]);
  return build.And(build.LessEqual(build.Int(0), load.index[0]), build.Less(last, size));
}

Value Expressions::ComputeLoad(const loop::Load& load, int32_t lanes, ExprId guard,
                               Contexts::Id context) {
  const Layout& layout = layouts_[static_cast<size_t>(load.buffer.index)];
  std::vector<Value> parts;
  auto load_lanes = [&](ExprId index, int32_t count, const Value& condition) {
    if (layout.halves) {
      auto halves = LoadHalves(load.buffer, index, count, condition, context);
      parts.insert(parts.end(), halves.begin(), halves.end());
      return;
    }
    for (const Place& place : PlacesOf(kernel_, simplify_, layout, index, count)) {
      parts.push_back(code_.Load(PointerTo(load.buffer, place, condition, context)));
    }
  };
  Value condition;
  if (guard.valid()) condition = Eval(guard, contexts_.Outer(context));
  if (guard.valid() && condition.lanes > 1 && lanes == 1) {
    condition = code_.Emit(spv::OpAny, DType::kBool, 1, {condition.id});
  }
  if (guard.valid() && condition.lanes > 1) {
    // Lanes that are chosen one by one are loaded one by one.
    loop::Builder build(kernel_);
    for (int32_t lane = 0; lane < lanes; ++lane) {
      ExprId index = simplify_(build.Add(load.index[0], build.Int(lane)));
      load_lanes(index, 1, code_.Extract(condition, lane));
    }
  } else {
    load_lanes(load.index[0], lanes, condition);
  }
  return code_.Construct(parts);
}

std::vector<Value> Expressions::LoadHalves(BufferId buffer, ExprId index, int32_t lanes,
                                           const Value& guard, Contexts::Id context) {
  loop::Builder build(kernel_);
  int32_t width = layouts_[static_cast<size_t>(buffer.index)].width, per_element = 2 * width;
  auto load_words = [&](ExprId position, bool whole) {
    Place place{0, simplify_(build.FloorDiv(position, build.Int(per_element))), {}, width};
    if (!whole && width > 1) {
      ExprId word = build.FloorDiv(position, build.Int(2));
      place.component = simplify_(build.FloorMod(word, build.Int(width)));
      place.lanes = 1;
    }
    return code_.Load(PointerTo(buffer, place, guard, context));
  };
  auto unpack = [&](const Value& word) {
    uint32_t function = GLSLstd450UnpackHalf2x16;
    return code_.Emit(spv::OpExtInst, DType::kF32, 2,
                      {code_.module().MathInstructions(), function, word.id});
  };
  std::vector<Value> parts;
  for (int32_t lane = 0; lane < lanes;) {
    ExprId position = simplify_(build.Add(index, build.Int(lane)));
    int64_t divisor = simplify_.KnownDivisor(simplify_.ToPolynomial(position));
    bool whole = lanes - lane >= per_element && divisor % per_element == 0;
    Value words = load_words(position, whole);
    if (whole) {
      for (int32_t w = 0; w < width; ++w) parts.push_back(unpack(code_.Extract(words, w)));
      lane += per_element;
      continue;
    }
    ExprId odd = simplify_(build.FloorMod(position, build.Int(2)));
    if (auto known = ConstantOf(odd)) {
      parts.push_back(code_.Extract(unpack(words), static_cast<int32_t>(known->integer)));
    } else {
      Value shift = Bitcast(Eval(simplify_(build.Mul(odd, build.Int(16))), context), DType::kU32);
      parts.push_back(code_.Extract(unpack(ShiftRight(words, shift)), 0));
    }
    ++lane;
  }
  return parts;
}

Value Expressions::ComputeRamp(const loop::Ramp& ramp, int32_t lanes, Contexts::Id context) {
  DType dtype = kernel_.exprs[ramp.base].dtype;
  auto base = ConstantOf(ramp.base);
  std::vector<spv::Id> steps;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Scalar step = Scalar::Integer(dtype, lane + (base ? base->integer : 0));
    steps.push_back(code_.module().Constant(step));
  }
  ModuleBuilder& module = code_.module();
  Value ramp_of{&code_, module.CompositeConstant(module.Type(dtype, lanes), steps), dtype, lanes};
  return base ? ramp_of : code_.Splat(Eval(ramp.base, context), lanes) + ramp_of;
}

Value Expressions::ComputePack(const loop::Pack& pack, Contexts::Id context) {
  std::vector<Value> lanes;
  bool all_constant = true;
  for (ExprId lane : pack.lanes) {
    lanes.push_back(Eval(lane, context));
    all_constant &= ConstantOf(lane).has_value();
  }
  if (!all_constant) return code_.Construct(lanes);
  std::vector<spv::Id> constants;
  for (const Value& lane : lanes) constants.push_back(lane.id);
  ModuleBuilder& module = code_.module();
  auto count = static_cast<int32_t>(lanes.size());
  spv::Id type = module.Type(lanes[0].dtype, count);
  return {&code_, module.CompositeConstant(type, constants), lanes[0].dtype, count};
}

// ---- What is known of expressions -------------------------------------------------------------

std::optional<Scalar> Expressions::ConstantOf(ExprId id) {
  auto found = constants_.find(id);
  if (found != constants_.end()) return found->second;
  std::optional<Scalar> value = Fold(kernel_.exprs[id]);
  constants_[id] = value;
  return value;
}

std::optional<Scalar> Expressions::Fold(const loop::Expr& expr) {
  if (auto* constant = std::get_if<loop::Constant>(&expr.node)) return constant->value;
  if (auto* select = std::get_if<loop::Select>(&expr.node)) {
    auto condition = ConstantOf(select->condition);
    if (condition) return ConstantOf(condition->integer ? select->yes : select->no);
  }
  if (auto* splat = std::get_if<loop::Splat>(&expr.node)) return ConstantOf(splat->a);
  if (auto* unary = std::get_if<loop::Unary>(&expr.node)) {
    auto a = ConstantOf(unary->a);
    if (a) return loop::Evaluate(unary->op, *a);
  }
  if (auto* binary = std::get_if<loop::Binary>(&expr.node)) {
    auto a = ConstantOf(binary->a), b = ConstantOf(binary->b);
    if (a && b) return loop::Evaluate(binary->op, *a, *b);
  }
  if (auto* convert = std::get_if<loop::Convert>(&expr.node)) {
    auto a = ConstantOf(convert->a);
    if (a) return Convert(*a, expr.dtype);
  }
  return std::nullopt;
}

bool Expressions::MayBeOutside(const loop::Load& load, int32_t lanes) {
  // Constant indices have been checked.
  if (layouts_[static_cast<size_t>(load.buffer.index)].kind == Layout::Kind::kVariables)
    return false;
  loop::Builder build(kernel_);
  loop::Polynomial index = simplify_.ToPolynomial(load.index[0]);
  loop::Polynomial size =
      simplify_.ToPolynomial(build.Size(kernel_.buffers[load.buffer].type.shape[0]));
  loop::Polynomial left = size - index - loop::ConstantPolynomial(lanes);
  return !simplify_.ProvablyNonNegative(index) || !simplify_.ProvablyNonNegative(left);
}

bool Expressions::NeedsGuard(ExprId id) {
  auto found = needs_guard_.find(id);
  if (found != needs_guard_.end()) return found->second;
  loop::Expr expr = kernel_.exprs[id];
  auto* load = std::get_if<loop::Load>(&expr.node);
  bool needs = load && MayBeOutside(*load, expr.lanes);
  for (ExprId operand : loop::Operands(expr)) needs |= NeedsGuard(operand);
  return needs_guard_[id] = needs;
}

}  // namespace webnnc::spirv
