#include "plan/schedule_for_gpu.h"

#include "loop/passes/flatten.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/rewrite.h"
#include "loop/verify.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/bound_sums.h"
#include "schedule/choose_gpu.h"
#include "schedule/nest.h"

namespace webnnc::plan {

namespace {

// As the GPU stores elements.
int64_t BytesOf(const loop::Kernel& kernel, loop::Space space, bool half) {
  int64_t bytes = 0;
  for (const loop::Buffer& buffer : kernel.buffers) {
    if (buffer.space != space) continue;
    DType dtype = loop::CarriedType(buffer.type.dtype, half);
    bytes += ElementCount(buffer.type.shape).value() * ByteSize(dtype);
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

// Applies the schedule, and makes the kernel what spirv::Emit takes.
Result<loop::GpuLegalization> Apply(Kernel& kernel, schedule::Schedule schedule,
                                    const std::vector<loop::ParameterKind>& kinds, bool half,
                                    const schedule::GpuDevice& device) {
  schedule::BoundSums(kernel.plain, schedule);
  TRY_ASSIGN(auto flat, schedule::Apply(kernel.plain, schedule));
  if (BytesOf(flat, loop::Space::kWorkgroup, half) > device.workgroup_bytes)
    return Error{"too much workgroup memory"};
  if (BytesOf(flat, loop::Space::kRegister, half) >
      kMostRegisterBytesPerThread * device.max_threads) {
    return Error{"too many registers"};
  }
  GiveThread(flat);
  loop::Flatten(flat);
  loop::Vectorize(flat);
  loop::Unroll(flat);
  loop::Simplify(flat);
  TRY_ASSIGN(auto legalization, loop::LegalizeForGpu(flat, kinds, half));
  TRY(loop::VerifyFlat(flat));
  kernel.schedule = std::move(schedule);
  kernel.flat = std::move(flat);
  return legalization;
}

// The first of these schedules that fits.
Result<loop::GpuLegalization> ApplyFirst(Kernel& kernel,
                                         const std::vector<schedule::Schedule>& schedules,
                                         const std::vector<loop::ParameterKind>& kinds, bool half,
                                         const schedule::GpuDevice& device) {
  Error reason{"no rule fits"};
  for (const schedule::Schedule& schedule : schedules) {
    auto applied = Apply(kernel, schedule, kinds, half, device);
    if (applied) return applied;
    reason = applied.error();
  }
  return reason;
}

}  // namespace

std::string NameOf(const schedule::GpuDevice& device, bool half) {
  return std::string(device.name) + (half ? "-f16" : "");
}

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
                      const schedule::Database& measured, const LikelySizes& sizes,
                      std::set<std::string>& narrowed, const Warn& warn) {
  // Of tensors without elements nothing is to be computed.
  std::erase_if(program.steps,
                [&](const Step& step) { return program.kernels[step.kernel].plain.body.empty(); });
  std::string target = NameOf(device, program.half);
  for (size_t s = 0; s < program.steps.size(); ++s) {
    KernelId id = program.steps[s].kernel;
    Kernel& kernel = program.kernels[id];
    if (!kernel.flat.body.empty()) continue;
    std::vector<loop::ParameterKind> kinds = ParameterKinds(program, id);
    const schedule::Schedule* found = measured.Find(target, kernel.plain, sizes);
    Result<loop::GpuLegalization> applied = Error{"nothing was measured"};
    if (found) {
      applied = Apply(kernel, *found, kinds, program.half, device);
      if (!applied) warn(MisfitWarning(target, kernel, sizes, applied.error()));
    }
    if (!applied) {
      applied =
          ApplyFirst(kernel, schedule::CandidatesForGpu(kernel.plain, device, program.half, sizes),
                     kinds, program.half, device);
    }
    if (applied) {
      if (!applied.value().narrows_64_bits) continue;
      for (const std::string& origin : OriginsOf(program, id)) narrowed.insert(origin);
      continue;
    }
    // In one dispatch it cannot be: then a dispatch a stage.
    if (!HasSeveralParts(kernel.plain))
      return Error{"@" + kernel.plain.name + ": " + applied.error().message};
    SplitStages(program, s);
    --s;
  }
  // Drops the kernels that were cut up.
  MergeKernels(program);
  return kSuccess;
}

}  // namespace webnnc::plan
