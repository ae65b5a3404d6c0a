#include "plan/schedule_for_gpu.h"

#include "loop/passes/flatten.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/rewrite.h"
#include "loop/verify.h"
#include "plan/merge_kernels.h"
#include "plan/schedule_kernels.h"
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
  if (BytesOf(kernel, loop::Space::kWorkgroup) > device.workgroup_bytes)
    return Error{"too much workgroup memory"};
  if (BytesOf(kernel, loop::Space::kRegister) > kMostRegisterBytesPerThread * device.max_threads) {
    return Error{"too many registers"};
  }
  GiveThread(kernel);
  return kernel;
}

// The measured schedule if there is one, else the first of the candidates that fits.
Status ChooseSchedule(Kernel& kernel, const schedule::GpuDevice& device,
                      const schedule::Schedule* measured) {
  if (measured) {
    kernel.schedule = *measured;
    TRY_ASSIGN(kernel.flat, Scheduled(kernel.plain, *measured, device));
    return kSuccess;
  }
  Status status = Error{"no rule fits"};
  for (schedule::Schedule& schedule : schedule::CandidatesForGpu(kernel.plain, device)) {
    auto scheduled = Scheduled(kernel.plain, schedule, device);
    if (!scheduled) {
      status = scheduled.error();
      continue;
    }
    kernel.schedule = std::move(schedule);
    kernel.flat = std::move(scheduled.value());
    return kSuccess;
  }
  return status;
}

Result<loop::GpuLegalization> Finish(loop::Kernel& kernel,
                                     const std::vector<loop::ParameterKind>& kinds, bool half) {
  loop::Flatten(kernel);
  loop::Vectorize(kernel);
  loop::Unroll(kernel);
  loop::Simplify(kernel);
  TRY_ASSIGN(auto legalization, loop::LegalizeForGpu(kernel, kinds, half));
  TRY(loop::VerifyFlat(kernel));
  return legalization;
}

}  // namespace

std::vector<loop::ParameterKind> ParameterKinds(const Program& program, KernelId kernel) {
  std::vector<loop::ParameterKind> kinds;
  for (const Step& step : program.steps) {
    if (step.kernel != kernel) continue;
    for (BufferId argument : step.arguments) {
      bool weight = program.buffers[argument].kind == BufferKind::kWeight;
      kinds.push_back(weight ? loop::ParameterKind::kWeight : loop::ParameterKind::kActivation);
    }
    break;
  }
  return kinds;
}

Status ScheduleForGpu(Program& program, const schedule::GpuDevice& device,
                      const schedule::Database& measured, std::set<std::string>& narrowed) {
  // Of tensors without elements nothing is to be computed.
  std::erase_if(program.steps,
                [&](const Step& step) { return program.kernels[step.kernel].plain.body.empty(); });
  std::string target(device.name);
  for (size_t s = 0; s < program.steps.size(); ++s) {
    Kernel& kernel = program.kernels[program.steps[s].kernel];
    if (!kernel.flat.body.empty()) continue;
    const schedule::Schedule* found = measured.Find(target, kernel.plain);
    Status status = ChooseSchedule(kernel, device, found);
    if (status) continue;
    if (found) return MisfitError(target, kernel, status.error());
    // In one dispatch it cannot be: then a dispatch a stage.
    bool several = schedule::ExtractNests(kernel.plain).nests.size() > 1;
    if (!several) return Error{"@" + kernel.plain.name + ": " + status.error().message};
    SplitStages(program, s);
    --s;
  }
  // Drops the kernels that were cut up.
  MergeKernels(program);
  for (int32_t k = 0; k < program.kernels.size(); ++k) {
    KernelId id{k};
    TRY_ASSIGN(auto legalization,
               Finish(program.kernels[id].flat, ParameterKinds(program, id), program.half));
    if (!legalization.narrows_64_bits) continue;
    for (const std::string& origin : OriginsOf(program, id)) narrowed.insert(origin);
  }
  return kSuccess;
}

}  // namespace webnnc::plan
