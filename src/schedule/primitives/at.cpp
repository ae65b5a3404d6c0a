// Computing a stage inside a loop of a later one: which part of its results an iteration reads
// follows from the indices that it reads them at. An index is a sum of what the loops around
// contribute, the same for all reads, and of the rest, which has bounds:
//
//   t[8*k.0 + k.1 + d]    8*k.0, and 0 <= k.1 + d < 10
//
// So the stage runs from 8*k.0 on for 10 iterations. Halide calls it bounds inference.
#include <algorithm>
#include <set>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

using loop::BufferId;
using loop::ExprId;
using loop::VarId;

namespace {

class Hosting {
 public:
  Hosting(Nests& nests, Nest& guest, Nest& host, size_t depth)
      : nests_(nests),
        kernel_(nests.kernel),
        build_(kernel_),
        simplify_(kernel_),
        guest_(guest),
        host_(host) {
    for (const NestLoop& loop : host.main.loops) simplify_.Bind(loop.var, loop.extent);
    const std::string& at = host.main.loops[depth].name;
    for (const Nest& nest : nests.nests) {
      bool same = nest.host && nest.host->stage == host.main.stage && nest.host->loop == at;
      if (!same || &nest < &guest) continue;
      beside_.push_back(&nest);
      for (const NestLoop& loop : nest.main.loops) simplify_.Bind(loop.var, loop.extent);
    }
    for (size_t i = 0; i <= depth; ++i) around_.push_back(host.main.loops[i].var);
  }

  Status Run(const std::string& loop) {
    TRY(CheckStages());
    std::vector<loop::Store> stores = guest_.writers;
    for (const loop::Part& part : guest_.parts) {
      if (guest_.writers.empty()) stores.push_back({part.buffer, guest_.place, part.term});
    }
    for (const loop::Store& store : stores) stored_.insert(store.buffer);
    TRY(FindReads());
    TRY(CheckOrder());
    for (const loop::Store& store : stores) TRY(Match(store));
    for (const NestLoop& own : guest_.main.loops) {
      if (!own.reduction && !regions_.count(own.var))
        return Error{"at: nothing says which iterations of " + own.name + " are needed"};
    }
    for (auto& [var, region] : regions_) Restrict(var, region);
    for (BufferId buffer : stored_) nests_.hosted[buffer] = lows_[buffer];
    guest_.host = Host{host_.main.stage, loop, around_};
    return kSuccess;
  }

 private:
  // What the loops around contribute to an index, and the bounds of the rest.
  struct Region {
    loop::Polynomial base;
    int64_t low = 0, high = 0;
  };

  Status CheckStages() const {
    auto is_simple = [](const Nest& nest) {
      return !nest.ordered && nest.rest.empty() &&
             (nest.kind == loop::StageKind::kMap || nest.kind == loop::StageKind::kReduce);
    };
    if (!is_simple(guest_) || !is_simple(host_))
      return Error{"at: a stage is in an ordered loop, peeled, or no map or reduction"};
    bool changed = !guest_.main.definitions.empty() || guest_.host;
    for (const NestLoop& loop : guest_.main.loops) changed |= loop.kind != loop::LoopKind::kSerial;
    if (changed) return Error{"at: the stage's loops are changed already"};
    return kSuccess;
  }

  // Calls f(load) for each load of what the guest stores.
  template <typename F>
  void ForEachRead(ExprId id, F f) const {
    if (!id.valid()) return;
    loop::ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
      if (load && stored_.count(load->buffer)) f(*load);
    });
  }

  bool Reads(ExprId id) const {
    bool reads = false;
    ForEachRead(id, [&](const loop::Load&) { reads = true; });
    return reads;
  }

  bool IsBeside(const Nest& nest) const {
    return std::find(beside_.begin(), beside_.end(), &nest) != beside_.end();
  }

  // Whether a nest reads it, but for the terms of the host, and what is computed in the same place
  // behind it.
  bool ReadsElsewhere(const Nest& nest) const {
    bool reads = std::any_of(nest.place.begin(), nest.place.end(),
                             [&](ExprId index) { return Reads(index); });
    const bool beside = IsBeside(nest), terms = beside || &nest == &host_;
    for (const loop::Part& part : nest.parts)
      reads |= Reads(part.start) || (!terms && Reads(part.term));
    for (const loop::Store& store : nest.writers) {
      reads |= !beside && Reads(store.value);
      for (ExprId index : store.index) reads |= Reads(index);
    }
    return reads;
  }

  // The regions of all dimensions that an iteration reads.
  Status FindReads() {
    for (BufferId buffer : stored_) {
      const loop::Buffer& stored = kernel_.buffers[buffer];
      bool flows = stored.space == loop::Space::kTemporary;
      if (!flows) return Error{"at: %" + stored.name + " is a result of the kernel"};
    }
    for (const Nest& nest : nests_.nests) {
      if (&nest != &guest_ && ReadsElsewhere(nest))
        return Error{"at: what the stage computes is read elsewhere, too"};
    }
    TRY(WidenBy(host_));
    for (const Nest* nest : beside_) TRY(WidenBy(*nest));
    return kSuccess;
  }

  // By what an iteration of these loops reads.
  Status WidenBy(const Nest& nest) {
    std::vector<loop::Load> loads;
    auto note = [&](const loop::Load& load) { loads.push_back(load); };
    for (const loop::Part& part : nest.parts) ForEachRead(part.term, note);
    if (IsBeside(nest)) {
      for (const loop::Store& store : nest.writers) ForEachRead(store.value, note);
    }
    loop::Substitution resolve(kernel_, ValuesOf(kernel_, nest.main));
    for (const loop::Load& load : loads) {
      auto& dimensions = reads_[load.buffer];
      dimensions.resize(load.index.size());
      for (size_t d = 0; d < load.index.size(); ++d)
        TRY(Widen(dimensions[d], resolve(load.index[d])));
    }
    return kSuccess;
  }

  // The guest is computed later than it was: what it reads must be the same there.
  Status CheckOrder() {
    std::set<BufferId> read;
    auto note = [&](ExprId id) {
      if (!id.valid()) return;
      loop::ForEachExpr(kernel_, id, [&](ExprId e) {
        if (auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node)) read.insert(load->buffer);
      });
    };
    for (const loop::Part& part : guest_.parts) {
      note(part.start);
      note(part.term);
    }
    for (ExprId index : guest_.place) note(index);
    for (const loop::Store& store : guest_.writers) {
      note(store.value);
      for (ExprId index : store.index) note(index);
    }
    for (const Nest* nest = &guest_ + 1; nest <= &host_; ++nest) {
      bool changes =
          std::any_of(nest->parts.begin(), nest->parts.end(),
                      [&](const loop::Part& part) { return read.count(part.buffer) > 0; });
      for (const loop::Store& store : nest->writers) changes |= read.count(store.buffer) > 0;
      if (changes) return Error{"at: what the stage reads is stored before it would be computed"};
    }
    return kSuccess;
  }

  Status Widen(std::optional<Region>& region, ExprId index) {
    loop::Polynomial p = simplify_.ToPolynomial(index), rest;
    rest.constant = p.constant;
    for (const auto& [monomial, coefficient] : p.terms) {
      bool around = false, inside = false;
      for (ExprId factor : monomial) {
        loop::ForEachExpr(kernel_, factor, [&](ExprId e) {
          auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[e].node);
          if (variable) (IsAround(variable->var) ? around : inside) = true;
          inside |= std::holds_alternative<loop::Load>(kernel_.exprs[e].node);
        });
      }
      if (around && inside) return Unknown();
      if (inside) rest.AddTerm(monomial, coefficient);
    }
    auto low = simplify_.ConstantBelow(rest), high = simplify_.ConstantAbove(rest);
    loop::Polynomial base = p - rest;
    if (!low || !high || (region && region->base != base)) return Unknown();
    if (!region) region = Region{base, *low, *high};
    region->low = std::min(region->low, *low);
    region->high = std::max(region->high, *high);
    return kSuccess;
  }

  static Error Unknown() { return Error{"at: how much an iteration needs is not a constant"}; }

  bool IsAround(VarId var) const {
    return std::find(around_.begin(), around_.end(), var) != around_.end();
  }

  // What is read of a buffer says how far the loops run that store it.
  Status Match(const loop::Store& store) {
    auto read = reads_.find(store.buffer);
    if (read == reads_.end()) return Error{"at: the other stage does not read all of its results"};
    Lows& lows = lows_[store.buffer];
    for (size_t d = 0; d < store.index.size(); ++d) {
      const Region& region = *read->second[d];
      lows.push_back(region.low);
      auto var = loop::VariableOf(kernel_, store.index[d]);
      const Scalar* constant = build_.ConstantValue(store.index[d]);
      bool is_same_place = constant && region.base.IsConstant() && region.low == region.high &&
                           region.low == constant->integer;
      if (is_same_place) continue;
      if (!var) return Unknown();
      auto [own, is_new] = regions_.try_emplace(*var, region);
      bool same = own->second.base == region.base && own->second.low == region.low &&
                  own->second.high == region.high;
      if (!same) return Unknown();
    }
    return kSuccess;
  }

  // The loop runs over the region alone, where it is within the loop as it was.
  void Restrict(VarId var, const Region& region) {
    auto loop = std::find_if(guest_.main.loops.begin(), guest_.main.loops.end(),
                             [&](const NestLoop& each) { return each.var == var; });
    const Dim whole = loop->extent;
    loop->var = kernel_.vars.Add({loop->name});
    loop->extent = region.high - region.low + 1;
    ExprId base = build_.Add(simplify_.FromPolynomial(region.base), build_.Int(region.low));
    guest_.main.definitions.push_back({var, build_.Add(base, build_.Var(loop->var))});
    loop::Polynomial least = region.base + loop::ConstantPolynomial(region.low);
    if (!simplify_.ProvablyNonNegative(least))
      guest_.guards.push_back({build_.LessEqual(build_.Int(0), build_.Var(var)), false});
    loop::Polynomial room = simplify_.ToPolynomial(build_.Size(whole - 1)) - region.base -
                            loop::ConstantPolynomial(region.high);
    if (!simplify_.ProvablyNonNegative(room))
      guest_.guards.push_back({build_.Less(build_.Var(var), build_.Size(whole)), false});
  }

  Nests& nests_;
  loop::Kernel& kernel_;
  loop::Builder build_;
  loop::Simplifier simplify_;
  Nest &guest_, &host_;
  // Stages behind it that are computed in the same loop.
  std::vector<const Nest*> beside_;
  std::vector<VarId> around_;
  std::set<BufferId> stored_;
  std::map<BufferId, std::vector<std::optional<Region>>> reads_;
  std::map<VarId, Region> regions_;  // by loops of the guest
  std::map<BufferId, Lows> lows_;
};

}  // namespace

Status ApplyAt(Nests& nests, const At& at) {
  std::vector<Nest*> guests, hosts;
  for (Nest& nest : nests.nests) {
    if (nest.main.stage == at.stage) guests.push_back(&nest);
    if (nest.main.stage != at.stage && nest.main.Find(at.loop)) hosts.push_back(&nest);
  }
  if (guests.size() != 1) return Error{"at: there is no stage s" + std::to_string(at.stage)};
  bool is_later = hosts.size() == 1 && guests[0] < hosts[0];
  if (!is_later) return Error{"at: " + Print(at.loop) + " is not a loop of one stage behind it"};
  auto depth = static_cast<size_t>(hosts[0]->main.Position(at.loop));
  return Hosting(nests, *guests[0], *hosts[0], depth).Run(at.loop.name);
}

}  // namespace webnnc::schedule
