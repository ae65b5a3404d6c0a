#include <algorithm>

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

namespace {

class Splitter {
 public:
  Splitter(loop::Kernel& kernel, const Split& split)
      : kernel_(kernel), build_(kernel), split_(split) {
    for (int64_t factor : split.factors) product_ = product_ * factor;
  }

  // Whether iterations that run again store the same again.
  bool MayRepeat(const Nest& nest) const {
    auto reads_own = [&](const loop::Store& store) {
      bool reads = false;
      loop::ForEachExpr(kernel_, store.value, [&](loop::ExprId id) {
        auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
        reads |= load && load->buffer == store.buffer;
      });
      return reads;
    };
    if (!nest.ordered) return true;
    if (nest.kind == loop::StageKind::kReplace) return false;
    auto reads = [&](const loop::Part& part) {
      return reads_own({part.buffer, nest.place, part.term});
    };
    return std::none_of(nest.parts.begin(), nest.parts.end(), reads) &&
           std::none_of(nest.writers.begin(), nest.writers.end(), [&](const loop::Store& store) {
             return !nest.Stores(store.buffer) && reads_own(store);
           });
  }

  // Replaces the loop at `position` by the split's loops: `outer` times these factors. Iterations
  // start at `base`.
  void Replace(LoopList& list, size_t position, const Dim& outer, const Dim& base,
               const std::vector<int64_t>& factors) {
    NestLoop old = list.loops[position];
    std::vector<NestLoop> loops;
    loop::ExprId value = build_.Int(0);
    for (size_t i = 0; i <= factors.size(); ++i) {
      int64_t factor = i == 0 ? 1 : factors[i - 1];
      NestLoop loop = old;
      loop.name = old.name + "." + std::to_string(i);
      loop.var = kernel_.vars.Add({loop.name});
      loop.extent = i == 0 ? outer : Dim(factor);
      value = build_.Add(build_.Mul(value, build_.Int(factor)), build_.Var(loop.var));
      // The last whole tile starts no later than where it still fits.
      bool last_tile = i == 0 && shifts_;
      if (last_tile) {
        loop::ExprId start = build_.Mul(build_.Var(loop.var), build_.Int(product_.value()));
        start_ = build_.Min(start, build_.Size(old.extent - product_));
        value = build_.Int(0);
      }
      loops.push_back(loop);
    }
    if (shifts_) value = build_.Add(start_, value);
    value = build_.Add(value, build_.Size(base));
    list.loops.erase(list.loops.begin() + static_cast<int64_t>(position));
    list.loops.insert(list.loops.begin() + static_cast<int64_t>(position), loops.begin(),
                      loops.end());
    list.definitions.push_back({old.var, value});
  }

  // What whole tiles leave of a loop.
  struct Rest {
    Dim outer, base;
    std::vector<int64_t> factors;
  };

  // Of a known number of iterations as many as fill the last factor, such as a vector, are one tile
  // each; others come one by one.
  std::vector<Rest> RestsOf(const Dim& extent) const {
    std::vector<Rest> rests;
    std::vector<int64_t> ones(split_.factors.size(), 1);
    Dim left = Mod(extent, product_);
    const int64_t last = split_.factors.back();
    if (extent.IsConstant() && ones.size() > 1 && left.value() >= last) {
      rests.push_back({FloorDiv(left, last), extent - left, ones});
      rests.back().factors.back() = last;
      left = Mod(left, last);
    }
    if (!left.Is(0)) rests.push_back({left, extent - left, ones});
    return rests;
  }

  Status Run(Nest& nest, std::vector<Nest>& peeled) {
    const NestLoop& loop = *nest.main.Find(split_.loop);
    Dim extent = loop.extent;
    bool reduction = loop.reduction, divides = KnownDivisor(extent) % product_.value() == 0;
    loop::VarId var = loop.var;
    if (loop.kind != loop::LoopKind::kSerial)
      return Error{"split of a bound loop " + Print(split_.loop)};
    for (const LoopList& list : nest.rest) {
      const NestLoop* other = list.Find(split_.loop);
      if (!other || other->var != loop.var)
        return Error{"split of " + Print(split_.loop) + ", which was peeled by another split"};
    }
    Tail tail = divides ? Tail::kGuard : split_.tail;
    bool short_loop = extent.IsConstant() && extent.value() < product_.value();
    if (tail == Tail::kShift && short_loop) tail = Tail::kPeel;
    if (tail == Tail::kShift) {
      if (reduction) return Error{"a reduction over " + Print(split_.loop) + " cannot be shifted"};
      if (!ProvablyLessEqual(product_, extent)) {
        return Error{"the loop over " + Print(split_.loop) + " may be shorter than its tile"};
      }
      if (!MayRepeat(nest)) {
        return Error{"the loop over " + Print(split_.loop) +
                     " cannot be shifted: what it stores depends on what was there"};
      }
      shifts_ = true;
    }
    Dim outer = tail == Tail::kPeel ? FloorDiv(extent, product_) : CeilDiv(extent, product_);
    if (tail == Tail::kPeel) {
      for (const Rest& rest : RestsOf(extent)) {
        if (!reduction) peeled.push_back(nest);
        std::vector<LoopList> lists;
        for (LoopList* list : reduction ? nest.Lists() : peeled.back().Lists()) {
          const int at = list->Position(split_.loop);
          if (at < 0) continue;  // a rest that was made before
          if (reduction) lists.push_back(*list);
          Replace(reduction ? lists.back() : *list, static_cast<size_t>(at), rest.outer, rest.base,
                  rest.factors);
        }
        nest.rest.insert(nest.rest.end(), lists.begin(), lists.end());
      }
    }
    for (LoopList* list : nest.Lists()) {
      int at = list->Position(split_.loop);
      // The rests of a peeled reduction have been replaced above.
      if (at >= 0) Replace(*list, static_cast<size_t>(at), outer, 0, split_.factors);
    }
    if (!divides && tail == Tail::kGuard) {
      nest.guards.push_back({build_.Less(build_.Var(var), build_.Size(extent)), reduction});
    }
    return kSuccess;
  }

 private:
  loop::Kernel& kernel_;
  loop::Builder build_;
  const Split& split_;
  Dim product_ = 1;
  bool shifts_ = false;
  loop::ExprId start_;
};

}  // namespace

Status ApplySplit(Nests& nests, const Split& split) {
  bool found = false;
  std::vector<Nest> out;
  for (Nest& nest : nests.nests) {
    std::vector<Nest> peeled;
    if (nest.main.Find(split.loop)) {
      found = true;
      TRY(Splitter(nests.kernel, split).Run(nest, peeled));
    }
    out.push_back(std::move(nest));
    for (Nest& rest : peeled) out.push_back(std::move(rest));
  }
  nests.nests = std::move(out);
  if (!found) return Error{"split: no loop " + Print(split.loop)};
  return kSuccess;
}

}  // namespace webnnc::schedule
