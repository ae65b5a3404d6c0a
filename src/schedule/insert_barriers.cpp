#include "schedule/insert_barriers.h"

#include <algorithm>
#include <set>

#include "loop/rewrite.h"

namespace webnnc::schedule {

using loop::Block;
using loop::BufferId;

namespace {

// What workgroup memory has been used for since the last barrier.
struct Uses {
  std::set<BufferId> reads, writes;

  void Join(const Uses& other) {
    reads.insert(other.reads.begin(), other.reads.end());
    writes.insert(other.writes.begin(), other.writes.end());
  }
};

bool Intersects(const std::set<BufferId>& a, const std::set<BufferId>& b) {
  return std::any_of(a.begin(), a.end(), [&](BufferId id) { return b.count(id) > 0; });
}

bool Conflicts(const Uses& before, const Uses& after) {
  return Intersects(before.writes, after.reads) || Intersects(before.writes, after.writes) ||
         Intersects(before.reads, after.writes);
}

class Inserter {
 public:
  explicit Inserter(const loop::Kernel& kernel) : kernel_(kernel) {}

  // `uses` is what came before the block, and becomes what came before its end.
  Block Run(Block block, Uses& uses, bool insert) {
    Block out;
    for (loop::Stmt& stmt : block) {
      auto* loop = std::get_if<loop::For>(&stmt);
      auto* test = std::get_if<loop::If>(&stmt);
      if (loop && IsRegion(loop->kind)) {
        Uses own = UsesOf(loop->body);
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

  Uses UsesOf(const Block& block) {
    Uses uses;
    auto note = [&](loop::ExprId id) {
      loop::ForEachExpr(kernel_, id, [&](loop::ExprId e) {
        auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
        if (load && IsShared(load->buffer)) uses.reads.insert(load->buffer);
      });
    };
    loop::ForEachStmt(block, [&](const loop::Stmt& stmt) {
      if (auto* store = std::get_if<loop::Store>(&stmt)) {
        if (IsShared(store->buffer)) uses.writes.insert(store->buffer);
        for (loop::ExprId index : store->index) note(index);
        note(store->value);
      } else if (auto* let = std::get_if<loop::Let>(&stmt)) {
        note(let->value);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        note(test->condition);
      }
    });
    return uses;
  }

  bool IsShared(BufferId id) const { return kernel_.buffers[id].space == loop::Space::kWorkgroup; }

  const loop::Kernel& kernel_;
};

}  // namespace

void InsertBarriers(loop::Kernel& kernel) {
  Uses uses;
  kernel.body = Inserter(kernel).Run(std::move(kernel.body), uses, true);
}

}  // namespace webnnc::schedule
