#include "loop/builder.h"

#include "loop/fold.h"
#include "loop/reducer.h"

namespace webnnc::loop {

ExprId Builder::Constant(const Scalar& value) {
  return kernel_.exprs.Add({loop::Constant{value}, value.dtype});
}
ExprId Builder::Int(int64_t value) { return Constant(Scalar::Integer(DType::kI32, value)); }
ExprId Builder::Real(DType dtype, double value) { return Constant(Scalar::Of(dtype, value)); }

ExprId Builder::Size(const Dim& dim) {
  if (dim.IsConstant()) return Int(dim.value());
  return kernel_.exprs.Add({loop::Size{dim}, DType::kI32});
}

ExprId Builder::Var(VarId var) {
  const loop::Var& variable = kernel_.vars[var];
  return kernel_.exprs.Add({Variable{var}, variable.dtype, variable.lanes});
}

ExprId Builder::Load(BufferId buffer, Index index) {
  DType dtype = kernel_.buffers[buffer].type.dtype;
  return kernel_.exprs.Add({loop::Load{buffer, std::move(index)}, dtype});
}

ExprId Builder::LoadBroadcast(BufferId buffer, const Index& index) {
  const Shape& shape = kernel_.buffers[buffer].type.shape;
  CHECK(shape.size() <= index.size());
  Index own(index.end() - static_cast<int64_t>(shape.size()), index.end());
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d].Is(1)) own[d] = Int(0);
  }
  return Load(buffer, std::move(own));
}

const Scalar* Builder::ConstantValue(ExprId id) const {
  auto* constant = std::get_if<loop::Constant>(&kernel_.exprs[id].node);
  return constant && kernel_.exprs[id].lanes == 1 ? &constant->value : nullptr;
}

ExprId Builder::Apply(UnaryOp op, ExprId a) {
  const bool is_known = op != UnaryOp::kDotByte && op != UnaryOp::kDotBytes;
  if (const Scalar* value = is_known ? ConstantValue(a) : nullptr)
    return Constant(Evaluate(op, *value));
  const Expr& expr = kernel_.exprs[a];
  return kernel_.exprs.Add({Unary{op, a}, ResultType(op, expr.dtype), expr.lanes});
}

// x op y where y is a constant that leaves x alone, or decides the result.
static ExprId FoldIdentity(BinaryOp op, ExprId x, const Scalar& y, ExprId y_id, ExprId none) {
  if (y.dtype == DType::kBool) {
    bool is_true = y.integer != 0;
    if (op == BinaryOp::kAnd) return is_true ? x : y_id;
    if (op == BinaryOp::kOr) return is_true ? y_id : x;
    return none;
  }
  // x + 0.0 is not x for x = -0.0, but no model can tell: both compare equal.
  if (op == BinaryOp::kAdd && y.IsZero()) return x;
  if (op == BinaryOp::kMul && y.AsReal() == 1) return x;
  if (op == BinaryOp::kMul && y.IsZero() && IsInteger(y.dtype)) return y_id;
  return none;
}

ExprId Builder::Apply(BinaryOp op, ExprId a, ExprId b) {
  CHECK(dtype(a) == dtype(b) && kernel_.exprs[a].lanes == kernel_.exprs[b].lanes);
  const Scalar *x = ConstantValue(a), *y = ConstantValue(b);
  if (x && y) return Constant(Evaluate(op, *x, *y));
  ExprId none;
  if (y) {
    if (ExprId folded = FoldIdentity(op, a, *y, b, none); folded.valid()) return folded;
    bool unit = y->AsReal() == 1;
    if ((op == BinaryOp::kDiv || op == BinaryOp::kFloorDiv) && unit) return a;
    if (op == BinaryOp::kFloorMod && unit) return Constant(Scalar::Of(y->dtype, 0));
    if (op == BinaryOp::kSub && y->IsZero()) return a;
  }
  if (x) {
    if (ExprId folded = FoldIdentity(op, b, *x, a, none); folded.valid()) return folded;
  }
  DType type = IsComparison(op) ? DType::kBool : dtype(a);
  return kernel_.exprs.Add({Binary{op, a, b}, type, kernel_.exprs[a].lanes});
}

ExprId Builder::Select(ExprId condition, ExprId yes, ExprId no) {
  CHECK(dtype(condition) == DType::kBool && dtype(yes) == dtype(no));
  if (const Scalar* value = ConstantValue(condition)) return value->integer ? yes : no;
  if (yes == no) return yes;
  // What is chosen is widened: a load that the condition guards stays one, of few bytes.
  const Expr widened = kernel_.exprs[yes];
  auto* convert = std::get_if<loop::Convert>(&widened.node);
  const Scalar* zero = ConstantValue(no);
  if (convert && zero && zero->IsZero() && IsInteger(widened.dtype) && widened.lanes == 1) {
    DType from = dtype(convert->a);
    if (IsInteger(from) && !IsPacked(from) && BitSize(from) < BitSize(widened.dtype))
      return Convert(Select(condition, convert->a, Constant(Scalar::Integer(from, 0))),
                     widened.dtype);
  }
  return kernel_.exprs.Add(
      {loop::Select{condition, yes, no}, dtype(yes), kernel_.exprs[yes].lanes});
}

ExprId Builder::Convert(ExprId a, DType to) {
  if (dtype(a) == to) return a;
  if (const Scalar* value = ConstantValue(a)) return Constant(webnnc::Convert(*value, to));
  return kernel_.exprs.Add({loop::Convert{a}, to, kernel_.exprs[a].lanes});
}

ExprId Builder::RoundToHalf(ExprId a) {
  if (ConstantValue(a)) return Convert(a, DType::kF16);
  return kernel_.exprs.Add({loop::Convert{a, true}, DType::kF16, kernel_.exprs[a].lanes});
}

ExprId Builder::Splat(ExprId a, int32_t lanes) {
  CHECK(kernel_.exprs[a].lanes == 1);
  if (lanes == 1) return a;
  return kernel_.exprs.Add({loop::Splat{a}, dtype(a), lanes});
}

ExprId Builder::Pack(std::vector<ExprId> lanes) {
  DType type = dtype(lanes.at(0));
  auto count = static_cast<int32_t>(lanes.size());
  return kernel_.exprs.Add({loop::Pack{std::move(lanes)}, type, count});
}

void Builder::Store(BufferId buffer, Index index, ExprId value, Update update) {
  CHECK(dtype(value) == kernel_.buffers[buffer].type.dtype);
  block_->push_back(loop::Store{buffer, std::move(index), value, update});
}

void Builder::Reduce(BufferId buffer, Index place, ExprId term, Update update, ExprId start) {
  if (!start.valid()) start = Constant(Neutral(update, dtype(term)));
  CHECK(dtype(term) == kernel_.buffers[buffer].type.dtype && dtype(start) == dtype(term));
  block_->push_back(loop::Reduce{update, std::move(place), {{buffer, term, start}}});
}

void Builder::Reduce(const std::vector<BufferId>& buffers, Index place,
                     const std::vector<ExprId>& terms, Update update) {
  std::vector<DType> dtypes;
  for (BufferId buffer : buffers) dtypes.push_back(kernel_.buffers[buffer].type.dtype);
  Tuple starts = NeutralTuple(kernel_, update, dtypes);
  std::vector<Part> parts;
  for (size_t p = 0; p < buffers.size(); ++p) parts.push_back({buffers[p], terms[p], starts[p]});
  block_->push_back(loop::Reduce{update, std::move(place), std::move(parts)});
}

void Builder::Let(VarId var, ExprId value) { block_->push_back(loop::Let{var, value}); }

void Builder::Barrier() { block_->push_back(loop::Barrier{}); }

void Builder::For(const std::string& name, const Dim& extent,
                  const std::function<void(ExprId)>& body, LoopKind kind) {
  // The loop is built aside and then appended: appending to it in place would leave block_
  // dangling whenever the enclosing vector grows.
  loop::For loop{kernel_.vars.Add({name}), extent, kind, {}};
  Block* enclosing = std::exchange(block_, &loop.body);
  body(Var(loop.var));
  block_ = enclosing;
  block_->push_back(std::move(loop));
}

void Builder::If(ExprId condition, const std::function<void()>& body) {
  loop::If test{condition, {}};
  Block* enclosing = std::exchange(block_, &test.body);
  body();
  block_ = enclosing;
  block_->push_back(std::move(test));
}

void Builder::ForEach(const Shape& shape, const std::function<void(const Index&)>& body,
                      const std::vector<std::string>& names) {
  static constexpr const char* kNames[] = {"i", "j", "k", "l", "m", "n", "p", "q"};
  Index index;
  std::function<void()> descend = [&] {
    size_t d = index.size();
    if (d == shape.size()) return body(index);
    std::string name = d < names.size()        ? names[d]
                       : d < std::size(kNames) ? kNames[d]
                                               : "d" + std::to_string(d);
    For(name, shape[d], [&](ExprId var) {
      index.push_back(var);
      descend();
      index.pop_back();
    });
  };
  descend();
}

}  // namespace webnnc::loop
