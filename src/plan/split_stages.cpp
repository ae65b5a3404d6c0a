#include "plan/split_stages.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/inline_maps.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "schedule/classify.h"
#include "schedule/nest.h"

namespace webnnc::plan {

namespace {

using BufferSet = std::set<loop::BufferId>;

std::vector<loop::StageLoop> LoopsOf(const schedule::Nest& nest, bool reduction) {
  std::vector<loop::StageLoop> loops;
  for (const schedule::NestLoop& loop : nest.main.loops) {
    if (reduction || !loop.reduction) loops.push_back({loop.var, loop.extent});
  }
  return loops;
}

// The nest as stages of a plain kernel again.
std::vector<loop::Stage> StagesOfNest(const schedule::Nest& nest) {
  std::vector<loop::Stage> stages{{nest.kind, LoopsOf(nest, true), nest.update, nest.place,
                                   nest.parts, nest.ordered, nest.condition}};
  for (const loop::Store& writer : nest.writers) {
    // What only makes a result known outside is the result's own store.
    if (nest.Stores(writer.buffer)) continue;
    stages.push_back(loop::MapStage(LoopsOf(nest, false), writer));
    stages.back().ordered = nest.ordered;
    stages.back().condition = nest.condition;
  }
  return stages;
}

// What must stay in one kernel: a nest, or all that stand in one ordered loop. As stages.
std::vector<std::vector<loop::Stage>> PartsOf(const schedule::Nests& nests) {
  std::vector<std::vector<loop::Stage>> parts;
  for (const schedule::Nest& nest : nests.nests) {
    bool joins = !parts.empty() && nest.ordered && parts.back().back().ordered == nest.ordered;
    if (!joins) parts.emplace_back();
    for (loop::Stage& stage : StagesOfNest(nest)) parts.back().push_back(std::move(stage));
  }
  return parts;
}

void NoteUses(const loop::Kernel& kernel, const std::vector<loop::Stage>& stages, BufferSet& reads,
              BufferSet& writes) {
  for (const loop::Stage& stage : stages) {
    for (const loop::Part& part : stage.parts) writes.insert(part.buffer);
    loop::ForEachLoad(kernel, stage, [&](const loop::Load& load) { reads.insert(load.buffer); });
  }
}

using Parts = std::vector<std::vector<loop::Stage>>;

// A kernel for each part. What flows between them is a parameter of both; buffers keep their ids.
std::vector<loop::Kernel> KernelsOf(const loop::Kernel& kernel, Parts parts) {
  std::vector<BufferSet> reads(parts.size()), writes(parts.size());
  for (size_t n = 0; n < parts.size(); ++n) NoteUses(kernel, parts[n], reads[n], writes[n]);
  std::vector<loop::Kernel> kernels;
  for (size_t n = 0; n < parts.size(); ++n) {
    kernels.push_back(kernel);
    loop::Kernel& part = kernels.back();
    part.name += "_" + std::to_string(n);
    for (int32_t b = 0; b < part.buffers.size(); ++b) {
      loop::BufferId id{b};
      loop::Buffer& buffer = part.buffers[id];
      bool flows = buffer.space == loop::Space::kOut;
      // What an earlier part has stored is there, and what a later one adds to must be.
      for (size_t other = 0; other < parts.size(); ++other)
        flows |= other != n && (reads[other].count(id) > 0 || writes[other].count(id) > 0);
      bool in = reads[n].count(id) && !writes[n].count(id), out = writes[n].count(id) && flows;
      buffer.space = in ? loop::Space::kIn : out ? loop::Space::kOut : loop::Space::kTemporary;
    }
    loop::SetStages(part, std::move(parts[n]));
  }
  return kernels;
}

// Puts a step for each of these in the place of a step, whose kernel was `plain`.
void ReplaceStep(Program& program, size_t step_number, const loop::Kernel& plain,
                 std::vector<loop::Kernel> kernels) {
  const Launch step = std::get<Launch>(program.steps[step_number]);
  std::map<loop::BufferId, BufferId> places;
  std::map<loop::BufferId, Dim> begins;
  for (int32_t b = 0, argument = 0; b < plain.buffers.size(); ++b) {
    if (!IsParameter(plain.buffers[loop::BufferId{b}])) continue;
    if (!step.begins.empty())
      begins[loop::BufferId{b}] = step.begins[static_cast<size_t>(argument)];
    places[loop::BufferId{b}] = step.arguments[static_cast<size_t>(argument++)];
  }
  std::vector<Step> steps;
  for (loop::Kernel& kernel : kernels) {
    Launch part{{}, {}, step.origins, step.place};
    for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
      loop::BufferId id{b};
      const loop::Buffer& buffer = kernel.buffers[id];
      if (!IsParameter(buffer)) continue;
      if (!places.count(id)) {
        places[id] =
            program.buffers.Add({buffer.name, buffer.type.dtype, ElementCount(buffer.type.shape)});
        program.buffers[places[id]].place = step.place;
      }
      part.arguments.push_back(places[id]);
      if (!step.begins.empty()) part.begins.push_back(begins.count(id) ? begins.at(id) : 0);
    }
    loop::DropUnused(kernel);
    part.kernel = program.KernelsAt(step.place).Add({std::move(kernel), {}, {}});
    steps.push_back(std::move(part));
  }
  auto at = program.steps.begin() + static_cast<int64_t>(step_number);
  at = program.steps.erase(at);
  program.steps.insert(at, steps.begin(), steps.end());
}

}  // namespace

void SplitStages(Program& program, size_t step_number) {
  const Launch& step = std::get<Launch>(program.steps[step_number]);
  const loop::Kernel plain = program.KernelsAt(step.place)[step.kernel].plain;
  schedule::Nests nests = schedule::ExtractNests(plain);
  ReplaceStep(program, step_number, plain, KernelsOf(nests.kernel, PartsOf(nests)));
}

void SplitStages(Program& program, size_t step_number, const std::vector<size_t>& counts) {
  const Launch& step = std::get<Launch>(program.steps[step_number]);
  const loop::Kernel plain = program.KernelsAt(step.place)[step.kernel].plain;
  const std::vector<loop::Stage> stages = loop::StagesOf(plain);
  Parts parts;
  auto next = stages.begin();
  for (size_t count : counts) {
    parts.emplace_back(next, next + static_cast<int64_t>(count));
    next = parts.size() < counts.size() ? next + static_cast<int64_t>(count) : next;
  }
  ReplaceStep(program, step_number, plain, KernelsOf(plain, std::move(parts)));
}

std::vector<loop::Kernel> CutStages(const loop::Kernel& plain, size_t count) {
  std::vector<loop::Stage> stages = loop::StagesOf(plain);
  auto cut = stages.begin() + static_cast<int64_t>(count);
  return KernelsOf(plain, {{stages.begin(), cut}, {cut, stages.end()}});
}

void CutStages(Program& program, size_t step_number, size_t count) {
  const Launch& step = std::get<Launch>(program.steps[step_number]);
  const loop::Kernel plain = program.KernelsAt(step.place)[step.kernel].plain;
  std::vector<loop::Kernel> kernels = CutStages(plain, count);
  for (loop::Kernel& kernel : kernels) {
    loop::InlineMaps(kernel);
    schedule::AlignLoops(kernel);
  }
  ReplaceStep(program, step_number, plain, std::move(kernels));
}

int64_t MostBuffersOfAStage(const loop::Kernel& plain) {
  schedule::Nests nests = schedule::ExtractNests(plain);
  size_t most = 0;
  for (const std::vector<loop::Stage>& part : PartsOf(nests)) {
    BufferSet used;
    NoteUses(nests.kernel, part, used, used);
    most = std::max(most, used.size());
  }
  return static_cast<int64_t>(most);
}

bool HasSeveralParts(const loop::Kernel& plain) {
  return PartsOf(schedule::ExtractNests(plain)).size() > 1;
}

}  // namespace webnnc::plan
