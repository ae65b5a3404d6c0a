#include "plan/memory.h"

#include <algorithm>

#include "runtime/plan_arena.h"
#include "webnnc/abi.h"

namespace webnnc::plan {

int64_t ArenaAlignment(const Target& target) {
  return target.IsGpu() ? abi::kBindingAlignment : abi::kCpuAlignment;
}

namespace {

// A loop's steps, from Loop to EndLoop.
struct LoopSteps {
  uint32_t first, last;
  bool plans;
};

// The innermost first.
std::vector<LoopSteps> LoopsOf(const Program& program) {
  std::vector<LoopSteps> loops;
  std::vector<LoopSteps> open;
  for (uint32_t s = 0; s < program.steps.size(); ++s) {
    if (auto* loop = std::get_if<Loop>(&program.steps[s]))
      open.push_back({s, s, loop->plan.has_value()});
    if (!std::holds_alternative<EndLoop>(program.steps[s])) continue;
    open.back().last = s;
    loops.push_back(open.back());
    open.pop_back();
  }
  return loops;
}

// Each iteration of a loop that does not plan lets what it swaps change places: whichever of the
// two is alive may be in either's place, until the next plan. Says whether a life became longer.
bool ShareLives(const std::vector<LoopSteps>& loops, const Program& program,
                std::vector<Lifetime>& lifetimes) {
  std::vector<std::pair<Lifetime*, Lifetime*>> pairs;
  for (const LoopSteps& loop : loops) {
    for (uint32_t s = loop.first; s <= loop.last && !loop.plans; ++s) {
      if (auto* swap = std::get_if<Swap>(&program.steps[s]))
        pairs.push_back({&lifetimes[static_cast<size_t>(swap->a.index)],
                         &lifetimes[static_cast<size_t>(swap->b.index)]});
    }
  }
  bool any = false;
  // What is swapped with several is shared by all of them.
  for (bool changes = true; changes; any |= changes) {
    changes = false;
    for (auto [a, b] : pairs) {
      uint32_t first = std::min(a->first_step, b->first_step);
      uint32_t last = std::max(a->last_step, b->last_step);
      for (Lifetime* life : {a, b}) {
        changes |= life->first_step != first || life->last_step != last;
        *life = {first, last};
      }
    }
  }
  return any;
}

// Makes lives as long as a loop needs them. Its step before the first, Set, is no plan, so what
// begins there is placed before the loop.
void ExtendOver(const LoopSteps& loop, const Program& program, std::vector<Lifetime>& lifetimes) {
  std::vector<bool> is_used(lifetimes.size()), stays(lifetimes.size());
  auto index = [](BufferId id) { return static_cast<size_t>(id.index); };
  for (uint32_t s = loop.first; s <= loop.last; ++s) {
    for (BufferId id : BuffersOf(program.steps[s])) is_used[index(id)] = true;
    auto* swap = std::get_if<Swap>(&program.steps[s]);
    if (swap && !loop.plans) stays[index(swap->a)] = stays[index(swap->b)] = true;
  }
  for (size_t b = 0; b < lifetimes.size(); ++b) {
    Lifetime& life = lifetimes[b];
    // What is used in the last step may be an output.
    bool around = is_used[b] && (life.first_step < loop.first || life.last_step >= loop.last);
    if (!around && !stays[b]) continue;
    life.first_step = std::min(life.first_step, loop.first - 1);
    life.last_step = std::max(life.last_step, loop.last);
  }
  for (BufferId id : BuffersOf(program.steps[loop.first])) {
    Lifetime& life = lifetimes[index(id)];
    life.first_step = std::min(life.first_step, loop.first - 1);
    life.last_step = std::max(life.last_step, loop.last);
  }
}

// What a buffer is given a place by lives as long as that buffer: the place is the first of what is
// carried, or what a branch made. The next iteration of a loop that plans places it anew.
void ExtendGivers(const Program& program, const std::vector<LoopSteps>& loops,
                  std::vector<Lifetime>& lifetimes) {
  // Backwards: what takes a place may give it on.
  for (auto s = static_cast<uint32_t>(program.steps.size()); s-- > 0;) {
    auto* swap = std::get_if<Swap>(&program.steps[s]);
    if (!swap) continue;
    auto around = std::find_if(loops.begin(), loops.end(), [&](const LoopSteps& loop) {
      return loop.plans && loop.first < s && s < loop.last;
    });
    if (!program.buffers[swap->b].takes_places) continue;
    uint32_t last = lifetimes[static_cast<size_t>(swap->b.index)].last_step;
    if (around != loops.end()) last = std::min(last, around->last);
    Lifetime& life = lifetimes[static_cast<size_t>(swap->a.index)];
    life.last_step = std::max(life.last_step, last);
  }
}

// What both branches or one and what is behind them use is there before it is decided: a plan in
// one of them may not be made.
void ExtendOverBranches(const Program& program, std::vector<Lifetime>& lifetimes) {
  struct Branch {
    uint32_t decided, first;
  };
  std::vector<Branch> open;
  auto end = [&](uint32_t last) {
    for (Lifetime& life : lifetimes) {
      const Branch& branch = open.back();
      bool begins = life.first_step > branch.first && life.first_step < last;
      if (begins && life.last_step > last) life.first_step = branch.decided;
    }
  };
  for (uint32_t s = 0; s < program.steps.size(); ++s) {
    if (std::holds_alternative<If>(program.steps[s])) open.push_back({s, s});
    if (std::holds_alternative<Else>(program.steps[s])) {
      end(s);
      open.back().first = s;
    }
    if (std::holds_alternative<EndIf>(program.steps[s])) {
      end(s);
      open.pop_back();
    }
  }
}

}  // namespace

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
    for (BufferId id : BuffersOf(program.steps[s])) use(id, s);
  }
  for (const Port& port : program.outputs) use(port.buffer, last);
  const std::vector<LoopSteps> loops = LoopsOf(program);
  // Lives that become longer may lead around loops then.
  do {
    for (const LoopSteps& loop : loops) ExtendOver(loop, program, lifetimes);
    ExtendOverBranches(program, lifetimes);
  } while (ShareLives(loops, program, lifetimes));
  // Last: what a branch gives away has a place by the branch's own plan.
  ExtendGivers(program, loops, lifetimes);
  ShareLives(loops, program, lifetimes);
  return lifetimes;
}

std::vector<int> PlansOf(const Program& program, const std::vector<Lifetime>& lifetimes) {
  std::vector<int> at_step(std::max<size_t>(1, program.steps.size()));
  // A plan in a branch or in a loop's body may not be made: what comes behind does not rely on it.
  int plan = 0;
  std::vector<int> around;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    if (auto* own = std::get_if<Plan>(&step)) plan = own->number;
    auto* loop = std::get_if<Loop>(&step);
    if (loop && loop->plan) plan = loop->plan->number;
    if (loop || std::holds_alternative<If>(step)) around.push_back(plan);
    bool ends = std::holds_alternative<EndIf>(step) || std::holds_alternative<EndLoop>(step);
    if (ends || std::holds_alternative<Else>(step)) plan = around.back();
    if (ends) around.pop_back();
    at_step[s] = plan;
  }
  std::vector<int> plans;
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    bool takes = program.buffers[BufferId{b}].takes_places;
    plans.push_back(takes ? -1 : at_step[lifetimes[static_cast<size_t>(b)].first_step]);
  }
  return plans;
}

MemoryPlan PlanMemory(const Program& program, const SymbolValues& symbols) {
  std::vector<Lifetime> lifetimes = Lifetimes(program);
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), -1);
  std::vector<runtime::ArenaItem> items;
  std::vector<size_t> buffers;
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const Buffer& buffer = program.buffers[BufferId{b}];
    bool has_memory = buffer.kind == BufferKind::kWeight || buffer.kind == BufferKind::kState ||
                      buffer.kind == BufferKind::kTold || buffer.grows;
    bool is_in_arena = !has_memory && buffer.place == Place::kDevice && !buffer.takes_places;
    if (!is_in_arena) continue;
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
