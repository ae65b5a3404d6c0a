#include "plan/schedule_for_gpu.h"

#include <functional>
#include <map>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "lower/lower_kernel.h"
#include "plan/merge_kernels.h"
#include "plan/split_stages.h"
#include "schedule/choose.h"
#include "schedule/nest.h"

namespace webnnc::plan {

namespace {

Result<lower::Lowered> Apply(Kernel& kernel, const schedule::Schedule& schedule,
                             const lower::Options& options) {
  TRY_ASSIGN(auto lowered, lower::LowerKernel(kernel.plain, schedule, options));
  kernel.schedule = lowered.schedule;
  kernel.flat = lowered.flat;
  return lowered;
}

// Lets a kernel's accesses begin where its arguments do. Launches of one kernel agree on it.
void BeginAt(loop::Kernel& flat, const std::vector<Dim>& begins) {
  if (begins.empty()) return;
  std::vector<loop::BufferId> parameters = loop::ParametersOf(flat);
  std::map<loop::BufferId, Dim> begin_of;
  for (size_t p = 0; p < parameters.size(); ++p) {
    if (begins[p] == 0) continue;
    begin_of[parameters[p]] = begins[p];
    Shape& shape = flat.buffers[parameters[p]].type.shape;
    shape[0] = shape[0] + begins[p];
  }
  loop::Builder build(flat);
  auto moved = [&](loop::BufferId buffer, loop::ExprId index) {
    auto found = begin_of.find(buffer);
    return found == begin_of.end() ? index : build.Add(build.Size(found->second), index);
  };
  loop::ExprRewriter rewrite(flat, [&](loop::ExprId id, loop::ExprId) {
    loop::Expr expr = flat.exprs[id];
    auto* load = std::get_if<loop::Load>(&expr.node);
    if (!load) return id;
    load->index[0] = moved(load->buffer, load->index[0]);
    return flat.exprs.Add(std::move(expr));
  });
  loop::RewriteExprs(flat.body, rewrite);
  std::function<void(loop::Block&)> move_stores = [&](loop::Block& block) {
    for (loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) move_stores(loop->body);
      if (auto* test = std::get_if<loop::If>(&stmt)) move_stores(test->body);
      auto* store = std::get_if<loop::Store>(&stmt);
      if (store) store->index[0] = moved(store->buffer, store->index[0]);
    }
  };
  move_stores(flat.body);
}

// The first of these whose schedule fits.
Result<lower::Lowered> ApplyFirst(Kernel& kernel,
                                  const std::vector<schedule::Candidate>& candidates,
                                  const lower::Options& options) {
  Error reason{"no rule fits"};
  for (const schedule::Candidate& candidate : candidates) {
    auto applied = Apply(kernel, candidate.schedule, options);
    if (applied) return applied;
    reason = applied.error();
  }
  return reason;
}

}  // namespace

Result<lower::Lowered> LowerForGpu(const Program& program, KernelId id,
                                   const schedule::Schedule& schedule) {
  lower::Options options{program.target, ParametersOf(program, id)};
  TRY_ASSIGN(auto lowered, lower::LowerKernel(program.kernels[id].plain, schedule, options));
  for (const Launch* launch : LaunchesOf(program, Place::kDevice)) {
    if (launch->kernel != id) continue;
    BeginAt(lowered.flat, launch->begins);
    break;
  }
  return lowered;
}

Status ScheduleForGpu(Program& program, const schedule::Database& measured,
                      const LikelySizes& sizes, std::set<std::string>& narrowed, const Warn& warn) {
  // Of tensors without elements nothing is to be computed.
  std::erase_if(program.steps, [&](const Step& step) {
    auto* launch = std::get_if<Launch>(&step);
    return launch && launch->place == Place::kDevice &&
           program.kernels[launch->kernel].plain.body.empty();
  });
  const Target& target = program.target;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    auto* launch = std::get_if<Launch>(&program.steps[s]);
    if (!launch || launch->place != Place::kDevice) continue;
    KernelId id = launch->kernel;
    Kernel& kernel = program.kernels[id];
    if (!kernel.flat.body.empty()) continue;
    lower::Options options{target, ParametersOf(program, id)};
    const schedule::Schedule* found = measured.Find(Name(target), kernel.plain, sizes);
    Result<lower::Lowered> applied = Error{"nothing was measured"};
    if (found) {
      applied = Apply(kernel, *found, options);
      if (!applied) warn(MisfitWarning(target, kernel, sizes, applied.error()));
    }
    if (!applied) {
      std::vector<schedule::Candidate> candidates =
          schedule::Candidates(kernel.plain, target, sizes);
      applied = ApplyFirst(kernel, candidates, options);
      // What can be cut up is better cut up than slow.
      options.spills = !applied && !HasSeveralParts(kernel.plain);
      if (options.spills) applied = ApplyFirst(kernel, candidates, options);
    }
    if (applied) {
      BeginAt(program.kernels[id].flat, launch->begins);
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
