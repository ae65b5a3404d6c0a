#include "plan/schedule_for_gpu.h"

#include "loop/passes/flatten.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/rewrite.h"
#include "loop/verify.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose_gpu.h"
#include "schedule/nest.h"

namespace webnnc::plan {

namespace {

int64_t BytesOf(const loop::Kernel& kernel, loop::Space space) {
  int64_t bytes = 0;
  for (const loop::Buffer& buffer : kernel.buffers) {
    if (buffer.space == space) bytes += ByteSize(buffer.type).value();
  }
  return bytes;
}

// A kernel of one element has no loop to bind: one thread does it.
void GiveThread(loop::Kernel& kernel) {
  bool has_thread = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    has_thread |= loop && loop->kind == loop::LoopKind::kThread;
  });
  if (has_thread) return;
  loop::For thread{kernel.vars.Add({"t"}), 1, loop::LoopKind::kThread, std::move(kernel.body)};
  kernel.body.clear();
  kernel.body.push_back(std::move(thread));
}

// What is in registers must be small, or it is not in registers.
constexpr int64_t kMostRegisterBytesPerThread = 1024;

Result<loop::Kernel> Scheduled(const loop::Kernel& plain, const schedule::Schedule& schedule,
                               const schedule::GpuDevice& device) {
  TRY_ASSIGN(auto kernel, schedule::Apply(plain, schedule));
  if (BytesOf(kernel, loop::Space::kWorkgroup) > device.workgroup_bytes) return Error{"too much workgroup memory"};
  if (BytesOf(kernel, loop::Space::kRegister) > kMostRegisterBytesPerThread * device.max_threads) {
    return Error{"too many registers"};
  }
  GiveThread(kernel);
  return kernel;
}

Status ScheduleKernel(Kernel& kernel, const schedule::GpuDevice& device) {
  Status status = Error{"no rule fits"};
  for (schedule::Schedule& schedule : schedule::CandidatesForGpu(kernel.plain, device)) {
    auto scheduled = Scheduled(kernel.plain, schedule, device);
    if (!scheduled) {
      status = scheduled.error();
      continue;
    }
    kernel.schedule = std::move(schedule);
    kernel.flat = std::move(scheduled.value());
    loop::Flatten(kernel.flat);
    loop::Vectorize(kernel.flat);
    loop::Unroll(kernel.flat);
    loop::Simplify(kernel.flat);
    return loop::VerifyFlat(kernel.flat);
  }
  return status;
}

}  // namespace

Status ScheduleForGpu(Program& program, const schedule::GpuDevice& device) {
  for (size_t s = 0; s < program.steps.size(); ++s) {
    Kernel& kernel = program.kernels[program.steps[s].kernel];
    if (!kernel.flat.body.empty()) continue;
    Status status = ScheduleKernel(kernel, device);
    if (status) continue;
    // In one dispatch it cannot be: then a dispatch a stage.
    bool several = schedule::ExtractNests(kernel.plain).nests.size() > 1;
    if (!several) return Error{"@" + kernel.plain.name + ": " + status.error().message};
    SplitStages(program, s);
    --s;
  }
  // Drops the kernels that were cut up.
  MergeKernels(program);
  return kSuccess;
}

}  // namespace webnnc::plan
