// A kernel's items are dealt in chunks, which threads take one after another until none is left: a
// thread that comes late, or is slow, takes fewer. Who calls waits only for chunks that were taken.
//
// One word of 64 bits says which job's chunks are dealt, by a number that only grows, and how many
// of them have been taken. A thread reads that word, then what the job is, and takes a chunk by
// exchanging the word for the next. If it is still the one that was read, so is the job: the word
// changes before a job is replaced, and none is while a chunk of it is left.
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
// More chunks than threads, so that all end at about the same time.
constexpr uint32_t kChunksPerThread = 4;
// How often a thread looks for work before it sleeps: some 50 us, more than between two kernels.
constexpr uint32_t kLooks = 4000;

struct Job {
  Part* part;
  const void* context;
  uint32_t items, chunks;
};

Job job;
// number << 32 | chunks that were taken, of which there are never as many as kNone.
uint64_t dealt;
constexpr uint32_t kNone = UINT32_MAX;
uint32_t unfinished;  // chunks of the job
uint32_t threads = 1, helpers, sleepers;
// Changes whenever there is something that sleepers should look at.
uint32_t bell;
uint32_t dismissals;
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

void Deal(const Job& next) {
  uint64_t number = dealt >> 32;
  Store(dealt, (number + 1) << 32 | kNone);
  Store(job.part, next.part);
  Store(job.context, next.context);
  Store(job.items, next.items);
  Store(job.chunks, next.chunks);
  Store(unfinished, next.chunks);
  Store(dealt, (number + 2) << 32);
}

// Takes a chunk and runs it. False if there is none.
bool RunChunk() {
  uint64_t seen = Load(dealt);
  for (;;) {
    const Job known = {Load(job.part), Load(job.context), Load(job.items), Load(job.chunks)};
    auto chunk = static_cast<uint32_t>(seen);
    if (chunk >= known.chunks) return false;
    if (!__atomic_compare_exchange_n(&dealt, &seen, seen + 1, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
      continue;
    auto bound = [&](uint32_t c) {
      return static_cast<uint32_t>(uint64_t{known.items} * c / known.chunks);
    };
    known.part(known.context, bound(chunk), bound(chunk + 1));
    __atomic_fetch_sub(&unfinished, 1, __ATOMIC_SEQ_CST);
    return true;
  }
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
  auto least = static_cast<uint32_t>(total / kMostChunk);
  auto most = static_cast<uint32_t>(total / kLeastChunk);
  uint32_t chunks = threads * kChunksPerThread;
  if (chunks < least) chunks = least;
  if (chunks > most) chunks = most;
  if (chunks > items) chunks = items;
  Deal({part, context, items, chunks});
  Ring();
  while (RunChunk()) {
  }
  while (Load(unfinished) > 0) {
    if (Load(has_failed)) __builtin_trap();
  }
}

__attribute__((export_name("webnnc_help"))) void webnnc_help(uint32_t patience) {
  __atomic_fetch_add(&helpers, 1, __ATOMIC_SEQ_CST);
  const uint32_t dismissed = Load(dismissals);
  bool is_patient = true;
  while (is_patient && Load(dismissals) == dismissed) {
    const uint32_t rung = Load(bell);
    uint32_t looks = 0;
    while (looks < kLooks && !RunChunk()) ++looks;
    if (looks < kLooks) continue;
    __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
    constexpr int kTimedOut = 2;
    is_patient =
        __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&bell), static_cast<int>(rung),
                                            int64_t{patience} * 1000) != kTimedOut;
    __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
  }
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

__attribute__((export_name("webnnc_helpers"))) uint32_t webnnc_helpers() { return Load(helpers); }

__attribute__((export_name("webnnc_dismiss"))) void webnnc_dismiss() {
  __atomic_fetch_add(&dismissals, 1, __ATOMIC_SEQ_CST);
  Ring();
}

}  // extern "C"
