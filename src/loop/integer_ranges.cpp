#include "loop/integer_ranges.h"

#include <algorithm>

#include "base/overloaded.h"

namespace webnnc::loop {

IntegerRange RangeOf(DType dtype) {
  if (dtype == DType::kU64) return {0, INT64_MAX};
  return {Lowest(dtype).integer, Highest(dtype).integer};
}

static int64_t Saturate(__int128 value) {
  return static_cast<int64_t>(std::clamp<__int128>(value, INT64_MIN, INT64_MAX));
}

static IntegerRange Union(const IntegerRange& a, const IntegerRange& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

// The range of a function of two numbers that has its extremes at the ends of their ranges.
template <typename F>
static IntegerRange OfEnds(const IntegerRange& a, const IntegerRange& b, F f) {
  IntegerRange all{INT64_MAX, INT64_MIN};
  for (int64_t x : {a.low, a.high}) {
    for (int64_t y : {b.low, b.high}) {
      int64_t value = Saturate(f(static_cast<__int128>(x), static_cast<__int128>(y)));
      all = Union(all, {value, value});
    }
  }
  return all;
}

static int64_t Magnitude(const IntegerRange& range) {
  __int128 low = range.low, high = range.high;
  return Saturate(std::max(low < 0 ? -low : low, high < 0 ? -high : high));
}

void IntegerRanges::Bind(VarId var, const Dim& extent) {
  auto most = UpperBound(extent);
  vars_[var] = {0, std::min<int64_t>(most.value_or(INT32_MAX), INT32_MAX)};
}

IntegerRange IntegerRanges::Of(ExprId id) {
  IntegerRange exact = Exact(id), holds = holds_(kernel_.exprs[id].dtype);
  // A constant is what it is, however it is carried.
  bool is_constant = std::holds_alternative<Constant>(kernel_.exprs[id].node);
  return is_constant || holds.Holds(exact) ? exact : holds;
}

IntegerRange IntegerRanges::Exact(ExprId id) {
  if (auto found = assumed_.find(id); found != assumed_.end()) return found->second;
  if (auto found = known_.find(id); found != known_.end()) return found->second;
  const Expr& expr = kernel_.exprs[id];
  IntegerRange all = holds_(expr.dtype);
  IntegerRange range = std::visit(
      Overloaded{
          [&](const Constant& node) {
            return IntegerRange{node.value.integer, node.value.integer};
          },
          [&](const Variable& node) {
            auto found = vars_.find(node.var);
            return found == vars_.end() ? all : found->second;
          },
          [&](const Size& node) {
            return IntegerRange{LowerBound(node.dim).value_or(INT32_MIN),
                                UpperBound(node.dim).value_or(INT32_MAX)};
          },
          [&](const Load&) { return all; },
          [&](const Unary& node) { return expr.dtype == DType::kBool ? all : OfUnary(node); },
          [&](const Binary& node) {
            return expr.dtype == DType::kBool ? all : OfBinary(node, expr.dtype);
          },
          [&](const Select& node) { return OfSelect(node); },
          [&](const Convert& node) {
            return IsFloat(kernel_.exprs[node.a].dtype) ? RangeOf(expr.dtype) : Of(node.a);
          },
          [&](const Splat& node) { return Of(node.a); },
          [&](const Ramp& node) {
            IntegerRange base = Of(node.base);
            return IntegerRange{base.low,
                                Saturate(static_cast<__int128>(base.high) + expr.lanes - 1)};
          },
          [&](const Pack& node) {
            IntegerRange lanes = Of(node.lanes[0]);
            for (ExprId lane : node.lanes) lanes = Union(lanes, Of(lane));
            return lanes;
          },
      },
      expr.node);
  return known_[id] = range;
}

IntegerRange IntegerRanges::OfUnary(const Unary& unary) {
  IntegerRange a = Of(unary.a);
  switch (unary.op) {
    case UnaryOp::kNegate: return OfEnds(a, a, [](__int128 x, __int128) { return -x; });
    case UnaryOp::kAbs: return {a.low > 0 ? a.low : a.high < 0 ? -a.high : 0, Magnitude(a)};
    case UnaryOp::kSign: return {-1, 1};
    case UnaryOp::kBitNot: return {~a.high, ~a.low};
    case UnaryOp::kDotByte: return {a.low - 128, a.high};
    default: return {};
  }
}

IntegerRange IntegerRanges::OfBinary(const Binary& binary, DType dtype) {
  IntegerRange a = Of(binary.a), b = Of(binary.b);
  switch (binary.op) {
    case BinaryOp::kAdd: return OfEnds(a, b, [](__int128 x, __int128 y) { return x + y; });
    case BinaryOp::kSub: return OfEnds(a, b, [](__int128 x, __int128 y) { return x - y; });
    case BinaryOp::kMul: return OfEnds(a, b, [](__int128 x, __int128 y) { return x * y; });
    case BinaryOp::kMin: return {std::min(a.low, b.low), std::min(a.high, b.high)};
    case BinaryOp::kMax: return {std::max(a.low, b.low), std::max(a.high, b.high)};
    case BinaryOp::kDiv:
    case BinaryOp::kFloorDiv: {
      // By anything but a negative number the dividend does not grow.
      if (b.low >= 0) return {std::min<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0)};
      int64_t most = Magnitude(a);
      return {-most, most};
    }
    case BinaryOp::kMod:
    case BinaryOp::kFloorMod: {
      int64_t most = std::max<int64_t>(Magnitude(b) - 1, 0);
      bool positive = binary.op == BinaryOp::kMod ? a.low >= 0 : b.low >= 0;
      return {positive ? 0 : -most, most};
    }
    case BinaryOp::kShiftRight: return {std::min<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0)};
    case BinaryOp::kDot4: return {-4 * 128 * 127, 4 * 128 * 128};
    case BinaryOp::kAnd:
      if (a.low >= 0 && b.low >= 0) return {0, std::min(a.high, b.high)};
      [[fallthrough]];
    case BinaryOp::kOr:
    case BinaryOp::kXor: return holds_(dtype);
    default: return {};
  }
}

IntegerRange IntegerRanges::OfSelect(const Select& select) {
  if (IsDeep()) return Union(Of(select.yes), Of(select.no));
  IntegerRange all{INT64_MAX, INT64_MIN};
  OnSides(select, [&](ExprId side) { all = Union(all, Of(side)); });
  return all;
}

// ---- What conditions say ----------------------------------------------------------------------

void IntegerRanges::Narrow(ExprId id, const IntegerRange& to) {
  if (IsFloat(kernel_.exprs[id].dtype)) return;
  IntegerRange range = Of(id);
  range = {std::max(range.low, to.low), std::min(range.high, to.high)};
  // Else it never holds, and whatever follows from it does not matter.
  if (range.low <= range.high) assumed_[id] = range;
}

// a + gap <= b
void IntegerRanges::AssumeLess(ExprId a, ExprId b, int64_t gap) {
  if (IsFloat(kernel_.exprs[a].dtype)) return;
  int64_t high = Saturate(static_cast<__int128>(Of(b).high) - gap);
  int64_t low = Saturate(static_cast<__int128>(Of(a).low) + gap);
  Narrow(a, {INT64_MIN, high});
  Narrow(b, {low, INT64_MAX});
}

IntegerRanges::Saved IntegerRanges::Assume(ExprId condition, bool holds) {
  Saved before = assumed_;
  ++depth_;
  const Expr& expr = kernel_.exprs[condition];
  if (auto* unary = std::get_if<Unary>(&expr.node); unary && unary->op == UnaryOp::kNot) {
    Assume(unary->a, !holds);
    --depth_;
  }
  if (auto* binary = std::get_if<Binary>(&expr.node)) {
    bool both = binary->op == (holds ? BinaryOp::kAnd : BinaryOp::kOr);
    if (both) {
      Assume(binary->a, holds);
      Assume(binary->b, holds);
      depth_ -= 2;
    } else if (binary->op == BinaryOp::kLess) {
      holds ? AssumeLess(binary->a, binary->b, 1) : AssumeLess(binary->b, binary->a, 0);
    } else if (binary->op == BinaryOp::kLessEqual) {
      holds ? AssumeLess(binary->a, binary->b, 0) : AssumeLess(binary->b, binary->a, 1);
    }
  }
  // Was computed without what is known now.
  known_.clear();
  return before;
}

void IntegerRanges::Restore(Saved& saved) {
  assumed_ = std::move(saved);
  --depth_;
}

}  // namespace webnnc::loop
