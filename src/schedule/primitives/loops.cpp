// The primitives that only rearrange or mark loops.
#include <algorithm>

#include "loop/builder.h"
#include "schedule/accuracy.h"
#include "schedule/bytes.h"
#include "schedule/nest.h"
#include "target/machine.h"

namespace webnnc::schedule {

static bool HasAll(const LoopList& list, const LoopIds& loops) {
  return std::all_of(loops.begin(), loops.end(),
                     [&](const LoopId& loop) { return list.Position(loop) >= 0; });
}

// Calls f(list) for every list that has all of `loops`.
template <typename F>
static Status ForMatching(Nests& nests, const char* what, const LoopIds& loops, F f) {
  bool found = false;
  for (Nest& nest : nests.nests) {
    for (LoopList* list : nest.Lists()) {
      if (!HasAll(*list, loops)) continue;
      found = true;
      TRY(f(*list));
    }
  }
  if (found) return kSuccess;
  std::string text;
  for (const LoopId& loop : loops) text += " " + Print(loop);
  return Error{std::string(what) + ": no stage has loops" + text};
}

Status ApplyFuse(Nests& nests, const Fuse& fuse) {
  if (fuse.loops.size() < 2) return Error{"fuse takes at least two loops"};
  return ForMatching(nests, "fuse", fuse.loops, [&](LoopList& list) -> Status {
    auto first = static_cast<size_t>(list.Position(fuse.loops[0]));
    Dim extent = 1;
    for (size_t i = 0; i < fuse.loops.size(); ++i) {
      if (first + i >= list.loops.size() || list.loops[first + i].name != fuse.loops[i].name) {
        return Error{"fuse: " + Print(fuse.loops[i]) + " does not follow " +
                     Print(fuse.loops[i ? i - 1 : 0])};
      }
      if (list.loops[first + i].reduction != list.loops[first].reduction) {
        return Error{"fuse: " + Print(fuse.loops[i]) + " is a reduction and " +
                     Print(fuse.loops[0]) + " is not"};
      }
      if (list.loops[first + i].kind != loop::LoopKind::kSerial)
        return Error{"fuse: " + Print(fuse.loops[i]) + " is bound"};
      extent = extent * list.loops[first + i].extent;
    }
    loop::Builder build(nests.kernel);
    NestLoop fused = list.loops[first];
    fused.name = fuse.into;
    fused.var = nests.kernel.vars.Add({fuse.into});
    fused.extent = extent;
    loop::ExprId left = build.Var(fused.var);
    for (size_t i = fuse.loops.size(); i-- > 0;) {
      const NestLoop& loop = list.loops[first + i];
      loop::ExprId size = build.Size(loop.extent);
      loop::ExprId value = i == 0 ? left : build.FloorMod(left, size);
      list.definitions.push_back({loop.var, value});
      left = build.FloorDiv(left, size);
    }
    auto begin = list.loops.begin() + static_cast<int64_t>(first);
    list.loops.erase(begin + 1, begin + static_cast<int64_t>(fuse.loops.size()));
    list.loops[first] = fused;
    return kSuccess;
  });
}

Status ApplyOrder(Nests& nests, const Order& order) {
  for (const LoopId& loop : order.loops) {
    bool twice = std::count(order.loops.begin(), order.loops.end(), loop) > 1;
    if (twice) return Error{"order: " + Print(loop) + " is named twice"};
  }
  bool found = false;
  std::optional<Error> error;
  TRY(ForMatching(nests, "order", order.loops, [&](LoopList& list) -> Status {
    if (list.loops.size() != order.loops.size()) {
      for (const NestLoop& loop : list.loops) {
        bool named = std::any_of(order.loops.begin(), order.loops.end(),
                                 [&](const LoopId& id) { return id.name == loop.name; });
        if (!named) error = Error{"order: where does " + loop.name + " go?"};
      }
      return kSuccess;
    }
    found = true;
    std::vector<NestLoop> loops;
    for (const LoopId& loop : order.loops) loops.push_back(*list.Find(loop));
    list.loops = std::move(loops);
    return kSuccess;
  }));
  if (!found) return *error;
  return kSuccess;
}

Status ApplyMerge(Nests& nests, const Merge& merge) {
  for (Nest& nest : nests.nests) {
    if (nest.host) continue;
    for (LoopList* list : nest.Lists()) {
      if (!HasAll(*list, merge.loops)) return Error{"merge: a stage lacks one of the loops"};
      for (size_t i = 0; i < merge.loops.size(); ++i) {
        if (list->loops[i].name == merge.loops[i].name) continue;
        return Error{"merge: " + Print(merge.loops[i]) + " is not an outermost loop of all stages"};
      }
    }
  }
  nests.merged = merge.loops.size();
  return kSuccess;
}

static Status CheckMerged(Nests& nests) {
  for (Nest& nest : nests.nests) {
    if (nest.host) continue;
    for (LoopList* list : nest.Lists()) {
      for (size_t i = 0; i < nests.merged; ++i) {
        const NestLoop& first = nests.First().main.loops[i];
        bool same = i < list->loops.size() && list->loops[i].name == first.name &&
                    list->loops[i].extent == first.extent && !list->loops[i].reduction;
        if (!same) return Error{"merge: " + first.name + " is not an outermost loop of all stages"};
        if (first.kind == loop::LoopKind::kVector)
          return Error{"merge: " + first.name + " is a vector, whose lanes would share what flows"};
      }
    }
  }
  return kSuccess;
}

Status ApplyBind(Nests& nests, const Bind& bind) {
  bool needs_constant = IsRegion(bind.kind) || bind.kind == loop::LoopKind::kVector ||
                        bind.kind == loop::LoopKind::kUnrolled;
  // Unrolling and vectors are for each loop by itself; threads are taken together.
  std::vector<LoopIds> groups;
  if (IsRegion(bind.kind)) {
    groups.push_back(bind.loops);
  } else {
    for (const LoopId& loop : bind.loops) groups.push_back({loop});
  }
  for (const auto& group : groups) {
    TRY(ForMatching(nests, "bind", group, [&](LoopList& list) -> Status {
      for (const LoopId& id : group) {
        NestLoop& loop = *list.Find(id);
        const std::string name = Print(id);
        if (IsRegion(bind.kind) && loop.extent.Is(0))
          return Error{"bind: " + name + " has no iterations"};
        if (bind.kind == loop::LoopKind::kMatrix && !loop.extent.Is(Machine::kFragment)) {
          return Error{"bind: " + name + " is no side of a fragment, which has " +
                       std::to_string(Machine::kFragment) + " elements"};
        }
        if (needs_constant && !loop.extent.IsConstant()) {
          return Error{"bind: the extent of " + name + " is not constant"};
        }
        if (loop.dot) return Error{"bind: " + name + " is a dot"};
        // In one thread what is carried from iteration to iteration would be computed again.
        if (loop.replicated && bind.kind != loop::LoopKind::kThread)
          return Error{"bind: " + name + " is of threads that compute the same"};
        loop.kind = bind.kind;
      }
      return kSuccess;
    }));
  }
  return kSuccess;
}

Status ApplyKeep(Nests& nests, const Keep& keep) {
  bool found = false;
  for (Nest& nest : nests.nests) {
    if (!nest.Reduces() || (!keep.at.empty() && !nest.main.Find(keep.at))) continue;
    found = true;
    nest.keep = Keep{keep.at.name, keep.apart};
  }
  if (!found) return Error{"keep: no reduction inside a loop " + Print(keep.at)};
  return kSuccess;
}

Status ApplySkip(Nests& nests, const Skip&) {
  bool found = false;
  for (Nest& nest : nests.nests) {
    if (!nest.Reduces() || nest.update != loop::Update::kAdd) continue;
    found = true;
    nest.skips = true;
  }
  if (!found) return Error{"skip: no sum"};
  return kSuccess;
}

Status ApplyCombine(Nests& nests, const Combine& combine) {
  return ForMatching(nests, "combine", {combine.loop}, [&](LoopList& list) -> Status {
    NestLoop& loop = *list.Find(combine.loop);
    // In stages where the loop is spatial there is nothing to combine.
    if (!loop.reduction) return kSuccess;
    if (loop.kind == loop::LoopKind::kSerial || IsWorkgroup(loop.kind)) {
      return Error{"combine: " + Print(combine.loop) +
                   " is bound to neither thread nor vector, nor unrolled"};
    }
    if (loop.extent.Is(0)) return Error{"combine: " + Print(combine.loop) + " has no iterations"};
    if (combine.how == Combine::kBySubgroups && loop.kind != loop::LoopKind::kThread)
      return Error{"combine: " + Print(combine.loop) +
                   " is not bound to thread, of which subgroups are"};
    const bool everywhere = combine.how == Combine::kEverywhere;
    if (everywhere && loop.kind != loop::LoopKind::kThread)
      return Error{"combine: " + Print(combine.loop) +
                   " is not bound to thread, and has its results once"};
    loop.combined = true;
    loop.by_subgroups = combine.how == Combine::kBySubgroups;
    loop.replicated = everywhere;
    return kSuccess;
  });
}

Status ApplyReplicate(Nests& nests, const Replicate& replicate) {
  for (const Nest& nest : nests.nests) {
    if (nest.main.Find(replicate.at) && nest.Reduces())
      return Error{"replicate: " + Print(replicate.at) +
                   " is a reduction's, whose threads may combine everywhere"};
  }
  return ForMatching(nests, "replicate", {replicate.at}, [&](LoopList& list) -> Status {
    if (list.Find(replicate.into))
      return Error{"replicate: there is a loop " + replicate.into + " already"};
    loop::VarId var = nests.kernel.vars.Add({replicate.into});
    NestLoop loop{replicate.into, var, replicate.threads, loop::LoopKind::kThread};
    loop.replicated = true;
    list.loops.insert(list.loops.begin() + list.Position(replicate.at) + 1, std::move(loop));
    return kSuccess;
  });
}

// Whether i32 holds all sums of what are products of bytes.
static bool SumsBytes(const loop::Kernel& kernel, const Nest& nest, const LoopList& list) {
  constexpr int64_t kLargest = int64_t{INT8_MIN} * INT8_MIN;
  if (!nest.product || !IsByte(kernel, nest.product->left) || !IsByte(kernel, nest.product->right))
    return false;
  Dim terms = 1;
  for (const NestLoop& loop : list.loops) {
    if (loop.reduction) terms = terms * loop.extent;
  }
  auto most = UpperBound(terms);
  return most && *most <= INT32_MAX / kLargest;
}

Status ApplyDot(Nests& nests, const Dot& dot) {
  bool found = false;
  for (Nest& nest : nests.nests) {
    for (LoopList* list : nest.Lists()) {
      NestLoop* loop = list->Find(dot.loop);
      if (!loop || !loop->reduction) continue;
      bool sums = nest.Reduces() && nest.update == loop::Update::kAdd && nest.parts.size() == 1;
      if (!sums || !(nests.kernel.exprs[nest.value()].dtype == DType::kI32 ||
                     SumsBytes(nests.kernel, nest, *list)))
        return Error{"dot: not a sum of i32, nor of products of bytes that i32 holds"};
      if (!loop->extent.IsConstant() || loop->kind != loop::LoopKind::kSerial)
        return Error{"dot: " + Print(dot.loop) + " is bound or has no constant extent"};
      loop->dot = true;
      found = true;
    }
  }
  if (!found) return Error{"dot: no sum over a loop " + Print(dot.loop)};
  return kSuccess;
}

// A sum of n products in f16 is off by n times 2^-11 of their magnitudes, so few are summed so.
static Status CheckNarrow(const LoopList& list, const Narrow& narrow) {
  Dim terms = 1;
  for (size_t i = static_cast<size_t>(list.Position(narrow.at)) + 1; i < list.loops.size(); ++i) {
    const NestLoop& loop = list.loops[i];
    if (loop.reduction && !loop.combined) terms = terms * loop.extent;
  }
  auto most = UpperBound(terms);
  if (most && *most <= kMostNarrow) return kSuccess;
  return Error{"narrow: one iteration of " + Print(narrow.at) + " has " + Print(terms) +
               " terms; no more than " + std::to_string(kMostNarrow) +
               " are summed in the narrow type"};
}

Status ApplyNarrow(Nests& nests, const Narrow& narrow) {
  for (Nest& nest : nests.nests) {
    const NestLoop* loop = nest.main.Find(narrow.at);
    if (!nest.Reduces() || !loop || !loop->reduction) continue;
    if (!nest.product) return Error{"narrow: not a sum of products"};
    DType from = DType::kBool;
    for (loop::ExprId side : {nest.product->left, nest.product->right}) {
      auto* convert = std::get_if<loop::Convert>(&nests.kernel.exprs[side].node);
      if (!convert) return Error{"narrow: an operand is not widened"};
      DType dtype = nests.kernel.exprs[convert->a].dtype;
      if (side != nest.product->left && dtype != from)
        return Error{"narrow: the operands are of two types"};
      from = dtype;
    }
    nest.narrow = Narrow{narrow.at.name};
    return kSuccess;
  }
  return Error{"narrow: no sum over a loop " + Print(narrow.at)};
}

// What lies behind whole parts of a split has no more results side by side than they have.
static Status CheckCombined(const Nest& nest) {
  for (const NestLoop& loop : nest.main.loops) {
    if (!loop.combined) continue;
    for (const LoopList& rest : nest.rest) {
      const NestLoop* same = rest.Find(loop.name);
      bool fits = same && UpperBound(same->extent).value_or(INT64_MAX) <=
                              UpperBound(loop.extent).value_or(0);
      if (!fits) return Error{"combine: what was peeled off " + loop.name + " is longer than it"};
    }
  }
  return kSuccess;
}

// The loops around it are those that its own were counted from.
static Status CheckHost(const Nests& nests, const Host& host) {
  for (const Nest& nest : nests.nests) {
    if (nest.main.stage != host.stage) continue;
    bool same = nest.rest.empty() && nest.main.loops.size() >= host.around.size();
    for (size_t i = 0; same && i < host.around.size(); ++i)
      same = nest.main.loops[i].var == host.around[i];
    if (!same) return Error{"at: " + host.loop + " and what is around it may not change any more"};
  }
  if (nests.merged >= host.around.size())
    return Error{"merge: " + host.loop + " has a stage inside that does not share it"};
  return kSuccess;
}

Status CheckPromises(Nests& nests) {
  for (const Nest& nest : nests.nests) {
    if (nest.host) TRY(CheckHost(nests, *nest.host));
    TRY(CheckCombined(nest));
    if (nest.narrow && nest.main.Find(nest.narrow->at)) TRY(CheckNarrow(nest.main, *nest.narrow));
  }
  return CheckMerged(nests);
}

Status ApplySubtotal(Nests& nests, const Subtotal& subtotal) {
  bool found = false;
  for (Nest& nest : nests.nests) {
    const NestLoop* loop = nest.main.Find(subtotal.at);
    if (!nest.Reduces() || !loop || !loop->reduction) continue;
    found = true;
    auto& all = nest.subtotals;
    Subtotal own{subtotal.at.name, subtotal.every};
    if (std::find(all.begin(), all.end(), own) == all.end()) all.push_back(own);
  }
  if (!found) return Error{"subtotal: no reduction over a loop " + Print(subtotal.at)};
  return kSuccess;
}

Status ApplyStage(Nests& nests, const Stage& stage) {
  if (stage.lanes < 1) return Error{"stage: lanes are at least 1"};
  bool found = false;
  for (Nest& nest : nests.nests) {
    if (!nest.Reduces() || !nest.main.Find(stage.at)) continue;
    bool loads = stage.operand.part == Operand::kLoad;
    TRY_ASSIGN(auto load, LoadOf(nests.kernel, nest, stage.operand));
    if (loads && !load.valid()) continue;
    for (const std::string& name : stage.layout) {
      bool inside = nest.main.Position(name) > nest.main.Position(stage.at);
      if (!inside) return Error{"stage: " + name + " is not inside " + Print(stage.at)};
      if (!nest.main.Find(name)->extent.IsConstant()) {
        return Error{"stage: the extent of " + name + " is not constant"};
      }
    }
    bool has_row = stage.row >= 1 && stage.row <= static_cast<int64_t>(stage.layout.size());
    if (!has_row || stage.pad < 0)
      return Error{"stage: a row is at least one loop of the layout, and pad adds to it"};
    std::vector<std::string> layout = stage.layout, fill = stage.fill;
    std::sort(layout.begin(), layout.end());
    std::sort(fill.begin(), fill.end());
    if (!fill.empty() && fill != layout) return Error{"stage: fill and layout name other loops"};
    if (!nest.rest.empty()) return Error{"stage: the reduction was peeled"};
    bool is_side = stage.operand.part == Operand::kLeft || stage.operand.part == Operand::kRight;
    if (is_side && !nest.product)
      return Error{"stage: not a sum of products, which has a left and a right"};
    if (!loads && nest.parts.size() != 1) return Error{"stage: the reducer has several values"};
    found = true;
    nest.stages.push_back(stage);
    nest.stages.back().at = stage.at.name;
  }
  if (!found && stage.operand.part == Operand::kLoad)
    return Error{"stage: no reduction inside a loop " + Print(stage.at) + " loads %" +
                 stage.operand.buffer};
  if (!found) return Error{"stage: no reduction inside a loop " + Print(stage.at)};
  return kSuccess;
}

}  // namespace webnnc::schedule
