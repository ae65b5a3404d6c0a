// Writes the loops of nests whose directives have been applied.
//
// A reduction becomes, at the loop it is kept inside of, three pieces: its registers are set to
// the start, the loops run, and the result is stored by its writers:
//
//   for i.0 { for j.0 {
//     for i.1 { for j.1 { acc[i.1, j.1] = 0 } }
//     for k { for i.1 { for j.1 { acc[i.1, j.1] += a[...] * b[...] } } }
//     for i.1 { for j.1 { c[...] = relu(acc[i.1, j.1]) } }
//   } }
//
// Loops bound to `thread` together become one loop over the thread's number; a region of it ends
// where threads must have finished before others go on. Barriers are put between regions last.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/passes/collapse.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "schedule/insert_barriers.h"
#include "schedule/localize.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;
using loop::VarId;

namespace {

// A staged operand's tile.
struct Tile {
  BufferId buffer;
  bool per_thread = false;
  std::vector<std::string> layout;
};

// What loops are called now: their variables' values in the place that is being written.
using Env = std::unordered_map<VarId, ExprId>;

class NestBuilder {
 public:
  NestBuilder(loop::Kernel& kernel, loop::Simplifier& simplify, Nest& nest, Env outer, ExprId thread)
      : kernel_(kernel), build_(kernel), simplify_(simplify), nest_(nest), env_(std::move(outer)), thread_(thread) {}

  Result<Block> Run(size_t from) {
    from_ = from;
    TRY(FindKeep());
    threads_ = 1;
    for (const NestLoop& loop : nest_.main.loops) {
      if (loop.kind == LoopKind::kThread) threads_ = threads_ * loop.extent.value();
    }
    list_ = &nest_.main;
    Block block = Emit(Names(nest_.main.loops, from), 0);
    if (error_) return *error_;
    return block;
  }

 private:
  using Leaf = std::function<Block()>;

  void Fail(std::string message) {
    if (!error_) error_ = Error{std::move(message)};
  }

  Status FindKeep() {
    if (!nest_.init) return kSuccess;
    const auto& loops = nest_.main.loops;
    size_t first = loops.size();
    for (size_t i = loops.size(); i-- > 0;) {
      if (loops[i].reduction) first = i;
    }
    keep_ = first;
    if (nest_.keep) {
      keep_ = nest_.keep->at.empty() ? 0 : static_cast<size_t>(nest_.main.Position(nest_.keep->at)) + 1;
    } else {
      // Threads that reduce together run side by side, and share their registers' loop.
      while (keep_ > 0 && loops[keep_ - 1].kind == LoopKind::kThread && loops[first].combined) --keep_;
    }
    keep_ = std::max(keep_, from_);
    if (keep_ > first) return Error{"keep: it would start inside the reduction"};
    for (const NestLoop& loop : loops) {
      bool parallel = loop.kind == LoopKind::kThread || IsWorkgroup(loop.kind) ||
                      loop.kind == LoopKind::kVector;
      if (loop.reduction && parallel && !loop.combined) {
        return Error{"the reduction over " + loop.name + " is bound but not combined"};
      }
    }
    return kSuccess;
  }

  // ---- Loops

  static std::vector<const NestLoop*> Names(const std::vector<NestLoop>& loops, size_t from) {
    std::vector<const NestLoop*> out;
    for (size_t i = from; i < loops.size(); ++i) out.push_back(&loops[i]);
    return out;
  }

  // The nest from loop from_ + i on, as it was scheduled.
  Block Emit(const std::vector<const NestLoop*>& loops, size_t i) {
    if (nest_.init && from_ + i == keep_) return EmitKept();
    if (i == loops.size()) return EmitPlainStore();
    return EmitLoop(loops, i, [&](size_t next) { return Emit(loops, next); });
  }

  // One loop, or the neighbouring loops bound to thread, around what `inner` gives for the next.
  Block EmitLoop(const std::vector<const NestLoop*>& loops, size_t i,
                 const std::function<Block(size_t)>& inner) {
    const NestLoop& loop = *loops[i];
    Block out;
    if (loop.kind == LoopKind::kThread) {
      size_t end = i;
      int64_t count = 1;
      for (; end < loops.size() && loops[end]->kind == LoopKind::kThread; ++end) {
        count *= loops[end]->extent.value();
      }
      if (thread_.valid()) Fail("loops bound to thread are not neighbours");
      out.push_back(ThreadLoop(count, [&](ExprId t) {
        ExprId left = t;
        for (size_t l = end; l-- > i;) {
          ExprId size = build_.Size(loops[l]->extent);
          env_[loops[l]->var] = l == i ? left : build_.FloorMod(left, size);
          left = build_.FloorDiv(left, size);
        }
        Block body;
        for (size_t l = i; l < end; ++l) Append(body, Prologue(*loops[l]));
        Append(body, inner(end));
        return body;
      }));
      return out;
    }
    VarId var = NewLoop(loop.name, loop.extent);
    env_[loop.var] = build_.Var(var);
    Append(out, BeforeLoop(loop));
    env_[loop.var] = build_.Var(var);
    Block body = Prologue(loop);
    Append(body, inner(i + 1));
    out.push_back(loop::For{var, loop.extent, loop.kind, std::move(body)});
    return out;
  }

  // All of `loops` around `leaf`, with no staging on the way.
  Block EmitAround(const std::vector<const NestLoop*>& loops, size_t i, const Leaf& leaf) {
    if (i == loops.size()) return leaf();
    bool stages = std::exchange(staging_enabled_, false);
    Block out = EmitLoop(loops, i, [&](size_t next) { return EmitAround(loops, next, leaf); });
    staging_enabled_ = stages;
    return out;
  }

  loop::Stmt ThreadLoop(int64_t count, const std::function<Block(ExprId)>& body) {
    VarId var = NewLoop("t", count);
    ExprId outside = std::exchange(thread_, build_.Var(var));
    loop::For region{var, count, LoopKind::kThread, body(thread_)};
    thread_ = outside;
    return region;
  }

  static void Append(Block& to, Block from) {
    for (loop::Stmt& stmt : from) to.push_back(std::move(stmt));
  }

  // ---- Expressions

  // `id` in terms of the loops as they are written now.
  ExprId Resolve(ExprId id) {
    Env values = env_;
    const auto& definitions = list_->definitions;
    for (size_t i = definitions.size(); i-- > 0;) {
      values[definitions[i].var] = loop::Substitution(kernel_, values)(definitions[i].value);
    }
    return loop::Substitution(kernel_, std::move(values))(id);
  }

  loop::Index Resolve(const loop::Index& index) {
    loop::Index out;
    for (ExprId i : index) out.push_back(Resolve(i));
    return out;
  }

  bool SharesVariable(ExprId a, ExprId b) {
    std::set<VarId> vars;
    loop::ForEachExpr(kernel_, a, [&](ExprId e) {
      auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[e].node);
      if (variable) vars.insert(variable->var);
    });
    return loop::Mentions(kernel_, b, [&](VarId var) { return vars.count(var) > 0; });
  }

  ExprId AllOf(const std::vector<ExprId>& conditions) {
    ExprId all = build_.Constant(Scalar::Bool(true));
    for (ExprId condition : conditions) all = build_.And(all, condition);
    return all;
  }

  // The guards of these kinds on loops that `id` depends on.
  ExprId GuardsOf(ExprId id, bool spatial, bool reduction) {
    std::vector<ExprId> needed;
    for (const Guard& guard : nest_.guards) {
      bool wanted = guard.reduction ? reduction : spatial;
      if (wanted && SharesVariable(guard.condition, id)) needed.push_back(guard.condition);
    }
    return AllOf(needed);
  }

  // Guards on what a result's place depends on.
  ExprId SpatialGuards() {
    std::vector<ExprId> needed;
    for (const Guard& guard : nest_.guards) {
      if (!guard.reduction) needed.push_back(guard.condition);
    }
    return AllOf(needed);
  }

  // Whether every load of `id`, in terms of the loops there are now, is inside its buffer.
  bool InBounds(ExprId id) {
    bool inside = true;
    loop::ForEachExpr(kernel_, id, [&](ExprId e) {
      const loop::Expr expr = kernel_.exprs[e];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load) return;
      const Shape shape = kernel_.buffers[load->buffer].type.shape;
      for (size_t d = 0; d < shape.size() && inside; ++d) {
        loop::Polynomial p = simplify_.ToPolynomial(load->index[d]);
        loop::Polynomial room = simplify_.ToPolynomial(build_.Size(shape[d] - 1)) - p;
        inside &= simplify_.ProvablyNonNegative(p) && simplify_.ProvablyNonNegative(room);
      }
    });
    return inside;
  }

  Block Guarded(ExprId condition, Block body) {
    ExprId resolved = Resolve(condition);
    const Scalar* constant = build_.ConstantValue(resolved);
    if (constant && constant->integer) return body;
    Block out;
    out.push_back(loop::If{resolved, std::move(body)});
    return out;
  }

  Block EmitPlainStore() {
    Block body;
    body.push_back(loop::Store{nest_.store.buffer, Resolve(nest_.store.index),
                               Resolve(nest_.store.value), nest_.store.update});
    return Guarded(SpatialGuards(), std::move(body));
  }

  // ---- Operands and staging

  bool IsProduct() {
    auto* product = std::get_if<loop::Binary>(&kernel_.exprs[nest_.store.value].node);
    return nest_.store.update == loop::Update::kAdd && product &&
           product->op == loop::BinaryOp::kMul;
  }

  // An operand of the product, or the whole value, in original variables.
  ExprId RawOperand(Operand operand) {
    ExprId id = nest_.store.value;
    if (operand == Operand::kValue) return id;
    const auto& product = std::get<loop::Binary>(kernel_.exprs[id].node);
    return operand == Operand::kLeft ? product.a : product.b;
  }

  // The operand where it is used: its tile's element, or itself. Past the end of a reduction it is
  // the neutral element; past the end of other loops only if it could not be loaded there, since
  // what comes of it is not stored.
  ExprId OperandValue(Operand operand) {
    auto tile = tiles_.find(operand);
    if (tile != tiles_.end()) return LoadTile(tile->second);
    ExprId raw = RawOperand(operand), value = Resolve(raw);
    ExprId guards = GuardsOf(raw, !InBounds(value), true);
    Scalar neutral = loop::Neutral(nest_.store.update, build_.dtype(raw));
    return build_.Select(Resolve(guards), value, build_.Constant(neutral));
  }

  ExprId LoadTile(const Tile& tile) { return build_.Load(tile.buffer, TileIndex(tile)); }

  loop::Index TileIndex(const Tile& tile) {
    loop::Index index;
    if (tile.per_thread) index.push_back(thread_);
    for (const std::string& name : tile.layout) index.push_back(env_.at(list_->Find(name)->var));
    return index;
  }

  ExprId UpdateValue() {
    if (!IsProduct() || tiles_.count(Operand::kValue)) return OperandValue(Operand::kValue);
    return build_.Mul(OperandValue(Operand::kLeft), OperandValue(Operand::kRight));
  }

  std::vector<Stage> StagesAt(const NestLoop& loop) {
    std::vector<Stage> stages;
    for (const Stage& stage : nest_.stages) {
      if (staging_enabled_ && stage.at == loop.name) stages.push_back(stage);
    }
    return stages;
  }

  // Makes the tile, and checks that what goes into it depends on nothing else inside the loop.
  Tile MakeTile(const Stage& stage) {
    DType dtype = build_.dtype(RawOperand(stage.operand));
    Tile tile{{}, stage.space == Space::kRegister && thread_.valid(), stage.layout};
    TensorType type{dtype, {}};
    if (tile.per_thread) type.shape.push_back(threads_);
    for (size_t i = 0; i < stage.layout.size(); ++i) {
      type.shape.push_back(list_->Find(stage.layout[i])->extent);
    }
    static constexpr const char* kNames[] = {"left", "right", "value"};
    std::string name = kNames[static_cast<int>(stage.operand)];
    tile.buffer = kernel_.buffers.Add(
        {name + (stage.space == Space::kRegister ? "_registers" : "_tile"), type, stage.space});
    CheckDependence(stage);
    return tile;
  }

  void CheckDependence(const Stage& stage) {
    Env outside = env_;
    for (const std::string& name : stage.layout) {
      env_[list_->Find(name)->var] = build_.Int(0);
    }
    ExprId value = OperandValue(stage.operand);
    std::set<VarId> inner;
    for (size_t i = static_cast<size_t>(list_->Position(stage.at)) + 1; i < list_->loops.size(); ++i) {
      inner.insert(list_->loops[i].var);
    }
    bool depends = loop::Mentions(kernel_, value, [&](VarId var) { return inner.count(var) > 0; });
    if (depends) Fail("stage: the operand depends on a loop that the layout leaves out");
    env_ = outside;
  }

  // Sets the variables of the layout's loops for element number `element` of the tile, counted in
  // vectors of `lanes`; the last loop of `order` is the fastest.
  void Decode(const std::vector<std::string>& order, int64_t lanes, ExprId element, ExprId lane) {
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

  int64_t TileSize(const Stage& stage) {
    int64_t size = 1;
    for (const std::string& name : stage.layout) size *= list_->Find(name)->extent.value();
    return size;
  }

  // One region in which all threads visit the elements of a tile together, by vectors.
  // visit(k) is given the number of the vector among the thread's own.
  Block FillRegion(const Stage& stage, const std::function<Block(ExprId)>& visit) {
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
      ExprId own = build_.Add(build_.Mul(build_.Var(round), build_.Int(stage.lanes)), build_.Var(lane));
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

  Block Fill(const Stage& stage, const Tile& tile) {
    if (stage.space == Space::kRegister) return FillRegisters(stage, tile);
    return FillRegion(stage, [&](ExprId) {
      Block store;
      store.push_back(loop::Store{tile.buffer, TileIndex(tile), OperandValue(stage.operand)});
      return store;
    });
  }

  Block FillRegisters(const Stage& stage, const Tile& tile) {
    Env outside = env_;
    std::vector<loop::For> loops;
    for (const std::string& name : stage.layout) {
      const NestLoop& loop = *list_->Find(name);
      VarId var = NewLoop(name, loop.extent);
      env_[loop.var] = build_.Var(var);
      bool vector = stage.lanes > 1 && name == stage.layout.back();
      loops.push_back({var, loop.extent, vector ? LoopKind::kVector : LoopKind::kUnrolled, {}});
    }
    Block block;
    block.push_back(loop::Store{tile.buffer, TileIndex(tile), OperandValue(stage.operand)});
    for (size_t i = loops.size(); i-- > 0;) {
      loops[i].body = std::move(block);
      block = Block();
      block.push_back(std::move(loops[i]));
    }
    env_ = outside;
    return block;
  }

  // The registers that hold the next tile on its way.
  BufferId AheadRegisters(const Stage& stage) {
    int64_t threads = threads_.value(), vectors = TileSize(stage) / stage.lanes;
    int64_t rounds = (vectors + threads - 1) / threads;
    TensorType type{build_.dtype(RawOperand(stage.operand)), {threads, rounds * stage.lanes}};
    return kernel_.buffers.Add({"ahead", type, Space::kRegister});
  }

  Block LoadAhead(const Stage& stage, BufferId registers) {
    return FillRegion(stage, [&](ExprId own) {
      Block store;
      store.push_back(loop::Store{registers, {thread_, own}, OperandValue(stage.operand)});
      return store;
    });
  }

  // What must happen before the loop starts: the first tile is on its way.
  Block BeforeLoop(const NestLoop& loop) {
    Block out;
    for (const Stage& stage : StagesAt(loop)) {
      if (!stage.ahead) continue;
      if (stage.space != Space::kWorkgroup) Fail("stage: only a workgroup tile is loaded ahead");
      ahead_[stage.operand] = AheadRegisters(stage);
      env_[loop.var] = build_.Int(0);
      Append(out, LoadAhead(stage, ahead_[stage.operand]));
    }
    return out;
  }

  // What happens first in each iteration of `loop`: its tiles are filled.
  Block Prologue(const NestLoop& loop) {
    Block out, next;
    std::vector<std::pair<Operand, Tile>> made;
    for (const Stage& stage : StagesAt(loop)) {
      Tile tile = MakeTile(stage);
      if (stage.ahead) {
        BufferId registers = ahead_[stage.operand];
        Append(out, FillRegion(stage, [&](ExprId own) {
                 Block store;
                 store.push_back(loop::Store{tile.buffer, TileIndex(tile),
                                             build_.Load(registers, {thread_, own})});
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

  // ---- Reductions

  std::vector<const NestLoop*> Inside(const std::function<bool(const NestLoop&)>& wanted) {
    std::vector<const NestLoop*> out;
    for (size_t i = keep_; i < list_->loops.size(); ++i) {
      if (wanted(list_->loops[i])) out.push_back(&list_->loops[i]);
    }
    return out;
  }

  static bool IsPart(const NestLoop& loop) { return !loop.reduction || loop.combined; }
  static bool IsThread(const NestLoop& loop) { return loop.kind == LoopKind::kThread; }
  static bool IsLane(const NestLoop& loop) { return loop.combined && !IsThread(loop); }

  loop::Index AccumulatorIndex() {
    loop::Index index;
    if (has_thread_rows_) index.push_back(thread_);
    for (const std::string& name : part_names_) index.push_back(env_.at(list_->Find(name)->var));
    return index;
  }

  Block EmitKept() {
    bool threads_inside = !Inside(IsThread).empty();
    has_thread_rows_ = threads_inside;
    TensorType type{build_.dtype(nest_.store.value), {}};
    if (threads_inside) type.shape.push_back(threads_);
    part_names_.clear();
    for (const NestLoop* loop : Inside(IsPart)) {
      if (IsThread(*loop)) continue;
      if (!loop->extent.IsConstant()) Fail("keep: the extent of " + loop->name + " is not constant");
      part_names_.push_back(loop->name);
      type.shape.push_back(loop->extent);
    }
    accumulator_ = kernel_.buffers.Add({"acc", type, Space::kRegister});

    Block out = EmitAround(Inside(IsPart), 0, [&] {
      Block block;
      block.push_back(loop::Store{accumulator_, AccumulatorIndex(), Resolve(*nest_.init)});
      return block;
    });
    for (LoopList* list : nest_.Lists()) {
      list_ = list;
      tiles_.clear();
      Append(out, EmitUpdate(Names(list->loops, keep_), 0));
    }
    list_ = &nest_.main;
    Append(out, EmitResult());
    return out;
  }

  Block EmitUpdate(const std::vector<const NestLoop*>& loops, size_t i) {
    if (i < loops.size()) {
      return EmitLoop(loops, i, [&](size_t next) { return EmitUpdate(loops, next); });
    }
    Block block;
    block.push_back(
        loop::Store{accumulator_, AccumulatorIndex(), UpdateValue(), nest_.store.update});
    return block;
  }

  // The accumulator with its lanes combined.
  ExprId LanesCombined() {
    ExprId result;
    std::vector<const NestLoop*> lanes = Inside(IsLane);
    std::function<void(size_t)> visit = [&](size_t i) {
      if (i == lanes.size()) {
        ExprId part = build_.Load(accumulator_, AccumulatorIndex());
        result = result.valid() ? loop::Combine(kernel_, nest_.store.update, result, part) : part;
        return;
      }
      for (int64_t v = 0; v < lanes[i]->extent.value(); ++v) {
        env_[lanes[i]->var] = build_.Int(v);
        visit(i + 1);
      }
    };
    visit(0);
    return result;
  }

  // Stores the final `result` through the writers.
  Block WriteResult(ExprId result) {
    Block out;
    if (nest_.writers.empty()) {
      out.push_back(loop::Store{nest_.store.buffer, Resolve(nest_.store.index), result});
    }
    for (const loop::Store& writer : nest_.writers) {
      loop::ExprRewriter put(kernel_, [&](ExprId id, ExprId) {
        auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
        return load && load->buffer == nest_.store.buffer ? result : id;
      });
      // The result is put in after resolving: it is in today's terms already.
      out.push_back(loop::Store{writer.buffer, Resolve(writer.index), put(Resolve(writer.value))});
    }
    return Guarded(SpatialGuards(), std::move(out));
  }

  Block EmitResult() {
    auto combined_threads = Inside([](const NestLoop& l) { return l.combined && IsThread(l); });
    auto spatial = Inside([](const NestLoop& l) { return !l.reduction; });
    if (combined_threads.empty()) {
      return EmitAround(spatial, 0, [&] { return WriteResult(LanesCombined()); });
    }
    return EmitThreadCombine(combined_threads, spatial);
  }

  // Threads put their parts into workgroup memory; then either each of the first threads adds up
  // one element's parts, or, where there are many parts, halves are added to halves until one is
  // left.
  Block EmitThreadCombine(const std::vector<const NestLoop*>& combined,
                          const std::vector<const NestLoop*>& spatial) {
    int64_t parts = 1, elements = 1, threads = threads_.value();
    for (const NestLoop* loop : combined) parts *= loop->extent.value();
    for (const NestLoop* loop : spatial) elements *= loop->extent.value();
    BufferId partial = kernel_.buffers.Add(
        {"partial", {build_.dtype(nest_.store.value), {parts, elements}}, Space::kWorkgroup});
    auto number = [&](const std::vector<const NestLoop*>& loops) {
      ExprId n = build_.Int(0);
      for (const NestLoop* loop : loops) {
        n = build_.Add(build_.Mul(n, build_.Size(loop->extent)), env_.at(loop->var));
      }
      return n;
    };
    auto own = Inside([](const NestLoop& l) { return !l.reduction || (l.combined && IsThread(l)); });
    Block out = EmitAround(own, 0, [&] {
      Block block;
      ExprId value = LanesCombined();
      block.push_back(loop::Store{partial, {number(combined), number(spatial)}, value});
      return block;
    });
    constexpr int64_t kFewParts = 8;
    bool halves = parts > kFewParts && (parts & (parts - 1)) == 0;
    while (halves && parts > 1) {
      parts /= 2;
      out.push_back(Distribute(parts * elements, threads, [&](ExprId n) {
        ExprId part = build_.FloorDiv(n, build_.Int(elements));
        ExprId element = build_.FloorMod(n, build_.Int(elements));
        ExprId other = build_.Load(partial, {build_.Add(part, build_.Int(parts)), element});
        Block block;
        block.push_back(loop::Store{partial, {part, element}, other, nest_.store.update});
        return block;
      }));
    }
    out.push_back(Distribute(elements, threads, [&](ExprId element) {
      ExprId sum = build_.Load(partial, {build_.Int(0), element});
      for (int64_t part = 1; part < parts; ++part) {
        ExprId other = build_.Load(partial, {build_.Int(part), element});
        sum = loop::Combine(kernel_, nest_.store.update, sum, other);
      }
      ExprId left = element;
      for (size_t l = spatial.size(); l-- > 0;) {
        ExprId size = build_.Size(spatial[l]->extent);
        env_[spatial[l]->var] = l == 0 ? left : build_.FloorMod(left, size);
        left = build_.FloorDiv(left, size);
      }
      return WriteResult(sum);
    }));
    return out;
  }

  // A region in which threads take `count` items in turn.
  loop::Stmt Distribute(int64_t count, int64_t threads, const std::function<Block(ExprId)>& body) {
    Env outside = env_;
    loop::Stmt region = ThreadLoop(std::min(count, threads), [&](ExprId t) {
      if (count <= threads) return body(t);
      int64_t rounds = (count + threads - 1) / threads;
      VarId round = NewLoop("round", rounds);
      ExprId n = build_.Add(build_.Mul(build_.Var(round), build_.Int(threads)), t);
      Block inner = body(n);
      if (count % threads != 0) {
        Block guarded;
        guarded.push_back(loop::If{build_.Less(n, build_.Int(count)), std::move(inner)});
        inner = std::move(guarded);
      }
      Block block;
      block.push_back(loop::For{round, rounds, LoopKind::kSerial, std::move(inner)});
      return block;
    });
    env_ = outside;
    return region;
  }

  // A new variable for a loop of this extent.
  VarId NewLoop(const std::string& name, const Dim& extent) {
    VarId var = kernel_.vars.Add({name});
    simplify_.Bind(var, extent);
    return var;
  }

  loop::Kernel& kernel_;
  loop::Builder build_;
  loop::Simplifier& simplify_;  // knows the loops that have been written
  Nest& nest_;
  Env env_;
  ExprId thread_;  // the thread's number inside a region, else invalid
  Dim threads_ = 1;
  size_t from_ = 0, keep_ = SIZE_MAX;
  LoopList* list_ = nullptr;
  bool staging_enabled_ = true;
  std::map<Operand, Tile> tiles_;
  std::map<Operand, BufferId> ahead_;
  BufferId accumulator_;
  bool has_thread_rows_ = false;
  std::vector<std::string> part_names_;
  std::optional<Error> error_;
};

// The loops that all nests share, then the nests one after another inside them.
class KernelBuilder {
 public:
  explicit KernelBuilder(Nests& nests) : nests_(nests), build_(nests.kernel), simplify_(nests.kernel) {}

  Result<Block> Run(size_t i) {
    if (i == nests_.merged) {
      Block out;
      for (Nest& nest : nests_.nests) {
        TRY_ASSIGN(auto block, NestBuilder(nests_.kernel, simplify_, nest, env_, thread_).Run(i));
        for (loop::Stmt& stmt : block) out.push_back(std::move(stmt));
      }
      return out;
    }
    const NestLoop& loop = nests_.nests[0].main.loops[i];
    VarId var = nests_.kernel.vars.Add({loop.name});
    simplify_.Bind(var, loop.extent);
    shared_.push_back(var);
    for (Nest& nest : nests_.nests) {
      for (LoopList* list : nest.Lists()) env_[list->loops[i].var] = build_.Var(var);
    }
    if (loop.kind == LoopKind::kThread) {
      if (thread_.valid()) return Error{"merge: only one shared loop may be bound to thread"};
      thread_ = build_.Var(var);
    }
    LoopKind kind = loop.kind;
    Dim extent = loop.extent;
    TRY_ASSIGN(auto body, Run(i + 1));
    Block out;
    out.push_back(loop::For{var, extent, kind, std::move(body)});
    return out;
  }

  const std::vector<VarId>& shared() const { return shared_; }

 private:
  Nests& nests_;
  loop::Builder build_;
  loop::Simplifier simplify_;
  Env env_;
  ExprId thread_;
  std::vector<VarId> shared_;
};

}  // namespace

Result<loop::Kernel> Build(Nests nests) {
  KernelBuilder builder(nests);
  TRY_ASSIGN(nests.kernel.body, builder.Run(0));
  TRY(LocalizeTemporaries(nests.kernel, builder.shared()));
  loop::Simplify(nests.kernel);
  loop::DropUnused(nests.kernel);
  InsertBarriers(nests.kernel);
  return std::move(nests.kernel);
}

Result<loop::Kernel> Apply(const loop::Kernel& plain, const Schedule& schedule) {
  Nests nests = ExtractNests(plain);
  for (const Directive& directive : schedule) {
    Status status = std::visit(
        [&](const auto& d) -> Status {
          using T = std::decay_t<decltype(d)>;
          if constexpr (std::is_same_v<T, Split>) return ApplySplit(nests, d);
          if constexpr (std::is_same_v<T, Peel>) return ApplyPeel(nests, d);
          if constexpr (std::is_same_v<T, Fuse>) return ApplyFuse(nests, d);
          if constexpr (std::is_same_v<T, Order>) return ApplyOrder(nests, d);
          if constexpr (std::is_same_v<T, Merge>) return ApplyMerge(nests, d);
          if constexpr (std::is_same_v<T, Bind>) return ApplyBind(nests, d);
          if constexpr (std::is_same_v<T, Keep>) return ApplyKeep(nests, d);
          if constexpr (std::is_same_v<T, Combine>) return ApplyCombine(nests, d);
          if constexpr (std::is_same_v<T, Stage>) return ApplyStage(nests, d);
        },
        directive);
    if (!status) {
      return Error{"the schedule does not fit @" + plain.name + ": " + Print(directive) + ": " +
                   status.error().message};
    }
  }
  auto kernel = Build(std::move(nests));
  if (!kernel) {
    return Error{"the schedule does not fit @" + plain.name + ": " + kernel.error().message};
  }
  return kernel;
}

}  // namespace webnnc::schedule
