// Products that subgroups compute by fragments.
#include <algorithm>

#include "schedule/nest_builder.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::Block;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;

static bool IsSide(const NestLoop& loop) { return loop.kind == LoopKind::kMatrix; }

bool NestBuilder::HasFragments() const {
  return std::any_of(nest_.main.loops.begin(), nest_.main.loops.end(), IsSide);
}

Status NestBuilder::CheckFragments() {
  const std::vector<NestLoop>& loops = nest_.main.loops;
  bool by_subgroups = false, by_threads = false;
  std::vector<bool> reduces;
  for (const NestLoop& loop : loops) {
    if (IsSide(loop)) reduces.push_back(loop.reduction);
    if (!IsSide(loop) && !reduces.empty())
      return Error{"bind: " + loop.name + " is inside of a fragment"};
    by_subgroups |= loop.kind == LoopKind::kSubgroup;
    by_threads |= loop.kind == LoopKind::kThread;
  }
  if (reduces.empty() && !by_subgroups) return kSuccess;
  if (!by_subgroups || by_threads)
    return Error{"bind: fragments are of subgroups, which have no others"};
  if (reduces != std::vector{false, false, true})
    return Error{"bind: a fragment has a loop of rows, one of columns and one of their products"};
  bool widened = nest_.product && nest_.update == loop::Update::kAdd && nest_.rest.empty();
  for (Operand::Part operand : {Operand::kLeft, Operand::kRight}) {
    widened = widened && IsStagedHalf(operand);
  }
  if (widened && !nest_.narrow && nest_.subtotals.empty()) return kSuccess;
  return Error{"bind: fragments are of sums in f32 of products of staged f16"};
}

bool NestBuilder::IsStagedHalf(const Operand& operand) const {
  ExprId side = operand.part == Operand::kLeft ? nest_.product->left : nest_.product->right;
  auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[side].node);
  bool staged = std::any_of(nest_.stages.begin(), nest_.stages.end(), [&](const Stage& stage) {
    return stage.operand == operand && stage.space == Space::kWorkgroup;
  });
  return staged && convert && kernel_.exprs[side].dtype == DType::kF32 &&
         kernel_.exprs[convert->a].dtype == DType::kF16;
}

Block NestBuilder::EmitFragments(const std::vector<const NestLoop*>& spatial) {
  constexpr int64_t kSide = Machine::kFragment, kLanes = Machine::kLanes;
  std::vector<const NestLoop*> subgroups, sides, own;
  std::vector<NestLoop> others;
  for (const NestLoop* loop : spatial) {
    bool is_other = !IsThread(*loop) && !IsSide(*loop);
    if (is_other) {
      others.push_back(*loop);
      others.back().kind = LoopKind::kUnrolled;
    } else {
      (IsSide(*loop) ? sides : subgroups).push_back(loop);
      own.push_back(loop);
    }
  }
  const Dim& count = bound_;
  Registers moved = AddRegisters("fragments", Space::kWorkgroup, DTypes(), {count, kSide, kSide});
  auto move = [&] {
    return StoreAll(moved, {Thread(), ValueOf(*sides[0]), ValueOf(*sides[1])},
                    LoadAll(accumulator_, AccumulatorIndex()));
  };
  // Vector `number` of all subgroups' fragments.
  auto store = [&](ExprId number) {
    loop::VarId lane = NewLoop("lane", kLanes);
    ExprId row = build_.FloorDiv(number, build_.Int(kSide / kLanes));
    ExprId column = build_.FloorMod(number, build_.Int(kSide / kLanes));
    ExprId subgroup = build_.FloorDiv(row, build_.Int(kSide));
    SetLoops(subgroups, subgroup);
    row = env_[sides[0]->var] = build_.FloorMod(row, build_.Int(kSide));
    column = build_.Add(build_.Mul(column, build_.Int(kLanes)), build_.Var(lane));
    env_[sides[1]->var] = column;
    Block block;
    block.push_back(loop::For{lane, kLanes, LoopKind::kVector,
                              WriteResult(LoadAll(moved, {subgroup, row, column}))});
    return block;
  };
  return EmitAround(Names(others, 0), 0, [&] {
    Block block = EmitAround(own, 0, move);
    block.push_back(Distribute(count.value() * kSide * kSide / kLanes, threads_.value(), store));
    return block;
  });
}

}  // namespace webnnc::schedule
