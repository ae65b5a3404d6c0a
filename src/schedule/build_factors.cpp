// What a part of a sum has in common is multiplied once, with the part's sum: the scale of a block
// of weights.
#include <algorithm>
#include <set>

#include "schedule/nest_builder.h"

namespace webnnc::schedule {

using loop::ExprId;
using loop::VarId;

NestBuilder::Factors NestBuilder::TakeFactors(const std::string& at) {
  Factors factors(nest_.parts.size());
  bool adds = nest_.update == loop::Update::kAdd && !nest_.narrow && !HasFragments();
  if (!adds) return factors;
  std::set<VarId> summed;
  for (const NestLoop& loop : list_->loops) {
    if (loop.reduction && list_->Position(loop.name) > list_->Position(at)) summed.insert(loop.var);
  }
  if (nest_.product && IsFloat(DTypes()[0])) {
    TakeFactorsOfSides(summed, factors[0]);
  } else if (nest_.parts.size() > 1) {
    for (size_t p = 0; p < nest_.parts.size(); ++p) {
      if (IsFloat(DTypes()[p])) terms_[p] = WithoutFactors(TermOf(p), summed, factors[p]);
    }
  }
  return factors;
}

void NestBuilder::TakeFactorsOfSides(const std::set<VarId>& summed, std::vector<ExprId>& factors) {
  for (Operand::Part part : {Operand::kLeft, Operand::kRight}) {
    // A tile has the whole side.
    bool is_staged = std::any_of(nest_.stages.begin(), nest_.stages.end(), [&](const Stage& stage) {
      return stage.operand.part == part || stage.operand.part == Operand::kValue;
    });
    ExprId side = SideOf(part);
    if (!is_staged && build_.dtype(side) == DTypes()[0])
      sides_[part] = WithoutFactors(side, summed, factors);
  }
}

bool NestBuilder::IsSame(ExprId value, const std::set<VarId>& summed) {
  std::set<VarId> vars = VariablesOf(value);
  for (const Definition& definition : list_->definitions) {
    if (vars.count(definition.var)) vars.merge(VariablesOf(definition.value));
  }
  return std::none_of(vars.begin(), vars.end(), [&](VarId var) { return summed.count(var) > 0; });
}

ExprId NestBuilder::WithoutFactors(ExprId side, const std::set<VarId>& summed,
                                   std::vector<ExprId>& factors) {
  const DType dtype = build_.dtype(side);
  // What is widened behind a product may be widened before it: f16 need not round.
  auto unrounded = [&](ExprId id) {
    auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[id].node);
    return convert && !convert->rounded ? convert->a : ExprId();
  };
  if (ExprId narrow = unrounded(side); narrow.valid() && IsFloat(build_.dtype(narrow))) {
    const size_t before = factors.size();
    ExprId rest = WithoutFactors(narrow, summed, factors);
    if (rest == narrow) return side;
    for (size_t i = before; i < factors.size(); ++i) factors[i] = build_.Convert(factors[i], dtype);
    return build_.Convert(unrounded(rest).valid() ? unrounded(rest) : rest, dtype);
  }
  auto* product = std::get_if<loop::Binary>(&kernel_.exprs[side].node);
  if (!product || product->op != loop::BinaryOp::kMul || IsSame(side, summed)) return side;
  const loop::Binary of = *product;
  for (auto [factor, other] : {std::pair(of.a, of.b), std::pair(of.b, of.a)}) {
    if (!IsSame(factor, summed)) continue;
    factors.push_back(factor);
    return WithoutFactors(other, summed, factors);
  }
  ExprId a = WithoutFactors(of.a, summed, factors), b = WithoutFactors(of.b, summed, factors);
  return build_.Mul(a, b);
}

}  // namespace webnnc::schedule
