#include "schedule/nest.h"

#include <algorithm>
#include <set>

#include "loop/builder.h"
#include "loop/passes/keep_functions.h"
#include "loop/rewrite.h"

namespace webnnc::schedule {

using loop::BufferId;
using loop::ExprId;
using loop::VarId;

const NestLoop* LoopList::Find(const LoopId& id) const {
  int at = Position(id);
  return at < 0 ? nullptr : &loops[static_cast<size_t>(at)];
}

NestLoop* LoopList::Find(const LoopId& id) {
  int at = Position(id);
  return at < 0 ? nullptr : &loops[static_cast<size_t>(at)];
}

int LoopList::Position(const LoopId& id) const {
  if (id.stage != LoopId::kEveryStage && id.stage != stage) return -1;
  for (size_t i = 0; i < loops.size(); ++i) {
    if (loops[i].name == id.name) return static_cast<int>(i);
  }
  return -1;
}

bool Nest::Stores(BufferId stored) const {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const loop::Part& part) { return part.buffer == stored; });
}

std::vector<LoopList*> Nest::Lists() {
  std::vector<LoopList*> lists{&main};
  for (LoopList& list : rest) lists.push_back(&list);
  return lists;
}

std::unordered_map<VarId, ExprId> ValuesOf(loop::Kernel& kernel, const LoopList& list,
                                           std::unordered_map<VarId, ExprId> loops) {
  // Later definitions speak of newer variables.
  for (auto definition = list.definitions.rbegin(); definition != list.definitions.rend();
       ++definition)
    loops[definition->var] = loop::Substitution(kernel, loops)(definition->value);
  return loops;
}

Result<ExprId> LoadOf(const loop::Kernel& kernel, const Nest& nest, const Operand& operand) {
  ExprId found;
  bool several = false, chosen = false;
  auto is_wanted = [&](ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
    return load && kernel.buffers[load->buffer].name == operand.buffer;
  };
  for (const loop::Part& part : nest.parts) {
    loop::ForEachExpr(kernel, part.term, [&](ExprId id) {
      if (auto* select = std::get_if<loop::Select>(&kernel.exprs[id].node)) {
        for (ExprId branch : {select->yes, select->no})
          loop::ForEachExpr(kernel, branch, [&](ExprId inner) { chosen |= is_wanted(inner); });
      }
      if (!is_wanted(id)) return;
      auto at = [&](ExprId load) { return std::get<loop::Load>(kernel.exprs[load].node).index; };
      several |= found.valid() && at(found) != at(id);
      found = id;
    });
  }
  const std::string name = "stage: %" + operand.buffer;
  if (several) return Error{name + " is loaded from several places"};
  if (chosen) return Error{name + " is loaded under a condition, which the whole side has"};
  return found;
}

const Nest& Nests::First() const {
  return *std::find_if(nests.begin(), nests.end(), [](const Nest& nest) { return !nest.host; });
}

namespace {

Nest NestOf(const loop::Kernel& kernel, const loop::Stage& stage) {
  Nest nest;
  for (const loop::StageLoop& loop : stage.loops) {
    nest.main.loops.push_back({kernel.vars[loop.var].name, loop.var, loop.extent});
    nest.main.loops.back().reduction =
        loop::IsReduction(stage) && !loop::Names(kernel, stage, loop.var);
  }
  nest.kind = stage.kind;
  nest.update = stage.update;
  nest.place = stage.place;
  nest.parts = stage.parts;
  nest.product = loop::ProductOf(kernel, stage);
  nest.ordered = stage.ordered;
  nest.condition = stage.condition;
  // Two loops of one name could not be told apart.
  std::set<std::string> taken;
  for (NestLoop& loop : nest.main.loops) {
    std::string name = loop.name;
    for (int n = 2; !taken.insert(loop.name).second; ++n)
      loop.name = name + "_" + std::to_string(n);
  }
  return nest;
}

class WriterFinder {
 public:
  explicit WriterFinder(Nests& nests) : nests_(nests), kernel_(nests.kernel) {}

  // Attaches each elementwise nest that can be to the reduction whose result it uses.
  void Run() {
    std::vector<Nest> kept;
    for (Nest& nest : nests_.nests) {
      if (!Attach(nest, kept)) kept.push_back(std::move(nest));
    }
    nests_.nests = std::move(kept);
    // A result that is also used outside its writers is stored as well, and of several results
    // only those are that anybody uses.
    for (Nest& nest : nests_.nests) {
      if (nest.writers.empty() && nest.parts.size() == 1) continue;
      std::vector<loop::Store> own;
      for (const loop::Part& part : nest.parts) {
        loop::Builder build(kernel_);
        if (UsedOutside(nest, part.buffer))
          own.push_back({part.buffer, nest.place, build.Load(part.buffer, nest.place)});
      }
      // What a result starts from may be what was there before it.
      nest.writers.insert(StartsFromItself(nest) ? nest.writers.end() : nest.writers.begin(),
                          own.begin(), own.end());
    }
  }

 private:
  std::vector<loop::Load> LoadsIn(ExprId id) {
    std::vector<loop::Load> loads;
    loop::ForEachExpr(kernel_, id, [&](ExprId e) {
      if (auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node)) loads.push_back(*load);
    });
    return loads;
  }

  // Of what is stored, and of where.
  std::vector<loop::Load> LoadsIn(const loop::Store& store) {
    std::vector<loop::Load> loads = LoadsIn(store.value);
    for (ExprId index : store.index) {
      for (loop::Load& load : LoadsIn(index)) loads.push_back(std::move(load));
    }
    return loads;
  }
  std::vector<loop::Load> LoadsIn(const Nest& nest) {
    std::vector<loop::Load> loads;
    for (const loop::Part& part : nest.parts) {
      for (loop::Load& load : LoadsIn({part.buffer, nest.place, part.term}))
        loads.push_back(std::move(load));
      if (!part.start.valid()) continue;
      for (loop::Load& load : LoadsIn(part.start)) loads.push_back(std::move(load));
    }
    return loads;
  }

  static bool Has(const std::vector<loop::Load>& loads, BufferId buffer) {
    return std::any_of(loads.begin(), loads.end(),
                       [&](const loop::Load& load) { return load.buffer == buffer; });
  }

  bool Attach(const Nest& writer, std::vector<Nest>& earlier) {
    if (writer.kind != loop::StageKind::kMap) return false;
    for (auto producer = earlier.rbegin(); producer != earlier.rend(); ++producer) {
      auto values = MapLoops(writer, *producer);
      if (!values) continue;
      if (writer.ordered != producer->ordered ||
          writer.condition.valid() != producer->condition.valid() ||
          IsReadSince(writer.buffer(), *producer, earlier))
        return false;
      // Everything the writer reads must be there when the producer's result is.
      if (producer != earlier.rbegin() && ReadsAnyOf(writer, earlier, *producer)) return false;
      loop::Substitution rename(kernel_, std::move(*values));
      loop::Store store{writer.buffer(), writer.place, rename(writer.value())};
      for (ExprId& index : store.index) index = rename(index);
      producer->writers.push_back(std::move(store));
      return true;
    }
    return false;
  }

  // Whether `producer` or a nest behind it finds in the buffer what was there before.
  bool IsReadSince(BufferId buffer, const Nest& producer, const std::vector<Nest>& earlier) {
    bool since = false, reads = false;
    for (const Nest& nest : earlier) {
      since |= &nest == &producer;
      if (since) reads |= Reads(nest, buffer);
    }
    return reads;
  }

  bool Reads(const Nest& nest, BufferId buffer) {
    if (Has(LoadsIn(nest), buffer)) return true;
    return std::any_of(nest.writers.begin(), nest.writers.end(),
                       [&](const loop::Store& store) { return Has(LoadsIn(store), buffer); });
  }

  bool ReadsAnyOf(const Nest& writer, const std::vector<Nest>& earlier, const Nest& after) {
    bool later = false, reads = false;
    for (const Nest& nest : earlier) {
      if (later) {
        for (const loop::Load& load : LoadsIn(writer)) {
          reads |= nest.Stores(load.buffer);
          for (const loop::Store& store : nest.writers) reads |= load.buffer == store.buffer;
        }
      }
      later |= &nest == &after;
    }
    return reads;
  }

  // The writer's variables in terms of the producer's, if each iteration of the writer uses one
  // element of the producer's result, a different one each time.
  std::optional<std::unordered_map<VarId, ExprId>> MapLoops(const Nest& writer,
                                                            const Nest& producer) {
    if (producer.kind == loop::StageKind::kMap) return std::nullopt;
    std::optional<loop::Index> used;
    for (const loop::Load& load : LoadsIn(writer.value())) {
      if (!producer.Stores(load.buffer)) continue;
      if (used && *used != load.index) return std::nullopt;
      used = load.index;
    }
    if (!used) return std::nullopt;
    // A result that says where is looked up in memory.
    for (ExprId index : writer.place) {
      for (const loop::Load& load : LoadsIn(index)) {
        if (producer.Stores(load.buffer)) return std::nullopt;
      }
    }
    std::unordered_map<VarId, ExprId> values;
    for (size_t d = 0; d < used->size(); ++d) {
      auto from = loop::VariableOf(kernel_, (*used)[d]);
      auto to = loop::VariableOf(kernel_, producer.place[d]);
      if (from.has_value() != to.has_value()) return std::nullopt;
      if (!from) {
        if ((*used)[d] != producer.place[d]) return std::nullopt;
        continue;
      }
      // A concatenation runs beyond the result that it takes a part from.
      if (ExtentOf(writer, *from) != ExtentOf(producer, *to)) return std::nullopt;
      if (!values.emplace(*from, producer.place[d]).second) return std::nullopt;
    }
    if (values.size() != writer.main.loops.size()) return std::nullopt;
    return values;
  }

  static Dim ExtentOf(const Nest& nest, VarId var) {
    for (const NestLoop& loop : nest.main.loops) {
      if (loop.var == var) return loop.extent;
    }
    return -1;
  }

  bool StartsFromItself(const Nest& nest) {
    return std::any_of(nest.parts.begin(), nest.parts.end(), [&](const loop::Part& part) {
      return part.start.valid() && Has(LoadsIn(part.start), part.buffer);
    });
  }

  bool UsedOutside(const Nest& producer, BufferId buffer) {
    if (kernel_.buffers[buffer].space != loop::Space::kTemporary) return true;
    for (const Nest& nest : nests_.nests) {
      if (Has(LoadsIn(nest), buffer)) return true;
      if (&nest == &producer) continue;
      for (const loop::Store& store : nest.writers) {
        if (Has(LoadsIn(store), buffer)) return true;
      }
    }
    return false;
  }

  Nests& nests_;
  loop::Kernel& kernel_;
};

}  // namespace

Nests ExtractNests(const loop::Kernel& plain) {
  Nests nests{.kernel = plain};
  nests.in_results = loop::TemporariesInResults(plain);
  for (const loop::Stage& stage : loop::StagesOf(plain))
    nests.nests.push_back(NestOf(plain, stage));
  nests.kernel.body.clear();
  WriterFinder(nests).Run();
  int stage = 0;
  for (Nest& nest : nests.nests) nest.main.stage = stage++;
  return nests;
}

}  // namespace webnnc::schedule
