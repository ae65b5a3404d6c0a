#include "lower/lower_kernel.h"

#include <set>

#include "loop/passes/flatten.h"
#include "loop/passes/guard_stores.h"
#include "loop/passes/legalize_for_gpu.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/share_memory.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/rewrite.h"
#include "loop/thread_rows.h"
#include "loop/verify.h"
#include "schedule/bound_sums.h"

namespace webnnc::lower {

namespace {

// Of a workgroup, or of one thread where threads have rows.
int64_t BytesOf(const loop::Kernel& kernel, loop::Space space, const Target& target) {
  int64_t bytes = 0;
  std::set<loop::BufferId> rows = loop::ThreadRows(kernel);
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
    if (buffer.space != space) continue;
    DType dtype = StoredType(target, buffer.type.dtype, Storage::kActivation);
    int64_t own = ElementCount(buffer.type.shape).value() * ByteSize(dtype);
    bytes += rows.count(loop::BufferId{b}) ? own / buffer.type.shape[0].value() : own;
  }
  return bytes;
}

Status CheckShared(const loop::Kernel& kernel, const Options& options) {
  if (BytesOf(kernel, loop::Space::kWorkgroup, options.target) <=
      options.target.machine->workgroup_bytes)
    return kSuccess;
  return Error{"too much workgroup memory"};
}

// What is in registers must be small, or it is not in registers.
Status CheckFits(const loop::Kernel& kernel, const Options& options) {
  const Machine& machine = *options.target.machine;
  int64_t most = options.spills ? machine.spilled_bytes : machine.register_bytes;
  if (BytesOf(kernel, loop::Space::kRegister, options.target) > most)
    return Error{"too many registers"};
  bool too_many = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    bool is_thread = loop && loop->kind == loop::LoopKind::kThread;
    too_many |= is_thread && loop->extent.value() > machine.max_threads;
  });
  if (options.target.IsGpu() && too_many) return Error{"too many threads"};
  return kSuccess;
}

// A kernel of one element has no loop to bind: one thread does it, within workgroups if there are.
void GiveThread(loop::Kernel& kernel) {
  bool has_thread = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    has_thread |= loop && loop->kind == loop::LoopKind::kThread;
  });
  if (has_thread) return;
  loop::Block* block = &kernel.body;
  while (block->size() == 1) {
    auto* loop = std::get_if<loop::For>(&block->front());
    if (!loop || !loop::IsWorkgroup(loop->kind)) break;
    block = &loop->body;
  }
  loop::For thread{kernel.vars.Add({"t"}), 1, loop::LoopKind::kThread, std::move(*block)};
  block->clear();
  block->push_back(std::move(thread));
}

}  // namespace

Result<Lowered> LowerKernel(const loop::Kernel& plain, schedule::Schedule schedule,
                            const Options& options) {
  schedule::BoundSums(plain, schedule);
  TRY_ASSIGN(auto kernel, schedule::Apply(plain, schedule));
  if (options.log) options.log("schedule", kernel);
  // Beyond this point loops have their kinds, and nothing is reordered.
  TRY_ASSIGN(auto lowered, LowerScheduled(std::move(kernel), options));
  lowered.schedule = std::move(schedule);
  return lowered;
}

Result<Lowered> LowerScheduled(loop::Kernel scheduled, const Options& options) {
  auto log = [&](std::string_view pass, const loop::Kernel& kernel) {
    if (options.log) options.log(pass, kernel);
  };
  bool gpu = options.target.IsGpu();
  Lowered lowered{{}, std::move(scheduled)};
  loop::Kernel& kernel = lowered.flat;

  TRY(CheckFits(kernel, options));
  if (gpu) {
    GiveThread(kernel);
    log("give-thread", kernel);
  }
  // Buffers get one dimension first: only then can neighbours be seen that vectors are made of, and
  // what is unrolled is vectors already.
  loop::Flatten(kernel);
  log("flatten", kernel);
  loop::Vectorize(kernel);
  log("vectorize", kernel);
  loop::Unroll(kernel);
  log("unroll", kernel);

  // The CPU has no arithmetic on f16. On GPUs types come last, where words can be seen of which
  // packed weights are read.
  if (!gpu) {
    loop::PromoteHalf(kernel, options.parameters, options.target);
    log("promote-half", kernel);
  }
  loop::Simplify(kernel);
  log("simplify", kernel);
  if (gpu) {
    loop::ShareMemory(kernel);
    log("share-memory", kernel);
  }
  TRY(CheckShared(kernel, options));
  if (gpu) {
    loop::GuardStores(kernel);
    log("guard-stores", kernel);
    TRY_ASSIGN(auto legalization, loop::LegalizeForGpu(kernel, options.parameters, options.target));
    lowered.narrows_64_bits = legalization.narrows_64_bits;
    log("legalize", kernel);
  }
  TRY(loop::VerifyFlat(kernel));
  return lowered;
}

}  // namespace webnnc::lower
