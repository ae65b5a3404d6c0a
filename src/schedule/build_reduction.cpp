// Reductions: registers, loops, and what becomes of the result (how partial results become one:
// build_combine.cpp).
#include <algorithm>
#include <numeric>

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

NestBuilder::Registers NestBuilder::AddRegisters(const std::string& name, Space space,
                                                 const std::vector<DType>& dtypes,
                                                 const Shape& shape) {
  Registers registers;
  for (DType dtype : dtypes)
    registers.push_back(kernel_.buffers.Add({name, {dtype, shape}, space}));
  return registers;
}

std::vector<DType> NestBuilder::DTypes() {
  return DotsBytes() ? std::vector{DType::kI32} : ResultTypes();
}

std::vector<DType> NestBuilder::ResultTypes() {
  std::vector<DType> dtypes;
  for (const loop::Part& part : nest_.parts) dtypes.push_back(build_.dtype(part.term));
  return dtypes;
}

loop::Tuple NestBuilder::LoadAll(const Registers& registers, const loop::Index& index) {
  loop::Tuple values;
  for (BufferId buffer : registers) values.push_back(build_.Load(buffer, index));
  return values;
}

Block NestBuilder::StoreAll(const Registers& registers, const loop::Index& index,
                            const loop::Tuple& values) {
  Block block;
  for (size_t p = 0; p < registers.size(); ++p)
    block.push_back(loop::Store{registers[p], index, values[p]});
  return block;
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
  Shape shape;
  if (threads_inside) shape.push_back(bound_);
  part_names_.clear();
  for (const NestLoop* loop : Inside(IsPart)) {
    if (IsThread(*loop)) continue;
    if (!loop->extent.IsConstant()) Fail("keep: the extent of " + loop->name + " is not constant");
    part_names_.push_back(loop->name);
    shape.push_back(loop->extent);
  }
  if (error_) return {};
  accumulator_ = AddRegisters("acc", Space::kRegister, DTypes(), shape);

  Block out = SetNeutral(accumulator_, Inside(IsPart));
  const auto outside = tiles_;
  for (LoopList* list : nest_.Lists()) {
    list_ = list;
    tiles_ = outside;
    Append(out, EmitUpdate(Names(list->loops, keep_), 0));
  }
  list_ = &nest_.main;
  Append(out, EmitResult());
  return out;
}

Block NestBuilder::EmitUpdate(const std::vector<const NestLoop*>& loops, size_t i) {
  if (i < loops.size() && loops[i]->dot) return EmitDot(loops, i);
  if (i < loops.size()) {
    const std::string& name = loops[i]->name;
    auto& subtotals = nest_.subtotals;
    bool apart = std::find(subtotals.begin(), subtotals.end(), Subtotal{name}) != subtotals.end();
    auto body = [&](size_t next) {
      if (nest_.narrow && name == nest_.narrow->at.name)
        return EmitApart(loops, next, "narrow", {build_.dtype(RawOperand(Operand::kLeft))});
      // What is left behind whole parts is few.
      if (apart && list_ == &nest_.main) return EmitApart(loops, next, "subtotal", DTypes());
      return EmitUpdate(loops, next);
    };
    std::vector<int64_t> parts = PartsOf(*loops[i]);
    return parts.empty() ? EmitLoop(loops, i, body) : EmitInParts(loops, i, parts, body);
  }
  return Guarded(NotSkipped(), loop::CombineInto(kernel_, nest_.update, accumulator_,
                                                 AccumulatorIndex(), Terms()));
}

Block NestBuilder::EmitDot(const std::vector<const NestLoop*>& loops, size_t i) {
  const NestLoop& loop = *loops[i];
  if (i + 1 < loops.size()) Fail("dot: " + loops[i + 1]->name + " is inside " + loop.name);
  if (nest_.skips) Fail("dot: iterations of " + loop.name + " are skipped");
  if (!loop.extent.IsConstant()) Fail("dot: the extent of " + loop.name + " is not constant");
  if (error_) return {};
  if (DotsBytes()) {
    ExprId products =
        build_.Apply(loop::BinaryOp::kDot4, ByteWord(Operand::kLeft), ByteWord(Operand::kRight));
    ExprId none = build_.Constant(Scalar::Integer(DType::kI32, 0));
    return loop::CombineInto(kernel_, nest_.update, accumulator_, AccumulatorIndex(),
                             {build_.Select(Needed(false), products, none)});
  }
  if (DTypes()[0] != DType::kI32) {
    Fail("dot: only sums of four products of bytes are of floats");
    return {};
  }
  ExprId sum = build_.Constant(Scalar::Integer(DType::kI32, 0));
  for (int64_t n = 0; n < loop.extent.value(); ++n) {
    env_[loop.var] = build_.Int(n);
    sum = build_.Add(sum, Terms()[0]);
  }
  return loop::CombineInto(kernel_, nest_.update, accumulator_, AccumulatorIndex(), {sum});
}

Block NestBuilder::EmitApart(const std::vector<const NestLoop*>& loops, size_t i,
                             const std::string& name, const std::vector<DType>& dtypes) {
  const std::string& at = loops[i - 1]->name;
  std::vector<const NestLoop*> parts = PartsInside(at);
  Registers result = accumulator_, apart = ApartRegisters(name, dtypes);
  Block out = SetNeutral(apart, parts);
  const auto sides = sides_;
  const auto terms = terms_;
  Factors factors = TakeFactors(at);
  accumulator_ = apart;
  Append(out, EmitUpdate(loops, i));
  accumulator_ = result;
  sides_ = sides;
  terms_ = terms;
  Append(out, AddTo(result, apart, parts, factors));
  return out;
}

NestBuilder::Registers NestBuilder::ApartRegisters(const std::string& name,
                                                   const std::vector<DType>& dtypes) {
  const Shape shape = kernel_.buffers[accumulator_[0]].type.shape;
  return AddRegisters(name, Space::kRegister, dtypes, shape);
}

std::vector<const NestLoop*> NestBuilder::PartsInside(const std::string& at) {
  return Inside([&](const NestLoop& loop) {
    return IsPart(loop) && list_->Position(loop.name) > list_->Position(at);
  });
}

Block NestBuilder::SetNeutral(const Registers& registers,
                              const std::vector<const NestLoop*>& parts) {
  std::vector<DType> dtypes;
  for (BufferId buffer : registers) dtypes.push_back(kernel_.buffers[buffer].type.dtype);
  loop::Tuple neutral = Neutrals(dtypes);
  return EmitAround(parts, 0, [&] { return StoreAll(registers, AccumulatorIndex(), neutral); });
}

Block NestBuilder::AddTo(const Registers& total, const Registers& registers,
                         const std::vector<const NestLoop*>& parts, const Factors& factors) {
  return EmitAround(parts, 0, [&] {
    loop::Tuple values = LoadAll(registers, AccumulatorIndex());
    for (size_t p = 0; p < factors.size(); ++p) {
      for (ExprId factor : factors[p])
        values[p] =
            build_.Mul(values[p], GuardedValue(factor, build_.Real(build_.dtype(factor), 0)));
    }
    for (size_t p = 0; p < values.size(); ++p)
      values[p] = build_.Convert(values[p], kernel_.buffers[total[p]].type.dtype);
    return loop::CombineInto(kernel_, nest_.update, total, AccumulatorIndex(), values);
  });
}

std::vector<int64_t> NestBuilder::PartsOf(const NestLoop& loop) const {
  std::vector<int64_t> parts;
  int64_t most = UpperBound(loop.extent).value_or(INT64_MAX);
  for (const Subtotal& subtotal : nest_.subtotals) {
    if (subtotal.at.name == loop.name && subtotal.every > 1 && subtotal.every < most)
      parts.push_back(subtotal.every);
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

Block NestBuilder::EmitInParts(const std::vector<const NestLoop*>& loops, size_t i,
                               const std::vector<int64_t>& parts,
                               const std::function<Block(size_t)>& body) {
  const NestLoop& loop = *loops[i];
  std::vector<const NestLoop*> inside = PartsInside(loop.name), threads, others;
  for (const NestLoop* part : inside) (IsThread(*part) ? threads : others).push_back(part);
  std::vector<Registers> totals;
  Block out;
  for (size_t level = 0; level < parts.size(); ++level) {
    totals.push_back(ApartRegisters("subtotal", DTypes()));
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

Block NestBuilder::EndParts(const std::vector<int64_t>& parts, const std::vector<Registers>& totals,
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

Block NestBuilder::WriteResult(loop::Tuple results) {
  loop::Tuple starts, resolved;
  for (size_t p = 0; p < results.size(); ++p)
    results[p] = build_.Convert(results[p], ResultTypes()[p]);
  for (const loop::Part& part : nest_.parts) {
    starts.push_back(part.start);
    resolved.push_back(Resolve(part.start));
  }
  if (starts != Neutrals(ResultTypes()))
    results = loop::Combine(kernel_, nest_.update, resolved, results);
  Block out;
  if (nest_.writers.empty()) {
    Registers buffers;
    for (const loop::Part& part : nest_.parts) buffers.push_back(part.buffer);
    out = StoreAll(buffers, Resolve(nest_.place), results);
  }
  for (const loop::Store& writer : nest_.writers) {
    loop::ExprRewriter put(kernel_, [&](ExprId id, ExprId) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
      for (size_t p = 0; load && p < results.size(); ++p) {
        if (load->buffer == nest_.parts[p].buffer) return results[p];
      }
      return id;
    });
    // The result is put in after resolving: it is in today's terms already.
    out.push_back(loop::Store{writer.buffer, Resolve(writer.index), put(Resolve(writer.value))});
  }
  return Guarded(SpatialGuards(), StoredOnce(std::move(out)));
}

Block NestBuilder::EmitResult() {
  auto combined_threads = Inside([](const NestLoop& l) { return l.combined && IsThread(l); });
  auto spatial = Inside([](const NestLoop& l) { return !l.reduction; });
  if (HasFragments()) return EmitFragments(spatial);
  if (combined_threads.empty()) {
    if (nest_.keep && nest_.keep->apart) return EmitResultApart(spatial);
    return EmitAround(spatial, 0, [&] {
      Block block;
      loop::Tuple results = LanesCombined(block);
      Append(block, WriteResult(std::move(results)));
      return block;
    });
  }
  if (CombineBySubgroups(combined_threads, spatial)) return EmitSubgroupCombine(spatial);
  return EmitThreadCombine(combined_threads, spatial);
}

Block NestBuilder::EmitResultApart(const std::vector<const NestLoop*>& spatial) {
  Shape shape;
  std::vector<NestLoop> loops;
  for (const NestLoop* loop : spatial) {
    if (IsThread(*loop)) Fail("keep: results inside a loop bound to thread are not stored apart");
    shape.push_back(loop->extent);
    loops.push_back(*loop);
    if (loop->kind == LoopKind::kUnrolled) loops.back().kind = LoopKind::kSerial;
  }
  Registers results = AddRegisters("results", Space::kRegister, DTypes(), shape);
  auto index = [&] {
    loop::Index at;
    for (const NestLoop* loop : spatial) at.push_back(ValueOf(*loop));
    return at;
  };
  Block out = EmitAround(spatial, 0, [&] {
    Block block;
    loop::Tuple values = LanesCombined(block);
    Append(block, StoreAll(results, index(), values));
    return block;
  });
  const std::vector<const NestLoop*> all = Names(loops, 0);
  Append(out, EmitInBlocks(all, [&] { return WriteResult(LoadAll(results, index())); }));
  return out;
}

// Vectors that functions are computed of side by side.
static constexpr int64_t kBlockVectors = 4;

Block NestBuilder::EmitInBlocks(std::vector<const NestLoop*> loops, const Leaf& leaf) {
  int64_t vectors = 1;
  std::vector<NestLoop> copies;
  while (!loops.empty()) {
    const NestLoop& inner = *loops.back();
    int64_t extent = inner.extent.value();
    bool is_vector = inner.kind == LoopKind::kVector;
    if (is_vector) extent = std::max<int64_t>(1, extent / Machine::kLanes);
    if (!is_vector && vectors * extent > kBlockVectors) break;
    vectors *= extent;
    copies.push_back(inner);
    if (!is_vector) copies.back().kind = LoopKind::kUnrolled;
    loops.pop_back();
  }
  std::reverse(copies.begin(), copies.end());
  auto block = [&] { return EmitAround(Names(copies, 0), 0, leaf); };
  const NestLoop* cut = loops.empty() ? nullptr : loops.back();
  int64_t more = std::max<int64_t>(1, kBlockVectors / vectors);
  int64_t several = cut ? std::gcd(cut->extent.value(), more) : 1;
  if (several == 1) return EmitAround(loops, 0, block);
  loops.pop_back();
  return EmitAround(loops, 0, [&] {
    VarId round = NewLoop("round", cut->extent.value() / several);
    Block body;
    for (int64_t n = 0; n < several; ++n) {
      env_[cut->var] =
          build_.Add(build_.Mul(build_.Var(round), build_.Int(several)), build_.Int(n));
      Append(body, block());
    }
    Block out;
    out.push_back(
        loop::For{round, cut->extent.value() / several, LoopKind::kSerial, std::move(body)});
    return out;
  });
}

ExprId NestBuilder::NumberOf(const std::vector<const NestLoop*>& loops) {
  ExprId n = build_.Int(0);
  for (const NestLoop* loop : loops)
    n = build_.Add(build_.Mul(n, build_.Size(loop->extent)), ValueOf(*loop));
  return n;
}

}  // namespace webnnc::schedule
