#include "loop/passes/guard_stores.h"

namespace webnnc::loop {

namespace {

bool IsOldValue(const Kernel& kernel, ExprId id, const Store& store) {
  auto* load = std::get_if<Load>(&kernel.exprs[id].node);
  return load && load->buffer == store.buffer && load->index == store.index;
}

// The choice that the store makes between a new value and the old one, if that is what it does.
const Select* ChoiceOf(const Kernel& kernel, const Store& store) {
  const Expr& value = kernel.exprs[store.value];
  auto* select = std::get_if<Select>(&value.node);
  bool guards = select && value.lanes == 1 && store.update == Update::kSet &&
                kernel.buffers[store.buffer].space != Space::kRegister &&
                IsOldValue(kernel, select->no, store);
  return guards ? select : nullptr;
}

void Guard(const Kernel& kernel, Block& block) {
  for (Stmt& stmt : block) {
    if (auto* loop = std::get_if<For>(&stmt)) Guard(kernel, loop->body);
    if (auto* test = std::get_if<If>(&stmt)) Guard(kernel, test->body);
    auto* store = std::get_if<Store>(&stmt);
    const Select* choice = store ? ChoiceOf(kernel, *store) : nullptr;
    if (!choice) continue;
    If test{choice->condition, {}};
    test.body.push_back(Store{store->buffer, store->index, choice->yes, Update::kSet});
    stmt = std::move(test);
  }
}

}  // namespace

void GuardStores(Kernel& kernel) { Guard(kernel, kernel.body); }

}  // namespace webnnc::loop
