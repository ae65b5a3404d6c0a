// A kernel's items are dealt in shares, one for each thread. A thread takes from its own share,
// half of what is left each time, and when that is empty from those of others: a thread that comes
// late, or is slow, loses what it has not begun. So threads meet at a word of memory only when one
// has nothing left, and of each kernel have the same part of the items, most of whose operands they
// have computed themselves. Who calls waits only for items that were taken.
//
// One word of 64 bits for each share says which job's items are in it, by a number that only grows,
// and which is the next. A thread reads that word, then what the job is, and takes items by
// exchanging the word for the next. If it is still the one that was read, so is the job: no job is
// replaced while a share has items, and the word of one that has none names none.
#include "runtime/parallel.h"

#include "runtime/memory.h"

using namespace webnnc;

// Of the thread that the module was made in. The linker has these.
extern "C" uint8_t __stack_low, __stack_high;

namespace {

// What is worth another thread's while, in operations: some 5 us.
constexpr float kLeastWork = 16384;
// A chunk is no less than a part of this, so that taking it costs little beside it.
constexpr float kLeastChunk = kLeastWork / 4;
// And no more than this, some 0.3 ms: an engine that has compiled the part better meanwhile goes on
// in the better code with the next chunk.
constexpr float kMostChunk = 1 << 20;
// For more threads than this some begin with shares of others.
constexpr uint32_t kMostShares = 16;
// How often a thread looks for work before it sleeps: some 30 us, and three times that in the code
// that an engine makes first. More than between two kernels, since to be woken takes tens of them.
constexpr uint32_t kLooks = 1 << 17;

// What several threads write is in a cache line of its own.
struct alignas(64) Job {
  Part* part;
  const void* context;
  uint32_t items, shares;
  // How many items a chunk has.
  uint32_t least, most;
};
struct alignas(64) Share {
  // number << 32 | the next item, of which there are never as many as kNone.
  uint64_t next;
  uint32_t is_owned;
};
constexpr uint32_t kNone = UINT32_MAX;

Job job;
Share shares[kMostShares];
uint32_t number;
// Items of the job.
alignas(64) uint32_t unfinished;
// Changes whenever there is something that threads should look at.
alignas(64) uint32_t bell;
alignas(64) uint32_t threads = 1;
uint32_t helpers, sleepers, dismissals;
bool has_failed;

// Engines order all of these among each other.
template <typename T>
T Load(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
}
template <typename T>
void Store(T& word, T value) {
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}

// Where a share begins.
uint32_t Bound(uint32_t items, uint32_t share, uint32_t count) {
  return static_cast<uint32_t>(uint64_t{items} * share / count);
}

uint64_t WordOf(uint32_t job_number, uint32_t next, uint32_t end) {
  return uint64_t{job_number} << 32 | (next < end ? next : kNone);
}

void Deal(const Job& next) {
  Store(job.part, next.part);
  Store(job.context, next.context);
  Store(job.items, next.items);
  Store(job.shares, next.shares);
  Store(job.least, next.least);
  Store(job.most, next.most);
  Store(unfinished, next.items);
  ++number;
  for (uint32_t s = 0; s < next.shares; ++s) {
    Store(shares[s].next,
          WordOf(number, Bound(next.items, s, next.shares), Bound(next.items, s + 1, next.shares)));
  }
}

// Takes items of a share and runs them, until none is left. How many it took.
uint32_t RunShare(uint32_t s) {
  uint32_t taken = 0;
  uint64_t seen = Load(shares[s].next);
  while (static_cast<uint32_t>(seen) != kNone) {
    const Job known = {Load(job.part),   Load(job.context), Load(job.items),
                       Load(job.shares), Load(job.least),   Load(job.most)};
    const auto begin = static_cast<uint32_t>(seen);
    const uint32_t end = Bound(known.items, s + 1, known.shares), left = end - begin;
    uint32_t size = left / 2;
    if (size < known.least) size = known.least;
    if (size > known.most) size = known.most;
    if (size > left) size = left;
    const uint64_t next = WordOf(static_cast<uint32_t>(seen >> 32), begin + size, end);
    if (!__atomic_compare_exchange_n(&shares[s].next, &seen, next, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
      continue;
    known.part(known.context, begin, begin + size);
    taken += size;
    seen = Load(shares[s].next);
  }
  return taken;
}

// Runs what is left of the job, first of a thread's own share.
void RunShares(uint32_t own) {
  const uint32_t count = Load(job.shares);
  uint32_t taken = 0;
  for (uint32_t s = own; s < count; ++s) taken += RunShare(s);
  for (uint32_t s = 0; s < own && s < count; ++s) taken += RunShare(s);
  if (taken > 0) __atomic_fetch_sub(&unfinished, taken, __ATOMIC_SEQ_CST);
}

// A share that no other thread has, if there is one.
uint32_t TakeShare() {
  for (uint32_t s = 1; s < kMostShares; ++s) {
    if (!__atomic_exchange_n(&shares[s].is_owned, 1, __ATOMIC_SEQ_CST)) return s;
  }
  return 0;
}

void Ring() {
  __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
  if (Load(sleepers) > 0)
    __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&bell), UINT32_MAX);
}

}  // namespace

extern "C" {

void webnnc_parallel(Part* part, const void* context, uint32_t items, float work) {
  if (items == 0) return;
  float total = work * static_cast<float>(items);
  if (threads == 1 || total < kLeastWork || items < 2) {
    part(context, 0, items);
    return;
  }
  auto chunk_of = [&](float operations) {
    const auto chunk = static_cast<uint32_t>(operations / work);
    return chunk > 0 ? chunk : 1;
  };
  const uint32_t least = chunk_of(kLeastChunk), most_shares = (items + least - 1) / least;
  uint32_t count = threads;
  if (count > kMostShares) count = kMostShares;
  if (count > most_shares) count = most_shares;
  Deal({part, context, items, count, least, chunk_of(kMostChunk)});
  Ring();
  RunShares(0);
  while (Load(unfinished) > 0) {
    if (Load(has_failed)) __builtin_trap();
  }
}

__attribute__((export_name("webnnc_help"))) void webnnc_help(uint32_t patience) {
  __atomic_fetch_add(&helpers, 1, __ATOMIC_SEQ_CST);
  const uint32_t dismissed = Load(dismissals), own = TakeShare();
  bool is_patient = true;
  while (is_patient && Load(dismissals) == dismissed) {
    const uint32_t rung = Load(bell);
    RunShares(own);
    uint32_t looks = 0;
    while (looks < kLooks && Load(bell) == rung) ++looks;
    if (looks < kLooks) continue;
    __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
    constexpr int kTimedOut = 2;
    is_patient =
        __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&bell), static_cast<int>(rung),
                                            int64_t{patience} * 1000) != kTimedOut;
    __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
  }
  if (own > 0) Store(shares[own].is_owned, uint32_t{0});
  __atomic_fetch_sub(&helpers, 1, __ATOMIC_SEQ_CST);
}

__attribute__((export_name("webnnc_fail"))) void webnnc_fail() { Store(has_failed, true); }

__attribute__((export_name("webnnc_stack"))) uint32_t webnnc_stack() {
  runtime::Region stack;
  if (!runtime::Reserve(stack, static_cast<uint64_t>(&__stack_high - &__stack_low))) return 0;
  return static_cast<uint32_t>(stack.base + stack.bytes);
}

__attribute__((export_name("webnnc_threads"))) void webnnc_threads(uint32_t count) {
  threads = count;
}

__attribute__((export_name("webnnc_helpers"))) uint32_t webnnc_helpers() {
  Ring();
  return Load(helpers);
}

__attribute__((export_name("webnnc_dismiss"))) void webnnc_dismiss() {
  __atomic_fetch_add(&dismissals, 1, __ATOMIC_SEQ_CST);
  Ring();
}

}  // extern "C"
