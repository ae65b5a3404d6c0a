#include "schedule/view.h"

#include <algorithm>
#include <set>

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "schedule/bytes.h"
#include "target/machine.h"

namespace webnnc::schedule {

double LikelyLength(const NestLoop& loop, const LikelySizes& sizes) {
  double typical = sizes.Typical(loop.extent);
  return loop.extent.IsConstant() ? typical : std::max(typical, kOpenLength);
}

NestView::NestView(const loop::Kernel& plain, size_t n, const LikelySizes& sizes) : sizes_(sizes) {
  Nests nests = ExtractNests(plain);
  nest_count_ = nests.nests.size();
  kernel_ = std::move(nests.kernel);
  nest_ = nests.nests.at(n);
  simplify_ = std::make_unique<loop::Simplifier>(kernel_);
  for (const NestLoop& loop : loops()) simplify_->Bind(loop.var, loop.extent);
}

bool NestView::DependsOn(loop::ExprId value, const NestLoop& loop) const {
  return loop::Mentions(kernel_, value, [&](loop::VarId var) { return var == loop.var; });
}

loop::ExprId NestView::FlatIndex(loop::BufferId buffer, const loop::Index& index) {
  loop::Builder build(kernel_);
  loop::ExprId flat = build.Int(0);
  const Shape shape = kernel_.buffers[buffer].type.shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    flat = build.Add(build.Mul(flat, build.Size(shape[d])), index[d]);
  }
  return flat;
}

std::optional<int64_t> NestView::StepOf(const loop::Polynomial& index, const NestLoop& loop) const {
  int64_t step = 0;
  for (const auto& [monomial, coefficient] : index.terms) {
    bool depends = std::any_of(monomial.begin(), monomial.end(),
                               [&](loop::ExprId factor) { return DependsOn(factor, loop); });
    if (!depends) continue;
    bool alone = monomial.size() == 1 && loop::VariableOf(kernel_, monomial[0]) == loop.var;
    if (!alone) return std::nullopt;
    step = coefficient;
  }
  return step;
}

bool NestView::MovesInShortSteps(loop::ExprId value, const NestLoop& loop) {
  int64_t longest = 0;
  for (const loop::Load& load : LoadsOf(value)) {
    auto step = StepOf(simplify_->ToPolynomial(FlatIndex(load.buffer, load.index)), loop);
    if (!step || *step < 0) return false;
    longest = std::max(longest, *step);
  }
  return longest > 1 && longest < Machine::kLanes;
}

bool NestView::RunsOn(loop::ExprId value, const NestLoop& outer, const NestLoop& inner) {
  if (!inner.extent.IsConstant()) return false;
  for (const loop::Load& load : LoadsOf(value)) {
    loop::Polynomial index = simplify_->ToPolynomial(FlatIndex(load.buffer, load.index));
    auto far = StepOf(index, outer), near = StepOf(index, inner);
    if (!far || !near || *far != *near * inner.extent.value()) return false;
  }
  return true;
}

// The loop's variable is taken apart as lanes*group + lane, and the lane's part of the index looked
// at.
Stride NestView::AccessStride(loop::BufferId buffer, const loop::Index& index,
                              const NestLoop& loop) {
  constexpr int64_t kGroup = Machine::kLanes;
  loop::ExprId flat = FlatIndex(buffer, index);
  if (!DependsOn(flat, loop)) return Stride::kZero;
  loop::Builder build(kernel_);
  loop::VarId group = kernel_.vars.Add({"group"}), lane = kernel_.vars.Add({"lane"});
  simplify_->Bind(group, CeilDiv(loop.extent, kGroup));
  simplify_->Bind(lane, kGroup);
  loop::ExprId value = build.Add(build.Mul(build.Var(group), build.Int(kGroup)), build.Var(lane));
  loop::Polynomial p =
      simplify_->ToPolynomial(loop::Substitution(kernel_, {{loop.var, value}})(flat));
  Stride stride = Stride::kZero;
  for (const auto& [monomial, coefficient] : p.terms) {
    bool depends = false;
    for (loop::ExprId factor : monomial) {
      depends |= loop::Mentions(kernel_, factor, [&](loop::VarId var) { return var == lane; });
    }
    if (!depends) continue;
    bool alone = monomial.size() == 1 &&
                 std::holds_alternative<loop::Variable>(kernel_.exprs[monomial[0]].node);
    bool one = alone && coefficient == 1 && stride == Stride::kZero;
    if (!one) return Stride::kOther;
    stride = Stride::kOne;
  }
  return stride == Stride::kOne ? stride : Stride::kOther;
}

std::vector<loop::Load> NestView::LoadsOf(loop::ExprId value) const {
  std::vector<loop::Load> loads;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
    if (load) loads.push_back(*load);
  });
  return loads;
}

Stride NestView::StrideOf(loop::ExprId value, const NestLoop& loop) {
  Stride result = Stride::kZero;
  for (const loop::Load& load : LoadsOf(value)) {
    Stride stride = AccessStride(load.buffer, load.index, loop);
    if (stride == Stride::kOther) return stride;
    if (stride == Stride::kOne) result = stride;
  }
  return result;
}

Stride NestView::StoreStride(const NestLoop& loop) {
  std::vector<loop::Store> stores = nest_.writers;
  if (stores.empty()) {
    for (const loop::Part& part : nest_.parts)
      stores.push_back({part.buffer, nest_.place, part.term});
  }
  Stride result = Stride::kZero;
  for (const loop::Store& store : stores) {
    Stride stride = AccessStride(store.buffer, store.index, loop);
    if (stride == Stride::kOther) return stride;
    if (stride == Stride::kOne) result = stride;
  }
  return result;
}

// The condition as p >= 0 with p = step*loop + rest: it holds for all values of the rest from where
// step*loop outweighs the least of them.
bool NestView::WidenBorder(loop::ExprId condition, const NestLoop& loop, Border& border) {
  if (!DependsOn(condition, loop)) return true;
  auto* binary = std::get_if<loop::Binary>(&kernel_.exprs[condition].node);
  if (!binary) return false;
  loop::Binary test = *binary;
  if (test.op == loop::BinaryOp::kAnd) {
    return WidenBorder(test.a, loop, border) && WidenBorder(test.b, loop, border);
  }
  bool less = test.op == loop::BinaryOp::kLess, at_most = test.op == loop::BinaryOp::kLessEqual;
  // A comparison of elements says nothing about where the loop is.
  bool compares_indices = kernel_.exprs[test.a].dtype == DType::kI32;
  if ((!less && !at_most) || !compares_indices || !loop.extent.IsConstant()) return false;
  loop::Polynomial p = simplify_->ToPolynomial(test.b) - simplify_->ToPolynomial(test.a);
  p.constant -= less;
  loop::Builder build(kernel_);
  loop::Monomial variable{build.Var(loop.var)};
  auto term = p.terms.find(variable);
  if (term == p.terms.end()) return false;
  int64_t step = term->second;
  p.terms.erase(term);
  for (const auto& [monomial, coefficient] : p.terms) {
    for (loop::ExprId factor : monomial) {
      if (DependsOn(factor, loop)) return false;
    }
  }
  auto least = simplify_->ConstantBelow(p);
  if (!least) return false;
  int64_t extent = loop.extent.value();
  if (step > 0) {
    border.first = std::max(border.first, (std::max<int64_t>(0, -*least) + step - 1) / step);
  } else {
    int64_t holds = *least < 0 ? 0 : *least / -step + 1;
    border.last = std::max(border.last, extent - std::min(extent, holds));
  }
  return true;
}

std::optional<Border> NestView::BorderOf(loop::ExprId value, const NestLoop& loop) {
  std::vector<loop::ExprId> conditions;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* select = std::get_if<loop::Select>(&kernel_.exprs[id].node);
    if (select) conditions.push_back(select->condition);
  });
  Border border;
  for (loop::ExprId condition : conditions) {
    if (!WidenBorder(condition, loop, border)) return std::nullopt;
  }
  return border;
}

int64_t NestView::PhasesOf(loop::ExprId value, const NestLoop& loop) const {
  int64_t phases = 1;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* equal = std::get_if<loop::Binary>(&kernel_.exprs[id].node);
    if (!equal || equal->op != loop::BinaryOp::kEqual) return;
    auto* remainder = std::get_if<loop::Binary>(&kernel_.exprs[equal->a].node);
    bool is_remainder = remainder && (remainder->op == loop::BinaryOp::kFloorMod ||
                                      remainder->op == loop::BinaryOp::kMod);
    if (!is_remainder || !DependsOn(remainder->a, loop)) return;
    auto* modulus = std::get_if<loop::Constant>(&kernel_.exprs[remainder->b].node);
    if (modulus) phases = std::max(phases, modulus->value.integer);
  });
  return phases;
}

int64_t NestView::WaysOf(loop::ExprId value, const NestLoop& loop) const {
  const int64_t phases = PhasesOf(value, loop);
  if (phases > 1 || !loop.extent.IsConstant()) return phases;
  std::set<int64_t> told_apart;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* equal = std::get_if<loop::Binary>(&kernel_.exprs[id].node);
    if (!equal || equal->op != loop::BinaryOp::kEqual) return;
    auto* constant = std::get_if<loop::Constant>(&kernel_.exprs[equal->b].node);
    if (constant && loop::VariableOf(kernel_, equal->a) == loop.var)
      told_apart.insert(constant->value.integer);
  });
  // The last one is what no condition asks for.
  const int64_t extent = loop.extent.value();
  return static_cast<int64_t>(told_apart.size()) + 1 >= extent ? std::max<int64_t>(1, extent) : 1;
}

bool NestView::HasFunctions() const {
  bool has = false;
  for (const loop::Store& writer : nest_.writers) {
    loop::ForEachExpr(kernel_, writer.value, [&](loop::ExprId id) {
      auto* unary = std::get_if<loop::Unary>(&kernel_.exprs[id].node);
      auto* binary = std::get_if<loop::Binary>(&kernel_.exprs[id].node);
      has |= unary && unary->op >= loop::UnaryOp::kExp && unary->op <= loop::UnaryOp::kErf &&
             unary->op != loop::UnaryOp::kSqrt;
      has |= binary && binary->op == loop::BinaryOp::kPow;
    });
  }
  return has;
}

std::optional<DType> NestView::WidenedFrom(loop::ExprId value) const {
  if (auto* either = DotByteOf(kernel_, value)) value = either->a;
  auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[value].node);
  if (!convert) return std::nullopt;
  return kernel_.exprs[convert->a].dtype;
}

bool NestView::IsNarrow(loop::ExprId value) const {
  const DType dtype = kernel_.exprs[value].dtype;
  return IsFloat(dtype) && BitSize(WidenedFrom(value).value_or(dtype)) < 32;
}

bool NestView::SumsPairs() const {
  auto fits = [&](loop::ExprId side) {
    DType dtype = WidenedFrom(side).value_or(DType::kF32);
    return dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
  };
  return is_product() && kernel_.exprs[nest_.value()].dtype == DType::kI32 && fits(left()) &&
         fits(right());
}

bool NestView::TakesEither(loop::ExprId value) const {
  return DotByteOf(kernel_, value) && IsByte(kernel_, value);
}

bool NestView::IsSignedByte(loop::ExprId value) const {
  return !DotByteOf(kernel_, value) && IsByte(kernel_, value);
}

bool NestView::IsMadeOfBytes(loop::ExprId value) const {
  while (auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[value].node)) value = convert->a;
  const loop::Expr& expr = kernel_.exprs[value];
  return std::holds_alternative<loop::Binary>(expr.node) || ByteSize(expr.dtype) == 1;
}

bool NestView::IsPanelled(loop::ExprId value, const NestLoop& loop) const {
  return !PanelsAlong(value, loop).empty();
}

std::vector<loop::BufferId> NestView::PanelsAlong(loop::ExprId value, const NestLoop& loop) const {
  std::set<loop::BufferId> panels;
  for (const loop::Load& load : LoadsOf(value)) {
    if (kernel_.buffers[load.buffer].panels && DependsOn(load.index.back(), loop))
      panels.insert(load.buffer);
  }
  return {panels.begin(), panels.end()};
}

bool NestView::ReadsPanels(loop::ExprId value) const {
  bool reads = false;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
    reads |= load && kernel_.buffers[load->buffer].panels;
  });
  return reads;
}

int64_t NestView::ElementsInWord(loop::ExprId value, const NestLoop& loop) const {
  int64_t elements = 1;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* shift = std::get_if<loop::Binary>(&kernel_.exprs[id].node);
    bool cuts = shift && shift->op == loop::BinaryOp::kShiftRight && ReadsPanels(id);
    if (!cuts) return;
    loop::ForEachExpr(kernel_, id, [&](loop::ExprId part) {
      auto* remainder = std::get_if<loop::Binary>(&kernel_.exprs[part].node);
      if (!remainder || remainder->op != loop::BinaryOp::kFloorMod) return;
      auto* modulus = std::get_if<loop::Constant>(&kernel_.exprs[remainder->b].node);
      if (modulus && loop::VariableOf(kernel_, remainder->a) == loop.var)
        elements = modulus->value.integer;
    });
  });
  return elements;
}

bool NestView::FlowsAll(loop::ExprId value) const {
  bool flows = true;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
    flows &= !load || kernel_.buffers[load->buffer].space == loop::Space::kTemporary;
  });
  return flows;
}

Dim NestView::Footprint(loop::ExprId value) const {
  std::set<loop::BufferId> buffers;
  loop::ForEachExpr(kernel_, value, [&](loop::ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
    if (load) buffers.insert(load->buffer);
  });
  Dim bytes = 0;
  for (loop::BufferId buffer : buffers) bytes = bytes + ByteSize(kernel_.buffers[buffer].type);
  return bytes;
}

std::vector<const NestLoop*> NestView::SpatialLoops() const {
  std::vector<const NestLoop*> out;
  for (loop::ExprId index : nest_.place) {
    auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[index].node);
    if (!variable) continue;
    for (const NestLoop& loop : loops()) {
      if (loop.var == variable->var) out.push_back(&loop);
    }
  }
  return out;
}

std::vector<const NestLoop*> NestView::ReductionLoops() const {
  std::vector<const NestLoop*> out;
  for (const NestLoop& loop : loops()) {
    if (loop.reduction) out.push_back(&loop);
  }
  return out;
}

}  // namespace webnnc::schedule
