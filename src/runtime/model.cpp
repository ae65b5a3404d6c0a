#include "runtime/model.h"

#include "runtime/memory.h"
#include "runtime/plan_arena.h"

using namespace webnnc;
using namespace webnnc::runtime;

namespace {

Region weights, arena, scratch;

}  // namespace

uint32_t webnnc_added_to_weights = 0;

namespace {

abi::Status PlaceBuffers(abi::Program& program, uint64_t alignment) {
  uint64_t per_buffer = sizeof(runtime::ArenaItem) + 2 * sizeof(uint32_t);
  if (!Reserve(scratch, per_buffer * program.buffer_count)) return abi::kOutOfMemory;
  auto* items = reinterpret_cast<runtime::ArenaItem*>(scratch.base);
  auto* order = reinterpret_cast<uint32_t*>(items + program.buffer_count);
  uint32_t* placed = order + program.buffer_count;
  uint32_t count = 0;
  bool has_rooms = BindsRooms(program);
  for (uint32_t b = 0; b < program.buffer_count; ++b) {
    const abi::Buffer& buffer = program.buffers[b];
    if (buffer.kind != abi::kArena) continue;
    // A tensor without elements has a place too: WebGPU binds no empty range, and no bytes twice.
    uint64_t bytes_needed =
        buffer.bytes == 0 || Value(buffer.bytes) == 0 ? sizeof(uint32_t) : Value(buffer.bytes);
    if (has_rooms) bytes_needed = RoomFor(bytes_needed);
    items[count++] = {bytes_needed, buffer.first_step, buffer.last_step};
  }
  uint64_t bytes = runtime::PlanArena(items, count, alignment, order, placed);
  if (bytes > UINT32_MAX) return abi::kOutOfMemory;
  program.arena_bytes = static_cast<uint32_t>(bytes);
  count = 0;
  for (uint32_t b = 0; b < program.buffer_count; ++b) {
    abi::Buffer& buffer = program.buffers[b];
    if (buffer.kind == abi::kArena) buffer.offset = static_cast<uint32_t>(items[count++].offset);
  }
  return abi::kOk;
}

// Offsets become addresses. A second time, what was added before is taken off first.
abi::Status PrepareCpu(abi::Program& program) {
  abi::Model& model = webnnc_model;
  if (model.weights_bytes > 0 && webnnc_weights() == 0) return abi::kOutOfMemory;
  abi::Status status = PlaceBuffers(program, abi::kCpuAlignment);
  if (status != abi::kOk) return status;
  // A little more than the arena: a vector load may touch the bytes behind the last element.
  if (!Reserve(arena, uint64_t{program.arena_bytes} + abi::kCpuAlignment)) return abi::kOutOfMemory;
  uint32_t moved = static_cast<uint32_t>(weights.base) - webnnc_added_to_weights;
  webnnc_added_to_weights += moved;
  for (uint32_t b = 0; b < program.buffer_count; ++b) {
    abi::Buffer& buffer = program.buffers[b];
    buffer.offset += buffer.kind == abi::kArena ? static_cast<uint32_t>(arena.base) : moved;
  }
  return abi::kOk;
}

}  // namespace

extern "C" __attribute__((export_name("webnnc_weights"))) uint32_t webnnc_weights() {
  if (!Reserve(weights, webnnc_model.weights_bytes)) return 0;
  webnnc_model.weights = static_cast<uint32_t>(weights.base);
  return webnnc_model.weights;
}

// The CPU's arena serves, which a program for the GPU has no use for.
extern "C" __attribute__((export_name("webnnc_staging"))) uint32_t webnnc_staging(uint32_t bytes) {
  return Reserve(arena, bytes) ? static_cast<uint32_t>(arena.base) : 0;
}

extern "C" __attribute__((export_name("webnnc_sizes"))) abi::Status webnnc_sizes() {
  abi::Model& model = webnnc_model;
  webnnc_model_dims();
  for (uint32_t d = 0; d < model.dim_count; ++d) {
    if (model.dims[d] < 0) return abi::kSizeOutOfRange;
  }
  return abi::kOk;
}

// Weak: of models with commands commands.cpp has these.
extern "C" __attribute__((weak, export_name("webnnc_prepare"))) abi::Status webnnc_prepare(
    uint32_t index) {
  abi::Program& program = webnnc_model.programs[index];
  if (program.kind == abi::kCpu) return PrepareCpu(program);
  abi::Status status = PlaceBuffers(program, abi::kBindingAlignment);
  if (status == abi::kOk) webnnc_model_encode();
  return status;
}

extern "C" __attribute__((export_name("webnnc_step"))) void webnnc_step(uint32_t step) {
  webnnc_model_step(step);
}

extern "C" __attribute__((weak, export_name("webnnc_run"))) void webnnc_run(uint32_t program) {
  uint32_t count = webnnc_model.programs[program].step_count;
  for (uint32_t step = 0; step < count; ++step) webnnc_model_step(step);
}

// Where the page finds everything else. Weak: of several models models.cpp has it, which chooses
// one.
extern "C" __attribute__((weak, export_name("webnnc_model"))) abi::Model* webnnc_model_address(
    uint32_t) {
  return &webnnc_model;
}
