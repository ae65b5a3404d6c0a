#include "loop/passes/mask.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/relax.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

class MaskFinder {
 public:
  MaskFinder(Kernel& kernel, const Streams& found)
      : kernel_(kernel), build_(kernel), found_(found) {}

  ExprId Run() {
    const Streamed* maximum = Maximum();
    if (!maximum) return {};
    ExprId said = Counts(maximum->in_row);
    ExprId mask = Relax(kernel_, said, {});
    if (build_.ConstantValue(mask)) return {};
    if (finite_ && !EachRowHasOne(OnIndices(kernel_, said))) return {};
    return mask;
  }

 private:
  // The only one, that all other reductions are relative to.
  const Streamed* Maximum() const {
    const Streamed* maximum = nullptr;
    for (const Streamed& each : found_.streamed) {
      if (each.relative_to) continue;
      if (maximum || !found_.IsMaximum(each)) return nullptr;
      maximum = &each;
    }
    return maximum;
  }

  ExprId Always() { return build_.Constant(Scalar::Bool(true)); }

  // The condition without which a value is -inf.
  ExprId Counts(ExprId id) {
    const Expr expr = kernel_.exprs[id];
    if (auto* choice = std::get_if<Select>(&expr.node)) {
      if (IsNothing(choice->no)) return build_.And(choice->condition, Counts(choice->yes));
      if (IsNothing(choice->yes))
        return build_.And(build_.Not(choice->condition), Counts(choice->no));
    }
    if (auto* convert = std::get_if<Convert>(&expr.node))
      return IsFloat(build_.dtype(convert->a)) ? Counts(convert->a) : Always();
    auto* binary = std::get_if<Binary>(&expr.node);
    if (!binary) return Always();
    if (binary->op == BinaryOp::kAdd) return build_.And(Counts(binary->a), Counts(binary->b));
    return binary->op == BinaryOp::kSub ? Counts(binary->a) : Always();
  }

  // -inf, or what stands for it.
  bool IsNothing(ExprId id) {
    const Scalar* value = build_.ConstantValue(id);
    if (!value || !IsFloat(value->dtype)) return false;
    const double most = value->dtype == DType::kF16 ? kNothingOfHalf : kNothing;
    finite_ |= value->AsReal() <= most && std::isfinite(value->AsReal());
    return value->AsReal() <= most;
  }
  static constexpr double kNothing = -1e9, kNothingOfHalf = -6e4;

  // Whether of each row some column fulfils the condition: the first, the last, or one at which an
  // inequality still just holds.
  bool EachRowHasOne(ExprId condition) {
    if (!condition.valid()) return false;
    std::vector<ExprId> columns{build_.Int(0), build_.Size(found_.length - 1)};
    ForEachExpr(kernel_, condition, [&](ExprId id) {
      const Expr expr = kernel_.exprs[id];
      auto* binary = std::get_if<Binary>(&expr.node);
      if (!binary || binary->op != BinaryOp::kLessEqual) return;
      Simplifier simplify(kernel_);
      Polynomial room = simplify.ToPolynomial(binary->b) - simplify.ToPolynomial(binary->a);
      auto term = room.terms.find({build_.Var(found_.column)});
      if (term == room.terms.end() || std::abs(term->second) != 1) return;
      const int64_t sign = term->second;
      room.terms.erase(term);
      columns.push_back(simplify.FromPolynomial(room * -sign));
    });
    return std::any_of(columns.begin(), columns.end(), [&](ExprId column) {
      ExprId inside = build_.And(build_.LessEqual(build_.Int(0), column),
                                 build_.Less(column, build_.Size(found_.length)));
      Substitution put(kernel_, {{found_.column, column}});
      return IsTrue(build_.And(inside, put(condition)));
    });
  }

  bool IsTrue(ExprId condition) {
    Simplifier simplify(kernel_);
    const Shape& shape = kernel_.buffers[found_.first].type.shape;
    for (size_t d = 0; d < shape.size(); ++d) simplify.Bind(found_.place[d], shape[d]);
    const Scalar* value = build_.ConstantValue(simplify(condition));
    return value && value->integer != 0;
  }

  Kernel& kernel_;
  Builder build_;
  const Streams& found_;
  // Whether what stands for -inf is a number.
  bool finite_ = false;
};

}  // namespace

ExprId MaskOf(Kernel& kernel, const Streams& found) { return MaskFinder(kernel, found).Run(); }

}  // namespace webnnc::loop
