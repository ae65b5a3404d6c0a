#include "plan/memory.h"

#include <algorithm>

#include "runtime/plan_arena.h"
#include "webnnc/abi.h"

namespace webnnc::plan {

int64_t ArenaAlignment(const Target& target) {
  return target.IsGpu() ? abi::kBindingAlignment : abi::kCpuAlignment;
}

std::vector<Lifetime> Lifetimes(const Program& program) {
  auto last = static_cast<uint32_t>(program.steps.empty() ? 0 : program.steps.size() - 1);
  std::vector<Lifetime> lifetimes(static_cast<size_t>(program.buffers.size()));
  std::vector<bool> seen(lifetimes.size());
  auto use = [&](BufferId id, uint32_t step) {
    auto i = static_cast<size_t>(id.index);
    if (!seen[i]) lifetimes[i].first_step = step;
    seen[i] = true;
    lifetimes[i].last_step = std::max(lifetimes[i].last_step, step);
  };
  for (const Port& port : program.inputs) use(port.buffer, 0);
  for (uint32_t s = 0; s < program.steps.size(); ++s) {
    for (BufferId argument : program.steps[s].arguments) use(argument, s);
  }
  for (const Port& port : program.outputs) use(port.buffer, last);
  return lifetimes;
}

MemoryPlan PlanMemory(const Program& program, const SymbolValues& symbols) {
  std::vector<Lifetime> lifetimes = Lifetimes(program);
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), -1);
  std::vector<runtime::ArenaItem> items;
  std::vector<size_t> buffers;
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const Buffer& buffer = program.buffers[BufferId{b}];
    if (buffer.kind == BufferKind::kWeight) continue;
    const Lifetime& life = lifetimes[static_cast<size_t>(b)];
    auto bytes = static_cast<uint64_t>(ByteSize(program, buffer).Evaluate(symbols));
    items.push_back({bytes, life.first_step, life.last_step});
    buffers.push_back(static_cast<size_t>(b));
  }
  std::vector<uint32_t> order(items.size()), placed(items.size());
  plan.bytes = static_cast<int64_t>(runtime::PlanArena(
      items.data(), static_cast<uint32_t>(items.size()),
      static_cast<uint64_t>(ArenaAlignment(program.target)), order.data(), placed.data()));
  for (size_t i = 0; i < items.size(); ++i)
    plan.offsets[buffers[i]] = static_cast<int64_t>(items[i].offset);
  for (uint32_t s = 0; s < program.steps.size(); ++s) {
    int64_t alive = 0;
    for (const runtime::ArenaItem& item : items) {
      if (item.first_step <= s && s <= item.last_step) alive += static_cast<int64_t>(item.bytes);
    }
    plan.lower_bound = std::max(plan.lower_bound, alive);
  }
  return plan;
}

}  // namespace webnnc::plan
