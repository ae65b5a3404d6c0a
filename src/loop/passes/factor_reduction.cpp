#include "loop/passes/factor_reduction.h"

#include <algorithm>

#include "loop/builder.h"
#include "loop/passes/inline_maps.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// Parts up to which a sum of them is written out.
constexpr int64_t kMostWritten = 8;

// The kernel's only reduction among its stages, and the loop of it that is cut.
struct Found {
  size_t stage, loop;
};

std::optional<Found> Find(const Kernel& kernel, const std::vector<Stage>& stages) {
  std::optional<Found> found;
  for (size_t s = 0; s < stages.size(); ++s) {
    const Stage& stage = stages[s];
    if (!IsReduction(stage)) continue;
    if (found || stage.parts.size() != 1 || stage.ordered) return std::nullopt;
    // What is stored in fewer bits than terms have would lose them twice.
    if (kernel.buffers[stage.buffer()].type.dtype != kernel.exprs[stage.value()].dtype)
      return std::nullopt;
    found = {s, stage.loops.size()};
    int64_t longest = 0;
    for (size_t l = 0; l < stage.loops.size(); ++l) {
      const StageLoop& loop = stage.loops[l];
      if (Names(kernel, stage, loop.var) || !loop.extent.IsConstant()) continue;
      if (loop.extent.value() > longest) found->loop = l;
      longest = std::max(longest, loop.extent.value());
    }
    if (longest == 0) return std::nullopt;
  }
  return found;
}

}  // namespace

std::optional<int64_t> FactorableLength(const Kernel& plain) {
  std::vector<Stage> stages = StagesOf(plain);
  auto found = Find(plain, stages);
  if (!found) return std::nullopt;
  return stages[found->stage].loops[found->loop].extent.value();
}

void FactorReduction(Kernel& kernel, int64_t parts) {
  std::vector<Stage> stages = StagesOf(kernel);
  auto found = Find(kernel, stages);
  CHECK(found);
  Stage& stage = stages[found->stage];
  StageLoop& cut = stage.loops[found->loop];
  CHECK(cut.extent.value() % parts == 0);
  const Dim length = cut.extent.value() / parts;
  const Buffer result = kernel.buffers[stage.buffer()];
  TensorType type = result.type;
  type.shape.insert(type.shape.begin(), parts);
  BufferId partial = kernel.buffers.Add({"parts", type, Space::kTemporary});
  const VarId part = kernel.vars.Add({"p"});
  Builder build(kernel);

  const Scalar neutral = Neutral(stage.update, type.dtype);
  const Scalar* start = build.ConstantValue(stage.parts[0].start);
  auto load = [&](ExprId which) {
    Index at = stage.place;
    at.insert(at.begin(), which);
    return build.Load(partial, at);
  };
  Stage combine;
  if (parts <= kMostWritten) {
    std::optional<ExprId> whole;
    if (!start || !(*start == neutral)) whole = stage.parts[0].start;
    for (int64_t p = 0; p < parts; ++p) {
      ExprId value = load(build.Int(p));
      whole = whole ? Combine(kernel, stage.update, *whole, value) : value;
    }
    combine = MapStage(PlaceLoops(kernel, stage), {stage.buffer(), stage.place, *whole});
  } else {
    const VarId p = kernel.vars.Add({"p"});
    combine = stage;
    combine.loops = PlaceLoops(kernel, stage);
    combine.loops.push_back({p, parts});
    combine.parts[0].term = load(build.Var(p));
  }

  Substitution at(
      kernel,
      {{cut.var, build.Add(build.Mul(build.Var(part), build.Size(length)), build.Var(cut.var))}});
  stage.parts[0] = {partial, at(stage.value()), build.Constant(neutral)};
  stage.place.insert(stage.place.begin(), build.Var(part));
  cut.extent = length;
  stage.loops.insert(stage.loops.begin(), {part, parts});
  stages.insert(stages.begin() + static_cast<int64_t>(found->stage) + 1, std::move(combine));
  SetStages(kernel, std::move(stages));
  InlineMaps(kernel);
}

}  // namespace webnnc::loop
