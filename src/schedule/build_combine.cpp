// Partial results that become one: those of a thread's lanes, and those of threads.
#include <algorithm>
#include <functional>

#include "schedule/nest_builder.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::Block;
using loop::ExprId;
using loop::LoopKind;
using loop::Space;
using loop::VarId;

loop::Index NestBuilder::LanePlace(const std::vector<const NestLoop*>& lanes, int64_t number) {
  for (size_t l = lanes.size(); l-- > 0;) {
    int64_t extent = lanes[l]->extent.value();
    env_[lanes[l]->var] = build_.Int(number % extent);
    number /= extent;
  }
  return AccumulatorIndex();
}

// Halves onto halves: the sums of a step do not wait for each other.
static void ForEachHalf(int64_t count, const std::function<void(int64_t, int64_t)>& combine) {
  while (count > 1) {
    int64_t half = (count + 1) / 2;
    for (int64_t i = 0; i + half < count; ++i) combine(i, i + half);
    count = half;
  }
}

// Results of one reduction over subgroups: each is instructions of its own.
static constexpr int64_t kMostCombined = 16;

static int64_t CountOf(const std::vector<const NestLoop*>& loops) {
  int64_t count = 1;
  for (const NestLoop* loop : loops) count *= loop->extent.value();
  return count;
}

Block NestBuilder::CombineLanes(const std::vector<const NestLoop*>& lanes,
                                const std::vector<const NestLoop*>& around) {
  Block out;
  ForEachHalf(CountOf(lanes), [&](int64_t to, int64_t from) {
    Append(out, EmitAround(around, 0, [&] {
             loop::Tuple other = LoadAll(accumulator_, LanePlace(lanes, from));
             return loop::CombineInto(kernel_, nest_.update, accumulator_, LanePlace(lanes, to),
                                      other);
           }));
  });
  LanePlace(lanes, 0);
  return out;
}

loop::Tuple NestBuilder::LanesCombined(Block& before) {
  auto lanes = Inside(IsLane);
  if (accumulator_.size() > 1) {
    // Tuples are combined where they are: an expression of all lanes would have each many times.
    auto vectors = lanes, others = lanes;
    auto is_vector = [](const NestLoop* loop) { return loop->kind == LoopKind::kVector; };
    std::erase_if(vectors, [&](const NestLoop* loop) { return !is_vector(loop); });
    std::erase_if(others, is_vector);
    Append(before, CombineLanes(others, vectors));
    Append(before, CombineLanes(vectors, {}));
    return LoadAll(accumulator_, AccumulatorIndex());
  }
  std::vector<loop::Tuple> parts;
  for (int64_t lane = 0; lane < CountOf(lanes); ++lane)
    parts.push_back(LoadAll(accumulator_, LanePlace(lanes, lane)));
  ForEachHalf(CountOf(lanes), [&](int64_t to, int64_t from) {
    auto &a = parts[static_cast<size_t>(to)], &b = parts[static_cast<size_t>(from)];
    a = loop::Combine(kernel_, nest_.update, a, b);
  });
  return parts[0];
}

Block NestBuilder::EmitThreadCombine(const std::vector<const NestLoop*>& combined,
                                     const std::vector<const NestLoop*>& spatial) {
  int64_t parts = CountOf(combined), elements = CountOf(spatial), threads = threads_.value();
  Registers partial = AddRegisters("partial", Space::kWorkgroup, DTypes(), {parts, elements});
  auto own = Inside([](const NestLoop& l) { return !l.reduction || (l.combined && IsThread(l)); });
  Block out = EmitAround(own, 0, [&] {
    Block block;
    loop::Tuple values = LanesCombined(block);
    Append(block, StoreAll(partial, {NumberOf(combined), NumberOf(spatial)}, values));
    return block;
  });
  bool everywhere = std::any_of(combined.begin(), combined.end(),
                                [](const NestLoop* loop) { return loop->replicated; });
  if (everywhere) {
    Append(out, CombineEverywhere(partial, parts, own, spatial));
    return out;
  }
  // Each part of a tuple is in memory again once it is added.
  bool few = parts * static_cast<int64_t>(partial.size()) <= Machine::kFewParts;
  bool halves = !few && (parts & (parts - 1)) == 0;
  while (halves && parts > 1) {
    parts /= 2;
    out.push_back(Distribute(parts * elements, threads, [&](ExprId n) {
      ExprId part = build_.FloorDiv(n, build_.Int(elements));
      ExprId element = build_.FloorMod(n, build_.Int(elements));
      loop::Tuple other = LoadAll(partial, {build_.Add(part, build_.Int(parts)), element});
      return loop::CombineInto(kernel_, nest_.update, partial, {part, element}, other);
    }));
  }
  out.push_back(FinishCombine(partial, parts, elements, spatial));
  return out;
}

Block NestBuilder::CombineEverywhere(const Registers& partial, int64_t parts,
                                     const std::vector<const NestLoop*>& own,
                                     const std::vector<const NestLoop*>& spatial) {
  if (partial.size() > 1)
    Fail("combine: each of several parts of a result is combined once, not everywhere");
  return EmitAround(own, 0, [&] {
    ExprId element = NumberOf(spatial);
    loop::Tuple sum = LoadAll(partial, {build_.Int(0), element});
    for (int64_t part = 1; part < parts; ++part) {
      loop::Tuple other = LoadAll(partial, {build_.Int(part), element});
      sum = loop::Combine(kernel_, nest_.update, sum, other);
    }
    return WriteResult(std::move(sum));
  });
}

bool NestBuilder::CombineBySubgroups(const std::vector<const NestLoop*>& combined,
                                     const std::vector<const NestLoop*>& spatial) {
  bool wanted = std::any_of(combined.begin(), combined.end(),
                            [](const NestLoop* loop) { return loop->by_subgroups; });
  // The instructions are of values, and of all threads of a subgroup, however many those are.
  return wanted && nest_.parts.size() == 1 && CountOf(combined) == threads_.value() &&
         CountOf(spatial) <= std::min(kMostCombined, threads_.value());
}

Block NestBuilder::EmitSubgroupCombine(const std::vector<const NestLoop*>& spatial) {
  int64_t threads = threads_.value(), elements = CountOf(spatial);
  int64_t places = std::max<int64_t>(1, threads / Machine::kSmallestSubgroup);
  Registers total = AddRegisters("total", Space::kWorkgroup, DTypes(), {places, elements});
  std::vector<NestLoop> copies;
  for (const NestLoop* loop : spatial) {
    copies.push_back(*loop);
    copies.back().kind = LoopKind::kUnrolled;
  }
  auto for_each = [&](const Leaf& leaf) { return EmitAround(Names(copies, 0), 0, leaf); };
  auto place = [&] { return loop::Index{build_.Int(0), NumberOf(spatial)}; };
  Block out;
  auto region = [&](ExprId thread) {
    Block block;
    block.push_back(loop::If{build_.Equal(thread, build_.Int(0)), for_each([&] {
                               return StoreAll(total, place(), Neutrals(DTypes()));
                             })});
    Append(block, for_each([&] {
             Block update;
             loop::Tuple values = LanesCombined(update);
             update.push_back(loop::Store{total[0], place(), values[0], nest_.update});
             return update;
           }));
    return block;
  };
  out.push_back(ThreadLoop(threads, region, LoopKind::kCombined));
  out.push_back(FinishCombine(total, 1, elements, spatial));
  return out;
}

loop::Stmt NestBuilder::FinishCombine(const Registers& partial, int64_t parts, int64_t elements,
                                      const std::vector<const NestLoop*>& spatial) {
  return Distribute(elements, threads_.value(), [&](ExprId element) {
    Block block;
    loop::Tuple sum = LoadAll(partial, {build_.Int(0), element});
    for (int64_t part = 1; part < parts; ++part) {
      loop::Tuple other = LoadAll(partial, {build_.Int(part), element});
      if (partial.size() > 1) {
        Append(block,
               loop::CombineInto(kernel_, nest_.update, partial, {build_.Int(0), element}, other));
      } else {
        sum = loop::Combine(kernel_, nest_.update, sum, other);
      }
    }
    SetLoops(spatial, element);
    Append(block, WriteResult(std::move(sum)));
    return block;
  });
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
