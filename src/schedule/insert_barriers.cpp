#include "schedule/insert_barriers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "loop/rewrite.h"
#include "schedule/thread_places.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;

namespace {

// Loads and stores of a buffer in workgroup memory, where each thread has the same places.
struct Access {
  std::optional<ThreadPlaces> places;
  bool stores = false;
  friend bool operator==(const Access&, const Access&) = default;

  // Whether one thread may find here what another has to do there.
  bool Meets(const Access& other) const {
    bool same_thread = places && places == other.places && places->are_own;
    return (stores || other.stores) && !same_thread;
  }
};

// What workgroup memory has been used for since the last barrier.
struct Uses {
  std::map<BufferId, std::vector<Access>> accesses;

  void Add(BufferId buffer, Access access) {
    auto& all = accesses[buffer];
    if (std::find(all.begin(), all.end(), access) == all.end()) all.push_back(std::move(access));
  }
  void Join(const Uses& other) {
    for (const auto& [buffer, own] : other.accesses) {
      for (const Access& access : own) Add(buffer, access);
    }
  }
};

bool Conflicts(const Uses& before, const Uses& after) {
  for (const auto& [buffer, own] : after.accesses) {
    auto found = before.accesses.find(buffer);
    if (found == before.accesses.end()) continue;
    for (const Access& a : found->second) {
      for (const Access& b : own) {
        if (a.Meets(b)) return true;
      }
    }
  }
  return false;
}

class Inserter {
 public:
  explicit Inserter(loop::Kernel& kernel) : kernel_(kernel), find_(kernel) {}

  // `uses` is what came before the block, and becomes what came before its end.
  Block Run(Block block, Uses& uses, bool insert) {
    Block out;
    for (loop::Stmt& stmt : block) {
      auto* loop = std::get_if<loop::For>(&stmt);
      auto* test = std::get_if<loop::If>(&stmt);
      if (loop && IsRegion(loop->kind)) {
        Region region{loop->var, loop->extent.value(), {}};
        Uses own;
        Note(loop->body, region, own);
        if (Conflicts(uses, own)) {
          if (insert) out.push_back(loop::Barrier{});
          uses = Uses();
        }
        uses.Join(own);
      } else if (loop && IsWorkgroup(loop->kind)) {
        // Workgroups know nothing of each other's memory.
        loop->body = Run(std::move(loop->body), uses, insert);
      } else if (loop) {
        // What one iteration leaves is what the next finds.
        const Uses before = uses;
        Uses end = Uses();
        Run(Copy(loop->body), end, false);
        uses.Join(end);
        loop->body = Run(std::move(loop->body), uses, insert);
        uses.Join(end);
        // Without an iteration nothing has waited.
        if (LowerBound(loop->extent).value_or(0) < 1) uses.Join(before);
      } else if (test) {
        Uses inside = uses;
        test->body = Run(std::move(test->body), inside, insert);
        uses.Join(inside);
      } else if (std::holds_alternative<loop::Barrier>(stmt)) {
        uses = Uses();
      }
      out.push_back(std::move(stmt));
    }
    return out;
  }

 private:
  static Block Copy(const Block& block) { return block; }

  void Note(const Block& block, Region& region, Uses& uses) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        if (loop->extent.IsConstant()) region.loops[loop->var] = loop->extent.value();
        Note(loop->body, region, uses);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        Note(test->condition, region, uses);
        Note(test->body, region, uses);
      } else if (auto* let = std::get_if<loop::Let>(&stmt)) {
        Note(let->value, region, uses);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        for (loop::ExprId index : store->index) Note(index, region, uses);
        Note(store->value, region, uses);
        if (IsShared(store->buffer))
          uses.Add(store->buffer, {find_.Find(store->index, region), true});
      }
    }
  }

  void Note(loop::ExprId id, const Region& region, Uses& uses) {
    std::vector<loop::Load> loads;
    loop::ForEachExpr(kernel_, id, [&](loop::ExprId e) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
      if (load && IsShared(load->buffer)) loads.push_back(*load);
    });
    for (const loop::Load& load : loads)
      uses.Add(load.buffer, {find_.Find(load.index, region), false});
  }

  bool IsShared(BufferId id) const { return kernel_.buffers[id].space == loop::Space::kWorkgroup; }

  loop::Kernel& kernel_;
  ThreadPlaceFinder find_;
};

}  // namespace

void InsertBarriers(loop::Kernel& kernel) {
  Uses uses;
  kernel.body = Inserter(kernel).Run(std::move(kernel.body), uses, true);
}

}  // namespace webnnc::schedule
