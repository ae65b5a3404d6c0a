// Operands of a reduction, and the tiles that are filled with them.
#include <algorithm>
#include <cmath>
#include <set>

#include "loop/rewrite.h"
#include "schedule/nest_builder.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;
using loop::VarId;

ExprId NestBuilder::RawOperand(const Operand& operand) {
  if (operand.part == Operand::kValue) return nest_.value();
  if (operand.part == Operand::kLoad) return LoadOf(kernel_, nest_, operand).value();
  ExprId side = SideOf(operand);
  std::vector<ExprId> skipped;
  return nest_.skips ? WithoutRemainders(side, skipped) : side;
}

ExprId NestBuilder::SideOf(const Operand& operand) {
  if (auto side = sides_.find(operand.part); side != sides_.end()) return side->second;
  ExprId side = operand.part == Operand::kLeft ? nest_.product->left : nest_.product->right;
  bool as_stored = nest_.narrow || HasFragments();
  return as_stored ? std::get<loop::Convert>(kernel_.exprs[side].node).a : side;
}

ExprId NestBuilder::TermOf(size_t part) const {
  auto term = terms_.find(part);
  return term != terms_.end() ? term->second : nest_.parts[part].term;
}

ExprId NestBuilder::WithoutRemainders(ExprId side, std::vector<ExprId>& remainders) {
  auto* select = std::get_if<loop::Select>(&kernel_.exprs[side].node);
  const Scalar* zero = select ? build_.ConstantValue(select->no) : nullptr;
  if (!zero || zero->AsReal() != 0) return side;
  loop::Select choice = *select;
  std::vector<ExprId> others, conditions{choice.condition};
  while (!conditions.empty()) {
    ExprId condition = conditions.back();
    conditions.pop_back();
    auto* test = std::get_if<loop::Binary>(&kernel_.exprs[condition].node);
    if (test && test->op == loop::BinaryOp::kAnd) {
      conditions.insert(conditions.end(), {test->b, test->a});
    } else {
      bool remainder = test && test->op == loop::BinaryOp::kEqual;
      (remainder ? remainders : others).push_back(condition);
    }
  }
  return build_.Select(AllOf(others), choice.yes, choice.no);
}

ExprId NestBuilder::NotSkipped() {
  std::vector<ExprId> remainders;
  if (nest_.skips && nest_.product) {
    WithoutRemainders(SideOf(Operand::kLeft), remainders);
    WithoutRemainders(SideOf(Operand::kRight), remainders);
  }
  return AllOf(remainders);
}

ExprId NestBuilder::OperandValue(const Operand& operand) {
  ExprId raw = RawOperand(operand);
  auto tile = tiles_.find(operand);
  if (tile != tiles_.end()) return build_.Convert(LoadTile(tile->second), build_.dtype(raw));
  return GuardedOperand(operand, raw);
}

ExprId NestBuilder::StagedOperand(const Stage& stage) {
  ExprId raw = RawOperand(stage.operand);
  auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[raw].node);
  bool alone = stage.space == Space::kRegister && !thread_.valid();
  if (!convert || !alone || tiles_.count(stage.operand)) return raw;
  const DType from = build_.dtype(convert->a), to = build_.dtype(raw);
  bool widens = IsInteger(from) && IsInteger(to) && ByteSize(from) < ByteSize(to);
  return widens ? convert->a : raw;
}

ExprId NestBuilder::GuardedOperand(const Operand& operand, ExprId raw) {
  const DType dtype = build_.dtype(raw);
  // What is made of a load decides what is neutral, where it is used.
  bool loads = operand.part == Operand::kLoad;
  return GuardedValue(
      raw, build_.Constant(loads ? Scalar::Of(dtype, 0) : loop::Neutral(nest_.update, dtype)));
}

ExprId NestBuilder::GuardedValue(ExprId raw, ExprId neutral) {
  ExprId value = WithTiles(Resolve(raw));
  ExprId guards = GuardsOf(raw, !IsThere(value), true);
  return build_.Select(Resolve(guards), value, neutral);
}

ExprId NestBuilder::WithTiles(ExprId value) {
  std::map<std::string, const Tile*> loads;
  for (const auto& [operand, tile] : tiles_) {
    if (operand.part == Operand::kLoad) loads[operand.buffer] = &tile;
  }
  if (loads.empty()) return value;
  return loop::ExprRewriter(kernel_, [&](ExprId id, ExprId) {
    auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
    auto tile = load ? loads.find(kernel_.buffers[load->buffer].name) : loads.end();
    return tile == loads.end() ? id : LoadTile(*tile->second);
  })(value);
}

loop::Index NestBuilder::TileIndex(const Tile& tile) {
  loop::Index index;
  if (tile.per_thread) index.push_back(Thread());
  size_t rows = tile.layout.size() - tile.row;
  for (size_t i = 0; i < rows; ++i) index.push_back(ValueOf(*list_->Find(tile.layout[i])));
  ExprId at = build_.Int(0);
  for (size_t i = rows; i < tile.layout.size(); ++i) {
    const NestLoop& loop = *list_->Find(tile.layout[i]);
    at = build_.Add(build_.Mul(at, build_.Size(loop.extent)), ValueOf(loop));
  }
  index.push_back(at);
  return index;
}

loop::Tuple NestBuilder::Terms() {
  loop::Tuple neutral = Neutrals(DTypes()), terms;
  bool whole = !nest_.product || tiles_.count({Operand::kValue});
  if (nest_.parts.size() > 1) {
    for (size_t p = 0; p < nest_.parts.size(); ++p)
      terms.push_back(GuardedValue(TermOf(p), neutral[p]));
  } else {
    auto side = [&](const Operand& operand) {
      ExprId value = OperandValue(operand);
      return HasFragments() ? build_.Convert(value, DTypes()[0]) : value;
    };
    terms = {whole ? OperandValue(Operand::kValue)
                   : build_.Mul(side(Operand::kLeft), side(Operand::kRight))};
    neutral = Neutrals({build_.dtype(terms[0])});
  }
  const ExprId needed = Needed(whole);
  for (size_t p = 0; p < terms.size(); ++p) terms[p] = build_.Select(needed, terms[p], neutral[p]);
  return terms;
}

ExprId NestBuilder::Needed(bool whole) {
  std::vector<ExprId> needed;
  for (const Guard& guard : nest_.guards) {
    if (guard.reduction && !MakesNeutral(guard, whole)) needed.push_back(guard.condition);
  }
  return Resolve(AllOf(needed));
}

bool NestBuilder::MakesNeutral(const Guard& guard, bool whole) {
  if (whole) {
    return std::all_of(nest_.parts.begin(), nest_.parts.end(),
                       [&](const loop::Part& part) { return DependsOnGuard(part.term, guard); });
  }
  ExprId left = RawOperand(Operand::kLeft), right = RawOperand(Operand::kRight);
  bool by_left = DependsOnGuard(left, guard), by_right = DependsOnGuard(right, guard);
  // Zero times infinity is not zero.
  auto is_finite = [&](ExprId side) {
    const Scalar* constant = build_.ConstantValue(side);
    return !IsFloat(build_.dtype(side)) || (constant && std::isfinite(constant->AsReal()));
  };
  return (by_left && by_right) || (by_left && is_finite(right)) || (by_right && is_finite(left));
}

std::vector<Stage> NestBuilder::StagesAt(const NestLoop& loop) {
  std::vector<Stage> stages;
  for (const Stage& stage : nest_.stages) {
    if (staging_enabled_ && stage.at.name == loop.name) stages.push_back(stage);
  }
  return stages;
}

Tile NestBuilder::MakeTile(const Stage& stage) {
  for (const NestLoop& loop : list_->loops) {
    if (loop.kind == LoopKind::kVector)
      Fail("stage: the lanes of " + loop.name + " would share one tile");
    if (loop.name == stage.at.name) break;
  }
  const std::string word = WordOf(stage);
  DType dtype = word.empty() ? build_.dtype(StagedOperand(stage)) : DType::kI32;
  Tile tile{{},
            stage.space == Space::kRegister && thread_.valid(),
            stage.layout,
            static_cast<size_t>(stage.row),
            word};
  TensorType type{dtype, {}};
  if (tile.per_thread) type.shape.push_back(threads_);
  Dim row = 1;
  for (size_t i = 0; i < stage.layout.size(); ++i) {
    const Dim& extent = list_->Find(stage.layout[i])->extent;
    if (i + tile.row < stage.layout.size()) {
      type.shape.push_back(extent);
    } else {
      row = row * extent;
    }
  }
  type.shape.push_back(row + stage.pad);
  static constexpr const char* kNames[] = {"left", "right", "value"};
  const Operand& operand = stage.operand;
  std::string name = operand.part == Operand::kLoad ? operand.buffer : kNames[operand.part];
  tile.buffer = kernel_.buffers.Add(
      {name + (stage.space == Space::kRegister ? "_registers" : "_tile"), type, stage.space});
  CheckDependence(stage);
  return tile;
}

void NestBuilder::CheckDependence(const Stage& stage) {
  Env outside = env_;
  for (const std::string& name : stage.layout) {
    env_[list_->Find(name)->var] = build_.Int(0);
  }
  ExprId value = StagedValue(stage);
  std::set<VarId> inner;
  for (size_t i = static_cast<size_t>(list_->Position(stage.at)) + 1; i < list_->loops.size();
       ++i) {
    inner.insert(list_->loops[i].var);
  }
  bool depends = loop::Mentions(kernel_, value, [&](VarId var) { return inner.count(var) > 0; });
  if (depends) Fail("stage: the operand depends on a loop that the layout leaves out");
  env_ = outside;
}

void NestBuilder::Decode(const std::vector<std::string>& order, int64_t lanes, ExprId element,
                         ExprId lane) {
  ExprId left = element;
  for (size_t i = order.size(); i-- > 0;) {
    const NestLoop& loop = *list_->Find(order[i]);
    int64_t size = loop.extent.value() / (i + 1 == order.size() ? lanes : 1);
    ExprId at = i == 0 ? left : build_.FloorMod(left, build_.Int(size));
    left = build_.FloorDiv(left, build_.Int(size));
    if (i + 1 == order.size()) at = build_.Add(build_.Mul(at, build_.Int(lanes)), lane);
    env_[loop.var] = at;
  }
}

int64_t NestBuilder::TileSize(const Stage& stage) {
  int64_t size = 1;
  for (const std::string& name : stage.layout) size *= list_->Find(name)->extent.value();
  return size;
}

Block NestBuilder::FillRegion(const Stage& stage, const std::function<Block(ExprId)>& visit) {
  const auto& order = stage.fill.empty() ? stage.layout : stage.fill;
  if (list_->Find(order.back())->extent.value() % stage.lanes != 0) {
    Fail("stage: lanes do not divide the extent of " + order.back());
    return {};
  }
  int64_t vectors = TileSize(stage) / stage.lanes, threads = threads_.value();
  int64_t rounds = (vectors + threads - 1) / threads;
  Env outside = env_;
  Block out;
  out.push_back(ThreadLoop(threads, [&](ExprId t) {
    VarId round = NewLoop("round", rounds), lane = NewLoop("lane", stage.lanes);
    ExprId number = build_.Add(build_.Mul(build_.Var(round), build_.Int(threads)), t);
    Decode(order, stage.lanes, number, build_.Var(lane));
    Block vector;
    ExprId own =
        build_.Add(build_.Mul(build_.Var(round), build_.Int(stage.lanes)), build_.Var(lane));
    vector.push_back(loop::For{lane, stage.lanes, LoopKind::kVector, visit(own)});
    Block body;
    if (vectors % threads == 0) {
      body = std::move(vector);
    } else {
      body.push_back(loop::If{build_.Less(number, build_.Int(vectors)), std::move(vector)});
    }
    Block rounds_loop;
    rounds_loop.push_back(loop::For{round, rounds, LoopKind::kUnrolled, std::move(body)});
    return rounds_loop;
  }));
  env_ = outside;
  return out;
}

Block NestBuilder::Fill(const Stage& stage, const Tile& tile) {
  if (stage.space == Space::kRegister) return FillRegisters(stage, tile);
  return FillRegion(stage, [&](ExprId) {
    Block store;
    store.push_back(loop::Store{tile.buffer, TileIndex(tile), StagedValue(stage)});
    return store;
  });
}

// Elements of a tile in registers that are filled by code of their own: a thread's of a GPU, and
// as many as a CPU has registers for.
static constexpr int64_t kMostUnrolled = 1024, kMostUnrolledAlone = 64;

Block NestBuilder::FillRegisters(const Stage& stage, const Tile& tile) {
  Env outside = env_;
  std::vector<loop::For> loops;
  for (const std::string& name : stage.layout) {
    const NestLoop& loop = *list_->Find(name);
    VarId var = NewLoop(name, loop.extent);
    env_[loop.var] = build_.Var(var);
    bool vector = stage.lanes > 1 && name == stage.layout.back();
    if (vector && loop.extent.value() > Machine::kMostLanes)
      Fail("stage: a row of " + Print(loop.extent) + " elements is longer than the longest vector");
    // Of a tile that is large copies would be too many.
    const int64_t most = thread_.valid() ? kMostUnrolled : kMostUnrolledAlone;
    LoopKind kind = TileSize(stage) > most ? LoopKind::kSerial : LoopKind::kUnrolled;
    loops.push_back({var, loop.extent, vector ? LoopKind::kVector : kind, {}});
  }
  Block block;
  block.push_back(loop::Store{tile.buffer, TileIndex(tile), StagedValue(stage)});
  for (size_t i = loops.size(); i-- > 0;) {
    loops[i].body = std::move(block);
    block = Block();
    block.push_back(std::move(loops[i]));
  }
  env_ = outside;
  return block;
}

BufferId NestBuilder::AheadRegisters(const Stage& stage) {
  int64_t threads = threads_.value(), vectors = TileSize(stage) / stage.lanes;
  int64_t rounds = (vectors + threads - 1) / threads;
  DType dtype = WordOf(stage).empty() ? build_.dtype(RawOperand(stage.operand)) : DType::kI32;
  TensorType type{dtype, {threads, rounds * stage.lanes}};
  return kernel_.buffers.Add({"ahead", type, Space::kRegister});
}

Block NestBuilder::LoadAhead(const Stage& stage, BufferId registers) {
  return FillRegion(stage, [&](ExprId own) {
    Block store;
    store.push_back(loop::Store{registers, {Thread(), own}, StagedValue(stage)});
    return store;
  });
}

Block NestBuilder::BeforeLoop(const NestLoop& loop) {
  Block out;
  for (const Stage& stage : StagesAt(loop)) {
    if (!stage.ahead) continue;
    if (stage.space != Space::kWorkgroup) Fail("stage: only a workgroup tile is loaded ahead");
    ahead_[stage.operand] = AheadRegisters(stage);
    // What never runs has no first tile.
    if (loop.extent.Is(0)) continue;
    env_[loop.var] = build_.Int(0);
    Append(out, LoadAhead(stage, ahead_[stage.operand]));
  }
  return out;
}

Block NestBuilder::Guests(const NestLoop& loop) {
  Block out;
  if (!staging_enabled_) return out;
  for (Nest& guest : nests_.nests) {
    bool is_here =
        guest.host && guest.host->stage == nest_.main.stage && guest.host->loop == loop.name;
    if (!is_here) continue;
    std::set<VarId> around;
    for (const NestLoop& each : list_->loops) {
      auto var = loop::VariableOf(kernel_, ValueOf(each));
      if (!var || thread_.valid() || each.kind == LoopKind::kVector)
        Fail("at: " + loop.name + " is inside of threads or lanes");
      if (var) around.insert(*var);
      if (each.name == loop.name) break;
    }
    CheckTiles(guest);
    auto note = [&](BufferId buffer) {
      if (nests_.hosted.count(buffer)) hosted_[buffer].insert(around.begin(), around.end());
    };
    for (const loop::Part& part : guest.parts) note(part.buffer);
    for (const loop::Store& store : guest.writers) note(store.buffer);
    auto block = NestBuilder(nests_, simplify_, guest, env_, thread_, hosted_).Run(0);
    if (!block) {
      Fail(block.error().message);
    } else {
      Append(out, std::move(block.value()));
    }
  }
  return out;
}

// What is loaded ahead of the guest's loop is not there yet.
void NestBuilder::CheckTiles(const Nest& guest) {
  int at = list_->Position(guest.host->loop);
  for (const Stage& stage : nest_.stages) {
    int tile = list_->Position(stage.at);
    bool reads = false;
    loop::ForEachExpr(kernel_, RawOperand(stage.operand), [&](ExprId e) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
      reads |= load && nests_.hosted.count(load->buffer);
    });
    if (reads && (tile < at || (tile == at && stage.ahead)))
      Fail("stage: the operand is not computed yet outside of " + guest.host->loop);
  }
}

Block NestBuilder::Prologue(const NestLoop& loop) {
  Block out = Guests(loop), next;
  std::vector<std::pair<Operand, Tile>> made;
  for (const Stage& stage : StagesAt(loop)) {
    Tile tile = MakeTile(stage);
    if (stage.ahead && loop.kind == LoopKind::kThread) {
      Fail("stage: what threads run side by side has no iteration ahead");
    } else if (stage.ahead) {
      BufferId registers = ahead_[stage.operand];
      Append(out, FillRegion(stage, [&](ExprId own) {
               Block store;
               store.push_back(loop::Store{tile.buffer, TileIndex(tile),
                                           build_.Load(registers, {Thread(), own})});
               return store;
             }));
      ExprId current = env_[loop.var];
      env_[loop.var] = build_.Add(current, build_.Int(1));
      Block load = LoadAhead(stage, registers);
      ExprId more = build_.Less(env_[loop.var], build_.Size(loop.extent));
      env_[loop.var] = current;
      next.push_back(loop::If{more, std::move(load)});
    } else {
      Append(out, Fill(stage, tile));
    }
    made.push_back({stage.operand, tile});
  }
  for (auto& [operand, tile] : made) tiles_[operand] = tile;
  Append(out, std::move(next));
  return out;
}

}  // namespace webnnc::schedule
