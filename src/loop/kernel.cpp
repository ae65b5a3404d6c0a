#include "loop/kernel.h"

#include <bit>

#include "base/overloaded.h"

namespace webnnc::loop {

// ---- The pool ---------------------------------------------------------------------------------

static size_t Mix(size_t hash, size_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15u + (hash >> 29);
}

static size_t Hash(const Dim& dim) {
  size_t hash = static_cast<size_t>(dim.constant());
  for (const DimTerm& term : dim.terms()) {
    hash = Mix(hash, static_cast<size_t>(term.coefficient));
    for (const DimAtom& atom : term.factors)
      hash = Mix(hash, std::hash<std::string>()(atom.symbol));
  }
  return hash;
}

static size_t Hash(const Expr& expr) {
  size_t hash = Mix(expr.node.index(),
                    static_cast<size_t>(expr.dtype) * 64 + static_cast<size_t>(expr.lanes));
  std::visit(
      Overloaded{
          [&](const Constant& node) {
            hash = Mix(hash, static_cast<size_t>(node.value.integer));
            hash = Mix(hash, std::bit_cast<uint64_t>(node.value.real));
          },
          [&](const Variable& node) { hash = Mix(hash, static_cast<size_t>(node.var.index)); },
          [&](const Size& node) { hash = Mix(hash, Hash(node.dim)); },
          [&](const Load& node) { hash = Mix(hash, static_cast<size_t>(node.buffer.index)); },
          [&](const Unary& node) { hash = Mix(hash, static_cast<size_t>(node.op)); },
          [&](const Binary& node) { hash = Mix(hash, static_cast<size_t>(node.op)); },
          [&](const Convert& node) { hash = Mix(hash, node.rounded); },
          [](const auto&) {},
      },
      expr.node);
  for (ExprId operand : Operands(expr)) hash = Mix(hash, static_cast<size_t>(operand.index));
  return hash;
}

ExprId ExprPool::Add(Expr expr) {
  size_t hash = Hash(expr);
  auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (items_[it->second] == expr) return it->second;
  }
  ExprId id = items_.Add(std::move(expr));
  by_hash_.emplace(hash, id);
  return id;
}

// ---- Walking ----------------------------------------------------------------------------------

std::vector<ExprId> Operands(const Expr& expr) {
  return std::visit(
      Overloaded{
          [](const Load& node) { return node.index; },
          [](const Unary& node) { return std::vector{node.a}; },
          [](const Binary& node) { return std::vector{node.a, node.b}; },
          [](const Select& node) { return std::vector{node.condition, node.yes, node.no}; },
          [](const Convert& node) { return std::vector{node.a}; },
          [](const Splat& node) { return std::vector{node.a}; },
          [](const Ramp& node) { return std::vector{node.base}; },
          [](const Pack& node) { return node.lanes; },
          [](const auto&) { return std::vector<ExprId>(); },
      },
      expr.node);
}

Expr WithOperands(Expr expr, const std::vector<ExprId>& operands) {
  std::visit(Overloaded{
                 [&](Load& node) { node.index = operands; },
                 [&](Unary& node) { node.a = operands[0]; },
                 [&](Binary& node) { node.a = operands[0], node.b = operands[1]; },
                 [&](Select& node) {
                   node.condition = operands[0], node.yes = operands[1], node.no = operands[2];
                 },
                 [&](Convert& node) { node.a = operands[0]; },
                 [&](Splat& node) { node.a = operands[0]; },
                 [&](Ramp& node) { node.base = operands[0]; },
                 [&](Pack& node) { node.lanes = operands; },
                 [](auto&) {},
             },
             expr.node);
  return expr;
}

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual; }

DType ResultType(UnaryOp op, DType operand) {
  switch (op) {
    case UnaryOp::kIsNan:
    case UnaryOp::kIsInf: return DType::kBool;
    case UnaryOp::kBits: return operand == DType::kF64 ? DType::kI64 : DType::kI32;
    case UnaryOp::kFromBits: return operand == DType::kI64 ? DType::kF64 : DType::kF32;
    default: return operand;
  }
}

static constexpr std::string_view kUnaryNames[] = {
    "neg",   "abs",   "sign",  "not",  "bitnot",   "floor",   "ceil",    "round",
    "trunc", "exp",   "log",   "sqrt", "sin",      "cos",     "tan",     "asin",
    "acos",  "atan",  "sinh",  "cosh", "tanh",     "asinh",   "acosh",   "atanh",
    "erf",   "isnan", "isinf", "bits", "frombits", "dotbyte", "dotbytes"};
static_assert(std::size(kUnaryNames) == kUnaryOpCount);

static constexpr std::string_view kBinaryNames[] = {
    "+",   "-",  "*",   "/",   "%",   "floordiv", "floormod", "pow", "min", "max",
    "and", "or", "xor", "shl", "shr", "dot4",     "==",       "!=",  "<",   "<="};
static_assert(std::size(kBinaryNames) == kBinaryOpCount);

static constexpr std::string_view kLoopKindNames[] = {
    "",       "unrolled", "vector",   "thread",      "combined",    "subgroup",
    "matrix", "ordered",  "parallel", "workgroup.x", "workgroup.y", "workgroup.z"};
static_assert(std::size(kLoopKindNames) == kLoopKindCount);

static constexpr std::string_view kSpaceNames[] = {"in", "out", "temporary", "workgroup",
                                                   "register"};
static_assert(std::size(kSpaceNames) == kSpaceCount);

static constexpr std::string_view kUpdateNames[] = {
    "=", "+=", "*=", "max=", "min=", "argmax=", "argmin="};
static_assert(std::size(kUpdateNames) == kUpdateCount);

std::string_view Name(UnaryOp op) { return kUnaryNames[static_cast<int>(op)]; }
std::string_view Name(BinaryOp op) { return kBinaryNames[static_cast<int>(op)]; }
std::string_view Name(LoopKind kind) { return kLoopKindNames[static_cast<int>(kind)]; }
std::string_view Name(Space space) { return kSpaceNames[static_cast<int>(space)]; }
std::string_view Name(Update update) { return kUpdateNames[static_cast<int>(update)]; }

ExprId Combine(Kernel& kernel, Update update, ExprId old, ExprId value) {
  const Expr& expr = kernel.exprs[value];
  DType dtype = expr.dtype;
  int32_t lanes = expr.lanes;
  BinaryOp op = BinaryOp::kAdd;
  switch (update) {
    case Update::kSet: return value;
    case Update::kAdd: op = BinaryOp::kAdd; break;
    case Update::kMul: op = BinaryOp::kMul; break;
    case Update::kMax: op = BinaryOp::kMax; break;
    case Update::kMin: op = BinaryOp::kMin; break;
    case Update::kArgMax:
    case Update::kArgMin: CHECK(false);
  }
  return kernel.exprs.Add({Binary{op, old, value}, dtype, lanes});
}

Scalar Neutral(Update update, DType dtype) {
  switch (update) {
    case Update::kSet:
    case Update::kAdd: return Scalar::Of(dtype, 0);
    case Update::kMul: return Scalar::Of(dtype, 1);
    case Update::kMax: return Lowest(dtype, true);
    case Update::kMin: return Highest(dtype, true);
    case Update::kArgMax:
    case Update::kArgMin: break;
  }
  CHECK(false);
  return {};
}

}  // namespace webnnc::loop
