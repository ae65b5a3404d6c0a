// Walks the commands of programs whose steps do not run once each in their order. It is linked for
// models that have such programs alone, and takes the place of model.cpp's webnnc_prepare and
// webnnc_run there.
//
// A plan (abi::kPlan) places its buffers among those that have their places then, which stay where
// they are. What grows (abi::kGrown) has memory of its own. All memory is kept from run to run, so
// that a model that runs for hours takes no more than its largest run.
#include "runtime/memory.h"
#include "runtime/plan_arena.h"

using namespace webnnc;
using namespace webnnc::runtime;

// The command's (command.cpp); pages have none, and ask webnnc_walk.
extern "C" __attribute__((weak)) void webnnc_refuse(abi::Status status);

namespace {

// ---- Memory

struct Block {
  uint32_t base = 0, bytes = 0;
};

// Blocks that moved on leave room for others. What finds no place in the list is lost, the smallest
// first.
constexpr uint32_t kMostFree = 64;
Block free_blocks[kMostFree];

// Adds to the free blocks, joined with those beside it.
void Give(Block block) {
  if (block.bytes == 0) return;
  for (Block& other : free_blocks) {
    if (other.bytes == 0) continue;
    bool before = other.base + other.bytes == block.base;
    if (!before && block.base + block.bytes != other.base) continue;
    block = {before ? other.base : block.base, other.bytes + block.bytes};
    other = {};
    return Give(block);
  }
  Block* least = free_blocks;
  for (Block& other : free_blocks) {
    if (other.bytes < least->bytes) least = &other;
  }
  if (least->bytes < block.bytes) *least = block;
}

// From the smallest free block that is large enough, or new; of no bytes if there is no memory.
Block Take(uint64_t bytes) {
  bytes = (bytes + abi::kCpuAlignment - 1) / abi::kCpuAlignment * abi::kCpuAlignment;
  Block* best = nullptr;
  for (Block& block : free_blocks) {
    if (block.bytes >= bytes && (!best || block.bytes < best->bytes)) best = &block;
  }
  if (!best) {
    Region region;
    if (!Reserve(region, bytes)) return {};
    // The last page of the memory has no end that 32 bits hold.
    uint64_t end = region.base + region.bytes;
    if (end > UINT32_MAX) end -= kPage;
    if (region.base + bytes > end) return {};
    Give({static_cast<uint32_t>(region.base), static_cast<uint32_t>(end - region.base)});
    return Take(bytes);
  }
  Block taken = {best->base, static_cast<uint32_t>(bytes)};
  *best = {best->base + taken.bytes, best->bytes - taken.bytes};
  return taken;
}

// Takes what is free behind a block, which need not move then.
bool EnlargeInPlace(Block& block, uint64_t bytes) {
  for (Block& next : free_blocks) {
    if (next.bytes == 0 || next.base != block.base + block.bytes) continue;
    if (block.bytes + uint64_t{next.bytes} < bytes) return false;
    block.bytes += next.bytes;
    next = {};
    return true;
  }
  return false;
}

// Makes a block at least this large; what is in it moves along. It doubles if it has to move, so
// that what grows by and by is not copied each time.
bool Enlarge(Block& block, uint64_t bytes) {
  if (bytes <= block.bytes || (block.bytes > 0 && EnlargeInPlace(block, bytes))) return true;
  Block larger;
  if (bytes < 2 * uint64_t{block.bytes}) larger = Take(2 * uint64_t{block.bytes});
  if (larger.bytes == 0) larger = Take(bytes);
  if (larger.bytes == 0) return false;
  __builtin_memcpy(reinterpret_cast<void*>(larger.base), reinterpret_cast<void*>(block.base),
                   block.bytes);
  Give(block);
  block = larger;
  return true;
}

// ---- The program that runs

// What the walk knows of a buffer beside its record.
struct Note {
  // Whether it has a place in this run.
  bool is_placed;
  // The command that makes its plan.
  uint32_t plan_at;
  // Where its plan put it last, in the arena. Of a plan's first buffer: what that followed from,
  // and how large the arena must be.
  uint32_t home;
  uint64_t reason;
  uint64_t needed;
  // Of what grows in the wasm memory.
  Block own;
};

struct Walk {
  abi::Program* program = nullptr;
  uint32_t counter = 0;
  // Of the command at the counter, the step that comes next; kNone if it has not begun.
  uint32_t step = abi::kNone;
  // The step that ran last.
  uint32_t last_step = 0;
  // What the sizes of the plan that was made last fit for.
  uint32_t fit = 0;
  Note* notes = nullptr;
};
Walk walk;
// Of the CPU's program, or of what a GPU's program has in the wasm memory.
Block arena;
Block scratch, note_block;

bool IsGpu() { return walk.program->kind == abi::kGpu; }
abi::Buffer& BufferAt(uint32_t b) { return walk.program->buffers[b]; }
uint8_t* Address(uint32_t b) { return reinterpret_cast<uint8_t*>(BufferAt(b).offset); }

// Whether it is an address where the buffer is.
bool IsInMemory(uint32_t b) {
  uint32_t kind = BufferAt(b).kind;
  return !IsGpu() || kind == abi::kHost || kind == abi::kData || kind == abi::kHostGrown;
}
bool GrowsInMemory(uint32_t b) {
  uint32_t kind = BufferAt(b).kind;
  return kind == abi::kHostGrown || (kind == abi::kGrown && !IsGpu());
}

uint32_t PlanOf(uint32_t b) { return walk.program->plans ? walk.program->plans[b] : 0; }

uint32_t BytesOf(uint32_t b) {
  auto bytes = static_cast<uint32_t>(Value(BufferAt(b).bytes));
  // Without elements it has a place too: WebGPU binds no empty range, and no bytes twice.
  return bytes == 0 ? sizeof(uint32_t) : bytes;
}

void FindPlans() {
  const abi::Program& program = *walk.program;
  for (uint32_t c = 0; c < program.command_count; ++c) {
    if (program.commands[c].kind != abi::kPlan) continue;
    for (uint32_t b = 0; b < program.buffer_count; ++b) {
      if (PlanOf(b) == program.commands[c].a) walk.notes[b].plan_at = c;
    }
  }
}

// What the program before had is left to this one.
bool Enter(abi::Program& program) {
  if (walk.program == &program) return true;
  for (uint32_t b = 0; walk.program && b < walk.program->buffer_count; ++b) Give(walk.notes[b].own);
  walk = {};
  uint64_t bytes = sizeof(Note) * uint64_t{program.buffer_count};
  if (bytes > note_block.bytes) {
    Give(note_block);
    note_block = Take(bytes);
    if (note_block.bytes == 0) return false;
  }
  walk.notes = reinterpret_cast<Note*>(note_block.base);
  __builtin_memset(walk.notes, 0, static_cast<size_t>(bytes));
  walk.program = &program;
  FindPlans();
  return true;
}

// Offsets of weights become addresses, once.
bool PlaceWeights() {
  if (IsGpu() || webnnc_model.weights_bytes == 0) return true;
  uint32_t base = webnnc_weights();
  if (base == 0) return false;
  for (uint32_t b = 0; b < walk.program->buffer_count; ++b) {
    if (BufferAt(b).kind == abi::kWeights) BufferAt(b).offset += base - webnnc_added_to_weights;
  }
  webnnc_added_to_weights = base;
  return true;
}

// What grows has a place before there is anything in it. On the GPU it is a number, by which the
// page knows its buffer.
bool PlaceGrown() {
  for (uint32_t b = 0; b < walk.program->buffer_count; ++b) {
    if (GrowsInMemory(b)) {
      if (!Enlarge(walk.notes[b].own, abi::kCpuAlignment)) return false;
      BufferAt(b).offset = walk.notes[b].own.base;
    } else if (BufferAt(b).kind == abi::kGrown) {
      BufferAt(b).offset = b;
    }
  }
  return true;
}

// ---- Plans

// Numbers that a plan followed from, as one.
struct Hash {
  uint64_t value = 0xcbf29ce484222325u;
  void Add(uint32_t number) { value = (value ^ number) * 0x100000001b3u; }
};

// An arena: those buffers that are of this kind.
struct Arena {
  abi::BufferKind kind;
  uint32_t base, alignment;
};

// A plan, by the command that makes it; `position` is the step that it is made at.
struct PlanCommand {
  uint32_t number, position, at;
};

// Whether another plan has placed a buffer that this one must leave in peace. Those of plans that
// are still to come, maybe again, are placed around this one's then.
bool IsFixed(uint32_t b, const PlanCommand& plan) {
  const abi::Buffer& buffer = BufferAt(b);
  const Note& note = walk.notes[b];
  if (!note.is_placed || PlanOf(b) == plan.number || buffer.last_step < plan.position) return false;
  return buffer.first_step < plan.position || PlanOf(b) == abi::kNoPlan || note.plan_at < plan.at;
}

// Places a plan's buffers in an arena, and tells what it needs then.
abi::Status PlaceInArena(const PlanCommand& plan, const Arena& in, uint64_t& needed) {
  uint32_t total = walk.program->buffer_count, count = 0, fixed = 0;
  uint64_t per_buffer = sizeof(ArenaItem) + 3 * sizeof(uint32_t);
  if (per_buffer * total > scratch.bytes) {
    Give(scratch);
    scratch = Take(per_buffer * total);
    if (scratch.bytes == 0) return abi::kOutOfMemory;
  }
  auto* items = reinterpret_cast<ArenaItem*>(scratch.base);
  auto* order = reinterpret_cast<uint32_t*>(items + total);
  uint32_t *placed = order + total, *buffers = placed + total;
  bool has_rooms = BindsRooms(*walk.program);
  auto room_of = [&](uint32_t b) { return has_rooms ? RoomFor(BytesOf(b)) : BytesOf(b); };
  Hash hash;
  hash.Add(plan.position);
  uint32_t first = abi::kNone;
  for (uint32_t b = 0; b < total; ++b) {
    const abi::Buffer& buffer = BufferAt(b);
    if (buffer.kind != in.kind || PlanOf(b) != plan.number) continue;
    if (first == abi::kNone) first = b;
    hash.Add(BytesOf(b));
    buffers[count] = b;
    items[count++] = {room_of(b), buffer.first_step, buffer.last_step};
  }
  if (count == 0) return abi::kOk;
  for (uint32_t b = 0; b < total; ++b) {
    const abi::Buffer& buffer = BufferAt(b);
    if (buffer.kind != in.kind || !IsFixed(b, plan)) continue;
    ArenaItem& item = items[count + fixed++];
    item = {room_of(b), buffer.first_step, buffer.last_step};
    item.offset = buffer.offset - in.base;
    hash.Add(BytesOf(b));
    hash.Add(static_cast<uint32_t>(item.offset));
    hash.Add(b);
  }
  // The same plan as the last time, from the same.
  Note& note = walk.notes[first];
  if (note.reason != hash.value) {
    note.needed = PlanArena(items, count, in.alignment, order, placed, fixed);
    if (note.needed > UINT32_MAX) return abi::kOutOfMemory;
    for (uint32_t i = 0; i < count; ++i)
      walk.notes[buffers[i]].home = static_cast<uint32_t>(items[i].offset);
    note.reason = hash.value;
  }
  needed = note.needed;
  for (uint32_t i = 0; i < count; ++i) {
    walk.notes[buffers[i]].is_placed = true;
    BufferAt(buffers[i]).offset = in.base + walk.notes[buffers[i]].home;
  }
  return abi::kOk;
}

abi::Status PlaceInMemory(const PlanCommand& plan, abi::BufferKind kind) {
  uint64_t needed = 0;
  abi::Status status = PlaceInArena(plan, {kind, arena.base, abi::kCpuAlignment}, needed);
  if (status != abi::kOk || needed == 0) return status;
  uint32_t base = arena.base;
  // A little more: a vector load may touch the bytes behind the last element.
  if (!Enlarge(arena, needed + abi::kCpuAlignment)) return abi::kOutOfMemory;
  if (!IsGpu()) walk.program->arena_bytes = arena.bytes;
  if (arena.base == base) return abi::kOk;
  for (uint32_t b = 0; b < walk.program->buffer_count; ++b) {
    if (BufferAt(b).kind == kind && walk.notes[b].is_placed)
      BufferAt(b).offset += arena.base - base;
  }
  return abi::kOk;
}

abi::Status MakePlan(const PlanCommand& plan) {
  const abi::Program& program = *walk.program;
  walk.fit = plan.number > 0 ? webnnc_model_plan(plan.number) : abi::kFitsEnd;
  // A loop decides behind its plan which sizes it needs.
  uint32_t next = plan.at + 1;
  bool is_loop = next < program.command_count && program.commands[next].kind == abi::kWhile;
  if (!is_loop && !(walk.fit & abi::kFitsEnd)) return abi::kSizeOutOfRange;
  if (!IsGpu()) return PlaceInMemory(plan, abi::kArena);
  uint64_t needed = 0;
  abi::Status status = PlaceInArena(plan, {abi::kArena, 0, abi::kBindingAlignment}, needed);
  if (status != abi::kOk) return status;
  if (needed > walk.program->arena_bytes) walk.program->arena_bytes = static_cast<uint32_t>(needed);
  status = PlaceInMemory(plan, abi::kHost);
  if (status == abi::kOk) webnnc_model_encode();
  return status;
}

// ---- Commands

int64_t Read(uint32_t buffer, uint32_t element, uint32_t bytes) {
  const uint8_t* at = Address(buffer) + uint64_t{element} * bytes;
  int64_t value = 0;
  __builtin_memcpy(&value, at, bytes);
  return bytes == sizeof(int32_t) ? static_cast<int32_t>(value) : value;
}

void Write(uint32_t buffer, int64_t value, uint32_t bytes) {
  __builtin_memcpy(Address(buffer), &value, bytes);
}

bool Define(const abi::Command& command) {
  int64_t value =
      Read(command.b, static_cast<uint32_t>(Value(command.c)), static_cast<uint32_t>(command.d));
  if (value < 0 || value > INT32_MAX) return false;
  webnnc_model.dims[command.a] = static_cast<int32_t>(value);
  return true;
}

void Swap(uint32_t a, uint32_t b) {
  auto swap = [](auto& x, auto& y) {
    auto was = x;
    x = y;
    y = was;
  };
  swap(BufferAt(a).offset, BufferAt(b).offset);
  swap(walk.notes[a].is_placed, walk.notes[b].is_placed);
  swap(walk.notes[a].own, walk.notes[b].own);
}

bool Stack(const abi::Command& command) {
  auto bytes = static_cast<uint64_t>(Value(command.d));
  auto at =
      static_cast<uint64_t>(Read(static_cast<uint32_t>(command.c), 0, sizeof(int64_t))) * bytes;
  if (GrowsInMemory(command.b)) {
    Block& own = walk.notes[command.b].own;
    if (at + bytes > INT32_MAX || !Enlarge(own, at + bytes + abi::kCpuAlignment)) return false;
    BufferAt(command.b).offset = own.base;
  }
  __builtin_memcpy(Address(command.b) + at, Address(command.a), static_cast<size_t>(bytes));
  return true;
}

bool GoesOn(const abi::Command& command) {
  bool goes_on = true;
  if (command.b != abi::kNone)
    goes_on = Read(command.a, 0, sizeof(int64_t)) < Read(command.b, 0, sizeof(int64_t));
  auto condition = static_cast<uint32_t>(command.c);
  if (condition != abi::kNone) goes_on = goes_on && *Address(condition) != 0;
  return goes_on;
}

// Whether a loop that is tested there makes plans: each before the test.
bool HasPlan(uint32_t at) { return at > 0 && walk.program->commands[at - 1].kind == abi::kPlan; }

// Runs the next of the steps from `first` on, before `end`; says whether it was the last.
bool RunStep(uint32_t first, uint32_t end) {
  if (walk.step == abi::kNone) walk.step = first;
  if (walk.step < end) {
    walk.last_step = walk.step;
    webnnc_model_step(walk.step++);
  }
  if (walk.step < end) return false;
  walk.step = abi::kNone;
  return true;
}

// What a page has to do: what is on the GPU.
bool IsForPage(const abi::Command& command) {
  if (!IsGpu()) return false;
  switch (command.kind) {
    case abi::kRun:
    case abi::kPlan:
    case abi::kUpload:
    case abi::kReadBack: return true;
    case abi::kStack: return !IsInMemory(command.a);
    default: return false;
  }
}

uint32_t Refuse(abi::Status status) {
  // Sizes that were refused are not for the next run.
  for (uint32_t d = 0; d < webnnc_model.dim_count; ++d) {
    if (webnnc_model.dims[d] < 0) webnnc_model.dims[d] = 0;
  }
  uint32_t flag = status == abi::kOutOfMemory ? abi::kWalkOutOfMemory : abi::kWalkOutOfRange;
  return flag | walk.counter;
}

uint32_t Continue(bool one) {
  const abi::Program& program = *walk.program;
  while (walk.counter < program.command_count) {
    uint32_t at = walk.counter, next = at + 1;
    const abi::Command& command = program.commands[at];
    bool pauses = IsForPage(command);
    switch (command.kind) {
      case abi::kRun:
      case abi::kHostSteps:
        if (!pauses) {
          if (!RunStep(command.a, command.b)) next = at;
          pauses = one;
        }
        break;
      case abi::kPlan:
        if (abi::Status status = MakePlan({command.a, command.b, at})) return Refuse(status);
        break;
      case abi::kSet:
        Write(command.a, static_cast<int32_t>(command.b), static_cast<uint32_t>(command.d));
        break;
      case abi::kIncrement:
        Write(command.a, Read(command.a, 0, sizeof(int64_t)) + 1, sizeof(int64_t));
        break;
      case abi::kDefine:
        if (!Define(command)) return Refuse(abi::kSizeOutOfRange);
        break;
      case abi::kAssign: webnnc_model_assign(command.a); break;
      case abi::kRecompute: webnnc_model_plan(command.a); break;
      case abi::kSwap: Swap(command.a, command.b); break;
      case abi::kStack:
        if (!pauses && !Stack(command)) return Refuse(abi::kOutOfMemory);
        break;
      case abi::kBranch:
        if (*Address(command.a) == 0) next = command.b;
        break;
      case abi::kJump: next = command.a; break;
      case abi::kWhile:
        if (!GoesOn(command)) next = static_cast<uint32_t>(command.d);
        if (HasPlan(at) && !(walk.fit & (next > at + 1 ? abi::kFitsEnd : abi::kFitsIteration)))
          return Refuse(abi::kSizeOutOfRange);
        break;
    }
    walk.counter = next;
    // Every loop goes back: one without steps is heard of as well.
    if (pauses || (one && next <= at)) return at;
  }
  return program.command_count;
}

}  // namespace

extern "C" __attribute__((export_name("webnnc_prepare"))) abi::Status webnnc_prepare(
    uint32_t index) {
  abi::Program& program = webnnc_model.programs[index];
  if (!Enter(program) || !PlaceWeights() || !PlaceGrown()) return abi::kOutOfMemory;
  for (uint32_t b = 0; b < program.buffer_count; ++b) walk.notes[b].is_placed = false;
  // The first command is plan 0; a program without commands has no other.
  walk.counter = 1;
  walk.step = abi::kNone;
  program.arena_bytes = 0;
  return MakePlan({0, 0, 0});
}

extern "C" __attribute__((export_name("webnnc_walk"))) uint32_t webnnc_walk(uint32_t one) {
  return Continue(one != 0);
}

extern "C" __attribute__((export_name("webnnc_walked"))) uint32_t webnnc_walked() {
  return walk.last_step;
}

extern "C" __attribute__((export_name("webnnc_run"))) void webnnc_run(uint32_t index) {
  abi::Program& program = webnnc_model.programs[index];
  if (!program.commands) {
    for (uint32_t step = 0; step < program.step_count; ++step) webnnc_model_step(step);
    return;
  }
  uint32_t at = Continue(false);
  if (!webnnc_refuse) return;
  if (at & abi::kWalkOutOfMemory) webnnc_refuse(abi::kOutOfMemory);
  if (at & abi::kWalkOutOfRange) webnnc_refuse(abi::kSizeOutOfRange);
}
