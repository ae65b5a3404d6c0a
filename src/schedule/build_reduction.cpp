// Reductions: registers, loops, and what becomes of the result.
#include <algorithm>

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

std::vector<const NestLoop*> NestBuilder::Inside(
    const std::function<bool(const NestLoop&)>& wanted) {
  std::vector<const NestLoop*> out;
  for (size_t i = keep_; i < list_->loops.size(); ++i) {
    if (wanted(list_->loops[i])) out.push_back(&list_->loops[i]);
  }
  return out;
}

loop::Index NestBuilder::AccumulatorIndex() {
  loop::Index index;
  if (has_thread_rows_) index.push_back(Thread());
  for (const std::string& name : part_names_) index.push_back(ValueOf(*list_->Find(name)));
  return index;
}

Block NestBuilder::EmitKept() {
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
  if (error_) return {};
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

Block NestBuilder::EmitUpdate(const std::vector<const NestLoop*>& loops, size_t i) {
  if (i < loops.size()) {
    const std::string& name = loops[i]->name;
    auto& subtotals = nest_.subtotals;
    bool apart = std::find(subtotals.begin(), subtotals.end(), Subtotal{name}) != subtotals.end();
    auto body = [&](size_t next) {
      if (nest_.narrow && name == nest_.narrow->at)
        return EmitApart(loops, next, "narrow", build_.dtype(RawOperand(Operand::kLeft)));
      // What is left behind whole parts is few.
      if (apart && list_ == &nest_.main)
        return EmitApart(loops, next, "subtotal", build_.dtype(nest_.store.value));
      return EmitUpdate(loops, next);
    };
    std::vector<int64_t> parts = PartsOf(*loops[i]);
    return parts.empty() ? EmitLoop(loops, i, body) : EmitInParts(loops, i, parts, body);
  }
  Block block;
  block.push_back(loop::Store{accumulator_, AccumulatorIndex(), UpdateValue(), nest_.store.update});
  return Guarded(NotSkipped(), std::move(block));
}

Block NestBuilder::EmitApart(const std::vector<const NestLoop*>& loops, size_t i,
                             const std::string& name, DType dtype) {
  std::vector<const NestLoop*> parts = Inside(IsPart);
  for (const NestLoop* part : parts) {
    if (list_->Position(part->name) < list_->Position(loops[i - 1]->name))
      Fail(name + ": " + part->name + " is outside");
  }
  BufferId result = accumulator_, apart = ApartRegisters(name, dtype);
  Block out = SetNeutral(apart, parts);
  accumulator_ = apart;
  Append(out, EmitUpdate(loops, i));
  accumulator_ = result;
  Append(out, AddTo(result, apart, parts));
  return out;
}

BufferId NestBuilder::ApartRegisters(const std::string& name, DType dtype) {
  TensorType type{dtype, kernel_.buffers[accumulator_].type.shape};
  return kernel_.buffers.Add({name, type, Space::kRegister});
}

std::vector<const NestLoop*> NestBuilder::PartsInside(const std::string& at) {
  return Inside([&](const NestLoop& loop) {
    return IsPart(loop) && list_->Position(loop.name) > list_->Position(at);
  });
}

Block NestBuilder::SetNeutral(BufferId registers, const std::vector<const NestLoop*>& parts) {
  ExprId neutral =
      build_.Constant(loop::Neutral(nest_.store.update, kernel_.buffers[registers].type.dtype));
  return EmitAround(parts, 0, [&] {
    Block block;
    block.push_back(loop::Store{registers, AccumulatorIndex(), neutral});
    return block;
  });
}

Block NestBuilder::AddTo(BufferId total, BufferId registers,
                         const std::vector<const NestLoop*>& parts) {
  return EmitAround(parts, 0, [&] {
    ExprId value = build_.Convert(build_.Load(registers, AccumulatorIndex()),
                                  kernel_.buffers[total].type.dtype);
    Block block;
    block.push_back(loop::Store{total, AccumulatorIndex(), value, nest_.store.update});
    return block;
  });
}

std::vector<int64_t> NestBuilder::PartsOf(const NestLoop& loop) const {
  std::vector<int64_t> parts;
  int64_t most = UpperBound(loop.extent).value_or(INT64_MAX);
  for (const Subtotal& subtotal : nest_.subtotals) {
    if (subtotal.at == loop.name && subtotal.every > 1 && subtotal.every < most)
      parts.push_back(subtotal.every);
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

Block NestBuilder::EmitInParts(const std::vector<const NestLoop*>& loops, size_t i,
                               const std::vector<int64_t>& parts,
                               const std::function<Block(size_t)>& body) {
  const NestLoop& loop = *loops[i];
  DType dtype = build_.dtype(nest_.store.value);
  std::vector<const NestLoop*> inside = PartsInside(loop.name), threads, others;
  for (const NestLoop* part : inside) (IsThread(*part) ? threads : others).push_back(part);
  std::vector<BufferId> totals;
  Block out;
  for (size_t level = 0; level < parts.size(); ++level) {
    totals.push_back(ApartRegisters("subtotal", dtype));
    Append(out, SetNeutral(totals.back(), inside));
  }
  totals.push_back(std::exchange(accumulator_, totals[0]));
  Append(out, EmitLoop(loops, i, [&](size_t next) {
           ExprId var = ValueOf(loop);
           Block iteration = body(next);
           // In each thread, though all of them end their parts at once.
           Append(iteration,
                  EmitAround(threads, 0, [&] { return EndParts(parts, totals, 0, var, others); }));
           return iteration;
         }));
  // Of parts that the loop's end has cut short, something is left.
  for (size_t level = 0; level < parts.size(); ++level)
    Append(out, AddTo(totals[level + 1], totals[level], inside));
  accumulator_ = totals.back();
  return out;
}

Block NestBuilder::EndParts(const std::vector<int64_t>& parts, const std::vector<BufferId>& totals,
                            size_t level, ExprId var, const std::vector<const NestLoop*>& inside) {
  if (level == parts.size()) return {};
  ExprId place = build_.FloorMod(build_.Add(var, build_.Int(1)), build_.Int(parts[level]));
  Block end = AddTo(totals[level + 1], totals[level], inside);
  Append(end, SetNeutral(totals[level], inside));
  Append(end, EndParts(parts, totals, level + 1, var, inside));
  Block block;
  block.push_back(loop::If{build_.Equal(place, build_.Int(0)), std::move(end)});
  return block;
}

ExprId NestBuilder::LanesCombined() {
  std::vector<ExprId> parts;
  std::vector<const NestLoop*> lanes = Inside(IsLane);
  std::function<void(size_t)> visit = [&](size_t i) {
    if (i == lanes.size()) {
      parts.push_back(build_.Load(accumulator_, AccumulatorIndex()));
      return;
    }
    for (int64_t v = 0; v < lanes[i]->extent.value(); ++v) {
      env_[lanes[i]->var] = build_.Int(v);
      visit(i + 1);
    }
  };
  visit(0);
  // Halves onto halves: the sums of a step do not wait for each other.
  for (size_t count = parts.size(); count > 1;) {
    size_t half = (count + 1) / 2;
    for (size_t i = 0; i + half < count; ++i) {
      parts[i] = loop::Combine(kernel_, nest_.store.update, parts[i], parts[i + half]);
    }
    count = half;
  }
  return parts[0];
}

Block NestBuilder::WriteResult(ExprId result) {
  if (nest_.start)
    result = loop::Combine(kernel_, nest_.store.update, Resolve(*nest_.start), result);
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

Block NestBuilder::EmitResult() {
  auto combined_threads = Inside([](const NestLoop& l) { return l.combined && IsThread(l); });
  auto spatial = Inside([](const NestLoop& l) { return !l.reduction; });
  if (combined_threads.empty()) {
    if (nest_.keep && nest_.keep->apart) return EmitResultApart(spatial);
    return EmitAround(spatial, 0, [&] { return WriteResult(LanesCombined()); });
  }
  return EmitThreadCombine(combined_threads, spatial);
}

Block NestBuilder::EmitResultApart(const std::vector<const NestLoop*>& spatial) {
  TensorType type{build_.dtype(nest_.store.value), {}};
  std::vector<NestLoop> loops;
  for (const NestLoop* loop : spatial) {
    if (IsThread(*loop)) Fail("keep: results inside a loop bound to thread are not stored apart");
    type.shape.push_back(loop->extent);
    loops.push_back(*loop);
    if (loop->kind == LoopKind::kUnrolled) loops.back().kind = LoopKind::kSerial;
  }
  loop::BufferId results = kernel_.buffers.Add({"results", type, Space::kRegister});
  auto index = [&] {
    loop::Index at;
    for (const NestLoop* loop : spatial) at.push_back(ValueOf(*loop));
    return at;
  };
  Block out = EmitAround(spatial, 0, [&] {
    Block block;
    block.push_back(loop::Store{results, index(), LanesCombined()});
    return block;
  });
  Append(out, EmitAround(Names(loops, 0), 0,
                         [&] { return WriteResult(build_.Load(results, index())); }));
  return out;
}

Block NestBuilder::EmitThreadCombine(const std::vector<const NestLoop*>& combined,
                                     const std::vector<const NestLoop*>& spatial) {
  int64_t parts = 1, elements = 1, threads = threads_.value();
  for (const NestLoop* loop : combined) parts *= loop->extent.value();
  for (const NestLoop* loop : spatial) elements *= loop->extent.value();
  BufferId partial = kernel_.buffers.Add(
      {"partial", {build_.dtype(nest_.store.value), {parts, elements}}, Space::kWorkgroup});
  auto number = [&](const std::vector<const NestLoop*>& loops) {
    ExprId n = build_.Int(0);
    for (const NestLoop* loop : loops) {
      n = build_.Add(build_.Mul(n, build_.Size(loop->extent)), ValueOf(*loop));
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
  bool halves = parts > Machine::kFewParts && (parts & (parts - 1)) == 0;
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

loop::Stmt NestBuilder::Distribute(int64_t count, int64_t threads,
                                   const std::function<Block(ExprId)>& body) {
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

}  // namespace webnnc::schedule
