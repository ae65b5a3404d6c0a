#include "loop/passes/share_memory.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/passes/collapse.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

// The statements of a block that use a buffer, the first and the last.
struct Span {
  size_t first, last;
};

// Where the threads of a block wait for each other.
struct Waits {
  const Block& block;
  // Whether the block is a loop's.
  bool repeats;
  // Before these statements there will be a barrier, too.
  std::set<size_t> added;

  // Whether all threads have done with one before any begins with the other.
  bool Between(const Span& a, const Span& b) const {
    const Span &first = a.first < b.first ? a : b, &second = a.first < b.first ? b : a;
    if (first.last >= second.first || !Between(first.last, second.first)) return false;
    if (!repeats) return true;
    return Between(second.last, block.size()) || StartsWithWait(block[first.first]) ||
           Before(first.first);
  }

 private:
  // Whether they wait between two statements, or where the second begins.
  bool Between(size_t from, size_t to) const {
    for (size_t s = from + 1; s < to; ++s) {
      if (std::holds_alternative<Barrier>(block[s])) return true;
    }
    auto after = added.upper_bound(from);
    if (after != added.end() && *after <= to) return true;
    return to < block.size() && StartsWithWait(block[to]);
  }
  bool Before(size_t to) const {
    for (size_t s = 0; s < to; ++s) {
      if (std::holds_alternative<Barrier>(block[s])) return true;
    }
    return !added.empty() && *added.begin() <= to;
  }

  static bool StartsWithWait(const Stmt& stmt) {
    auto* loop = std::get_if<For>(&stmt);
    bool runs = loop && !IsRegion(loop->kind) && LowerBound(loop->extent).value_or(0) > 0 &&
                !loop->body.empty();
    return runs &&
           (std::holds_alternative<Barrier>(loop->body[0]) || StartsWithWait(loop->body[0]));
  }
};

class Sharer {
 public:
  explicit Sharer(Kernel& kernel) : kernel_(kernel) {}

  // Whether any is shared.
  bool Run() {
    CountUses(kernel_.body);
    ShareIn(kernel_.body, false);
    if (into_.empty()) return false;
    ExprRewriter rewrite(kernel_, [this](ExprId id, ExprId) {
      Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<Load>(&expr.node);
      if (!load || !into_.count(load->buffer)) return id;
      load->buffer = into_.at(load->buffer);
      return kernel_.exprs.Add(std::move(expr));
    });
    RewriteExprs(kernel_.body, rewrite);
    MoveStores(kernel_.body);
    return true;
  }

 private:
  bool IsShared(BufferId id) const { return kernel_.buffers[id].space == Space::kWorkgroup; }

  // The buffers of workgroup memory that a statement uses, each as often as it stands there.
  std::map<BufferId, int> UsesOf(const Stmt& stmt) {
    std::map<BufferId, int> uses;
    auto note = [&](ExprId id) {
      ForEachExpr(kernel_, id, [&](ExprId e) {
        auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
        if (load && IsShared(load->buffer)) ++uses[load->buffer];
      });
    };
    auto visit = [&](const Stmt& inner) {
      if (auto* store = std::get_if<Store>(&inner)) {
        if (IsShared(store->buffer)) ++uses[store->buffer];
        for (ExprId index : store->index) note(index);
        note(store->value);
        if (store->update != Update::kSet && IsShared(store->buffer)) ++uses[store->buffer];
      } else if (auto* let = std::get_if<Let>(&inner)) {
        note(let->value);
      } else if (auto* test = std::get_if<If>(&inner)) {
        note(test->condition);
      }
    };
    visit(stmt);
    if (auto* loop = std::get_if<For>(&stmt)) ForEachStmt(loop->body, visit);
    if (auto* test = std::get_if<If>(&stmt)) ForEachStmt(test->body, visit);
    return uses;
  }

  void CountUses(const Block& block) {
    for (const Stmt& stmt : block) {
      for (auto [buffer, count] : UsesOf(stmt)) all_[buffer] += count;
    }
    ForEachStmt(block, [&](const Stmt& stmt) {
      auto* store = std::get_if<Store>(&stmt);
      if (store && IsShared(store->buffer)) NoteLanes(store->buffer, store->value);
    });
  }

  void NoteLanes(BufferId buffer, ExprId value) {
    bool whole = kernel_.exprs[value].lanes % kVector == 0;
    auto [found, is_new] = by_vectors_.emplace(buffer, whole);
    if (!is_new) found->second &= whole;
  }

  // Of the buffers that nothing outside of the block uses. `repeats`: the block is a loop's.
  void ShareIn(Block& block, bool repeats) {
    std::map<BufferId, int> counts;
    std::map<BufferId, Span> spans;
    for (size_t s = 0; s < block.size(); ++s) {
      for (auto [buffer, count] : UsesOf(block[s])) {
        counts[buffer] += count;
        auto [span, is_new] = spans.emplace(buffer, Span{s, s});
        span->second.last = s;
      }
    }
    std::erase_if(spans,
                  [&](const auto& entry) { return counts[entry.first] != all_[entry.first]; });
    std::vector<BufferId> order;
    for (const auto& [buffer, span] : spans) {
      if (!into_.count(buffer)) order.push_back(buffer);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](BufferId a, BufferId b) { return SizeOf(a) > SizeOf(b); });
    // The buffers of one memory, the largest first; and before which statements barriers are added.
    std::vector<std::vector<BufferId>> memories;
    Waits waits{block, repeats, {}};
    auto fit = [&](BufferId buffer, const std::vector<BufferId>& users) {
      return std::all_of(users.begin(), users.end(), [&](BufferId other) {
        return IsOneKind(buffer, other) && waits.Between(spans.at(buffer), spans.at(other));
      });
    };
    for (BufferId buffer : order) {
      auto memory = std::find_if(memories.begin(), memories.end(),
                                 [&](const auto& users) { return fit(buffer, users); });
      for (auto at = memories.begin(); memory == memories.end() && at != memories.end(); ++at) {
        if (IsWorthWaiting(buffer) && FitsWithWait(waits, spans, *at, buffer, fit)) memory = at;
      }
      if (memory == memories.end()) {
        memories.push_back({buffer});
      } else {
        memory->push_back(buffer);
        into_[buffer] = memory->front();
      }
    }
    for (auto at = waits.added.rbegin(); at != waits.added.rend(); ++at)
      block.insert(block.begin() + static_cast<std::ptrdiff_t>(*at), Barrier{});
    for (Stmt& stmt : block) {
      auto* loop = std::get_if<For>(&stmt);
      if (loop && !IsRegion(loop->kind)) ShareIn(loop->body, !IsWorkgroup(loop->kind));
      if (auto* test = std::get_if<If>(&stmt)) ShareIn(test->body, repeats);
    }
  }

  int64_t SizeOf(BufferId id) const { return kernel_.buffers[id].type.shape[0].value(); }

  bool IsOneKind(BufferId a, BufferId b) const {
    return kernel_.buffers[a].type.dtype == kernel_.buffers[b].type.dtype &&
           by_vectors_.at(a) == by_vectors_.at(b);
  }

  // Whether a memory has room for the buffer too if threads wait once more, between its uses and
  // those of one other, which is noted then.
  template <typename Fit>
  static bool FitsWithWait(Waits& waits, const std::map<BufferId, Span>& spans,
                           const std::vector<BufferId>& users, BufferId buffer, const Fit& fit) {
    for (BufferId other : users) {
      size_t at = std::max(spans.at(buffer).first, spans.at(other).first);
      if (!waits.added.insert(at).second) continue;
      if (fit(buffer, users)) return true;
      waits.added.erase(at);
    }
    return false;
  }

  // Whether another barrier takes less than there is to gain by more workgroups on a core, which
  // need that much less.
  bool IsWorthWaiting(BufferId id) const {
    int64_t all = 0;
    for (const auto& [buffer, uses] : all_) {
      if (!into_.count(buffer)) all += BytesOf(buffer);
    }
    return kWorth * BytesOf(id) >= all;
  }
  int64_t BytesOf(BufferId id) const {
    return SizeOf(id) * ByteSize(kernel_.buffers[id].type.dtype);
  }

  void MoveStores(Block& block) {
    for (Stmt& stmt : block) {
      auto* store = std::get_if<Store>(&stmt);
      if (store && into_.count(store->buffer)) store->buffer = into_.at(store->buffer);
      if (auto* loop = std::get_if<For>(&stmt)) MoveStores(loop->body);
      if (auto* test = std::get_if<If>(&stmt)) MoveStores(test->body);
    }
  }

  static constexpr int32_t kVector = 4;
  static constexpr int64_t kWorth = 8;

  Kernel& kernel_;
  std::map<BufferId, int> all_;
  // Whether all stores are of whole vectors.
  std::map<BufferId, bool> by_vectors_;
  std::map<BufferId, BufferId> into_;
};

}  // namespace

void ShareMemory(Kernel& kernel) {
  if (Sharer(kernel).Run()) DropUnused(kernel);
}

}  // namespace webnnc::loop
