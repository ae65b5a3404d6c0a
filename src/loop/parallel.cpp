#include "loop/parallel.h"

#include <algorithm>
#include <map>

#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

// How often statements store or load each register buffer: an expression of a statement counts
// once.
class RegisterUses {
 public:
  explicit RegisterUses(const Kernel& kernel) : kernel_(kernel) {}

  void Count(const Block& block) {
    ForEachStmt(block, [&](const Stmt& stmt) {
      if (auto* test = std::get_if<If>(&stmt)) CountLoads(test->condition);
      if (auto* let = std::get_if<Let>(&stmt)) CountLoads(let->value);
      auto* store = std::get_if<Store>(&stmt);
      if (!store) return;
      Note(store->buffer);
      if (kernel_.buffers[store->buffer].space == Space::kRegister) stored_.insert(store->buffer);
      for (ExprId index : store->index) CountLoads(index);
      CountLoads(store->value);
    });
  }

  const std::map<BufferId, int>& uses() const { return uses_; }
  const std::set<BufferId>& stored() const { return stored_; }

 private:
  void CountLoads(ExprId root) {
    ForEachExpr(kernel_, root, [&](ExprId id) {
      if (auto* load = std::get_if<Load>(&kernel_.exprs[id].node)) Note(load->buffer);
    });
  }

  void Note(BufferId buffer) {
    if (kernel_.buffers[buffer].space == Space::kRegister) ++uses_[buffer];
  }

  const Kernel& kernel_;
  std::map<BufferId, int> uses_;
  std::set<BufferId> stored_;
};

RegisterUses UsesOf(const Kernel& kernel, const Block& block) {
  RegisterUses uses(kernel);
  uses.Count(block);
  return uses;
}

bool HasThreads(const Kernel& kernel) {
  bool has = false;
  ForEachStmt(kernel.body, [&](const Stmt& stmt) {
    auto* loop = std::get_if<For>(&stmt);
    has |= loop && (IsRegion(loop->kind) || IsWorkgroup(loop->kind));
  });
  return has;
}

// Finds parallel loops that do not keep their promises.
class PromiseChecker {
 public:
  explicit PromiseChecker(const Kernel& kernel)
      : kernel_(kernel), all_(UsesOf(kernel, kernel.body)), has_threads_(HasThreads(kernel)) {
    Visit(kernel.body, true, true);
  }

  const std::set<const For*>& broken() const { return broken_; }

 private:
  // `may_be`: whether parallel loops may stand here.
  void Visit(const Block& block, bool may_be, bool in_no_loop) {
    for (const Stmt& stmt : block) {
      if (auto* test = std::get_if<If>(&stmt)) Visit(test->body, in_no_loop, in_no_loop);
      auto* loop = std::get_if<For>(&stmt);
      if (!loop) continue;
      bool is_parallel = loop->kind == LoopKind::kParallel;
      bool keeps = is_parallel && may_be && !has_threads_ && LeavesNothing(*loop);
      if (is_parallel && !keeps) broken_.insert(loop);
      Visit(loop->body, keeps && loop->body.size() == 1, false);
    }
  }

  bool LeavesNothing(const For& loop) const {
    const RegisterUses own = UsesOf(kernel_, loop.body);
    return std::all_of(own.stored().begin(), own.stored().end(), [&](BufferId buffer) {
      return own.uses().at(buffer) == all_.uses().at(buffer);
    });
  }

  const Kernel& kernel_;
  RegisterUses all_;
  bool has_threads_;
  std::set<const For*> broken_;
};

void MakeSerial(Block& block, const std::set<const For*>& loops) {
  for (Stmt& stmt : block) {
    if (auto* test = std::get_if<If>(&stmt)) MakeSerial(test->body, loops);
    auto* loop = std::get_if<For>(&stmt);
    if (!loop) continue;
    if (loops.count(loop)) loop->kind = LoopKind::kSerial;
    MakeSerial(loop->body, loops);
  }
}

}  // namespace

std::set<BufferId> RegistersStoredIn(const Kernel& kernel, const For& loop) {
  return UsesOf(kernel, loop.body).stored();
}

void KeepPromises(Kernel& kernel) { MakeSerial(kernel.body, PromiseChecker(kernel).broken()); }

Status CheckPromises(const Kernel& kernel) {
  const std::set<const For*> broken = PromiseChecker(kernel).broken();
  if (broken.empty()) return kSuccess;
  return Error{
      "@" + kernel.name + ": the parallel loop over " + kernel.vars[(*broken.begin())->var].name +
      " is inside of what is not parallel, beside threads, or leaves something in registers"};
}

}  // namespace webnnc::loop
