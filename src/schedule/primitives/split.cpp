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

  // Replaces the loop at `position` by the split's loops: `outer` times the factors, or times 1
  // each where `whole` is false. Iterations start at `base`.
  void Replace(LoopList& list, size_t position, const Dim& outer, const Dim& base, bool whole) {
    NestLoop old = list.loops[position];
    std::vector<NestLoop> loops;
    loop::ExprId value = build_.Int(0);
    for (size_t i = 0; i <= split_.factors.size(); ++i) {
      int64_t factor = i == 0 || !whole ? 1 : split_.factors[i - 1];
      NestLoop loop = old;
      loop.name = old.name + "." + std::to_string(i);
      loop.var = kernel_.vars.Add({loop.name});
      loop.extent = i == 0 ? outer : Dim(factor);
      value = build_.Add(build_.Mul(value, build_.Int(factor)), build_.Var(loop.var));
      // The last whole tile starts no later than where it still fits.
      bool last_tile = i == 0 && whole && shifts_;
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
    Dim left = Mod(extent, product_);
    if (tail == Tail::kPeel) {
      if (reduction) {
        std::vector<LoopList> rest;
        for (LoopList* list : nest.Lists()) {
          rest.push_back(*list);
          auto at = static_cast<size_t>(list->Position(split_.loop));
          Replace(rest.back(), at, left, extent - left, false);
        }
        nest.rest.insert(nest.rest.end(), rest.begin(), rest.end());
      } else {
        peeled.push_back(nest);
        for (LoopList* list : peeled.back().Lists()) {
          Replace(*list, static_cast<size_t>(list->Position(split_.loop)), left, extent - left,
                  false);
        }
      }
    }
    for (LoopList* list : nest.Lists()) {
      int at = list->Position(split_.loop);
      // The rest of a peeled reduction has been replaced above.
      if (at >= 0) Replace(*list, static_cast<size_t>(at), outer, 0, true);
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
