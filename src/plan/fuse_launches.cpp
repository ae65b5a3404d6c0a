#include "plan/fuse_launches.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/inline_maps.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/merge_kernels.h"
#include "schedule/choose.h"
#include "schedule/classify.h"

namespace webnnc::plan {

namespace {

using loop::ExprId;

// The last stage of a kernel, if it is a map whose loops are its result's dimensions, in order, and
// nothing else is a result.
std::optional<loop::Stage> MapOf(const loop::Kernel& kernel) {
  std::vector<loop::Stage> stages = loop::StagesOf(kernel);
  if (stages.empty() || loop::IsOrdered(stages) || stages.back().kind != loop::StageKind::kMap)
    return std::nullopt;
  const loop::Stage map = std::move(stages.back());
  stages.pop_back();
  for (const loop::Stage& stage : stages) {
    for (const loop::Part& part : stage.parts) {
      if (kernel.buffers[part.buffer].space != loop::Space::kTemporary) return std::nullopt;
    }
  }
  if (map.place.size() != map.loops.size()) return std::nullopt;
  for (size_t d = 0; d < map.place.size(); ++d) {
    if (loop::VariableOf(kernel, map.place[d]) != map.loops[d].var) return std::nullopt;
  }
  return map;
}

// What a launch gives for each parameter of its kernel.
std::map<loop::BufferId, BufferId> ArgumentsOf(const loop::Kernel& kernel, const Launch& launch) {
  std::map<loop::BufferId, BufferId> arguments;
  std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel);
  for (size_t p = 0; p < parameters.size(); ++p) arguments[parameters[p]] = launch.arguments[p];
  return arguments;
}

// A kernel with a map before it, and with what that map is of.
class Joiner {
 public:
  Joiner(const loop::Kernel& map_kernel, const Launch& map, const loop::Kernel& rows_kernel,
         const Launch& rows)
      : from_(map_kernel), from_arguments_(ArgumentsOf(map_kernel, map)), to_(rows_kernel) {
    arguments_ = ArgumentsOf(to_, rows);
  }

  // `kept`: whether the map's result is needed elsewhere. Fails where shapes differ in a way that
  // indices cannot follow.
  bool Run(const loop::Stage& map, bool kept) {
    const BufferId result = from_arguments_.at(map.buffer());
    const auto read = std::find_if(arguments_.begin(), arguments_.end(),
                                   [&](const auto& entry) { return entry.second == result; });
    CHECK(read != arguments_.end());
    const loop::BufferId parameter = read->first;
    const TensorType type = to_.buffers[parameter].type;
    const loop::BufferId value = to_.buffers.Add({"value", type, loop::Space::kTemporary});
    loop::Builder build(to_);

    loop::Stage compute;
    loop::Index place;
    for (const Dim& extent : type.shape) {
      loop::VarId var = to_.vars.Add({"v"});
      compute.loops.push_back({var, extent});
      place.push_back(build.Var(var));
    }
    if (!PlaceVariables(map, type.shape, place, build)) return false;
    compute.place = place;
    compute.parts = {{value, Import(map.value()), {}}};

    std::vector<loop::Stage> stages = ImportStagesBefore(map);
    const auto ahead = static_cast<int64_t>(stages.size());
    for (loop::Stage& stage : loop::StagesOf(to_)) stages.push_back(std::move(stage));
    loop::ExprRewriter read_value(to_, [&](ExprId id, ExprId) {
      loop::Expr expr = to_.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load || load->buffer != parameter) return id;
      load->buffer = value;
      return to_.exprs.Add(std::move(expr));
    });
    for (loop::Stage& stage : stages) loop::RewriteRoots(stage, read_value);
    if (kept) {
      to_.buffers[parameter].space = loop::Space::kOut;
      std::unordered_map<loop::VarId, ExprId> renamed;
      loop::Stage store = compute;
      for (loop::StageLoop& loop : store.loops) {
        loop::VarId var = to_.vars.Add({"v"});
        renamed[loop.var] = build.Var(var);
        loop.var = var;
      }
      loop::Substitution rename(to_, std::move(renamed));
      loop::Index at;
      for (ExprId index : place) at.push_back(rename(index));
      store.place = at;
      store.parts = {{parameter, build.Load(value, at), {}}};
      stages.insert(stages.begin() + ahead, std::move(store));
    } else {
      to_.buffers[parameter].space = loop::Space::kTemporary;
      arguments_.erase(parameter);
    }
    stages.insert(stages.begin() + ahead, std::move(compute));
    loop::SetStages(to_, std::move(stages));
    to_.name = from_.name + "_" + to_.name;
    return true;
  }

  loop::Kernel& kernel() { return to_; }

  std::vector<BufferId> Arguments() const {
    std::vector<BufferId> arguments;
    for (loop::BufferId parameter : loop::ParametersOf(to_))
      arguments.push_back(arguments_.at(parameter));
    return arguments;
  }

 private:
  // What the map's variables are at `place`: the same dimensions, but for the first, which may run
  // through several.
  bool PlaceVariables(const loop::Stage& map, const Shape& shape, const loop::Index& place,
                      loop::Builder& build) {
    const Shape& own = from_.buffers[map.buffer()].type.shape;
    size_t same = 0;
    while (same < own.size() && same < shape.size() &&
           own[own.size() - 1 - same] == shape[shape.size() - 1 - same])
      ++same;
    for (size_t d = 0; d < same; ++d)
      variables_[map.loops[own.size() - 1 - d].var] = place[shape.size() - 1 - d];
    if (same == own.size() && same == shape.size()) return true;
    if (same + 1 != own.size()) return false;
    const Shape outer(shape.begin(), shape.end() - static_cast<int64_t>(same));
    if (map.loops[0].extent != ElementCount(outer)) return false;
    ExprId at = build.Int(0);
    for (size_t d = 0; d < outer.size(); ++d)
      at = build.Add(build.Mul(at, build.Size(outer[d])), place[d]);
    variables_[map.loops[0].var] = at;
    return true;
  }

  // What the map is of.
  std::vector<loop::Stage> ImportStagesBefore(const loop::Stage& map) {
    std::vector<loop::Stage> stages = loop::StagesOf(from_);
    CHECK(stages.back().buffer() == map.buffer());
    stages.pop_back();
    loop::Builder build(to_);
    for (loop::Stage& stage : stages) {
      for (loop::StageLoop& loop : stage.loops) {
        loop::VarId var = to_.vars.Add(from_.vars[loop.var]);
        variables_[loop.var] = build.Var(var);
        loop.var = var;
      }
      for (ExprId& index : stage.place) index = Import(index);
      for (loop::Part& part : stage.parts) {
        part.buffer = ImportBuffer(part.buffer);
        part.term = Import(part.term);
        if (part.start.valid()) part.start = Import(part.start);
      }
    }
    return stages;
  }

  // An expression of the map's kernel in that of rows.
  ExprId Import(ExprId id) {
    auto [found, is_new] = imported_.emplace(id, ExprId());
    if (!is_new) return found->second;
    loop::Expr expr = from_.exprs[id];
    if (auto* variable = std::get_if<loop::Variable>(&expr.node))
      return imported_[id] = variables_.at(variable->var);
    std::vector<ExprId> operands;
    for (ExprId operand : loop::Operands(expr)) operands.push_back(Import(operand));
    expr = loop::WithOperands(std::move(expr), operands);
    if (auto* load = std::get_if<loop::Load>(&expr.node)) load->buffer = ImportBuffer(load->buffer);
    return imported_[id] = to_.exprs.Add(std::move(expr));
  }

  loop::BufferId ImportBuffer(loop::BufferId id) {
    auto [found, is_new] = buffers_.emplace(id, loop::BufferId());
    if (is_new) {
      found->second = to_.buffers.Add(from_.buffers[id]);
      if (IsParameter(from_.buffers[id])) arguments_[found->second] = from_arguments_.at(id);
    }
    return found->second;
  }

  const loop::Kernel& from_;
  std::map<loop::BufferId, BufferId> from_arguments_;
  loop::Kernel to_;
  std::map<loop::BufferId, BufferId> arguments_;
  std::map<loop::VarId, ExprId> variables_;
  std::map<ExprId, ExprId> imported_;
  std::map<loop::BufferId, loop::BufferId> buffers_;
};

class Fuser {
 public:
  Fuser(Program& program, const LikelySizes& sizes) : program_(program), sizes_(sizes) {}

  void Run() {
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      if (TryStep(s)) {
        program_.steps.erase(program_.steps.begin() + static_cast<int64_t>(s));
        --s;
      }
    }
    MergeKernels(program_);
  }

 private:
  const Launch* LaunchAt(size_t s) const {
    auto* launch = std::get_if<Launch>(&program_.steps[s]);
    bool plain = launch && launch->place == Place::kDevice && launch->begins.empty();
    return plain ? launch : nullptr;
  }

  // Joins step `s` to the first that reads its result, if it may.
  bool TryStep(size_t s) {
    const Launch* map = LaunchAt(s);
    if (!map) return false;
    const loop::Kernel& kernel = program_.kernels[map->kernel].plain;
    auto stage = MapOf(kernel);
    if (!stage) return false;
    const std::map<loop::BufferId, BufferId> arguments = ArgumentsOf(kernel, *map);
    const auto stored = arguments.find(stage->buffer());
    // A stage of its own may be one whose result nothing reads, since there are no elements.
    if (stored == arguments.end()) return false;
    const BufferId result = stored->second;
    if (program_.buffers[result].kind != BufferKind::kActivation &&
        program_.buffers[result].kind != BufferKind::kOutput)
      return false;
    std::set<BufferId> used(map->arguments.begin(), map->arguments.end());
    for (size_t t = s + 1; t < program_.steps.size(); ++t) {
      const Launch* rows = LaunchAt(t);
      if (!rows) return false;
      if (std::count(rows->arguments.begin(), rows->arguments.end(), result))
        return TryJoin(*stage, s, t, result);
      if (Writes(*rows, used)) return false;
    }
    return false;
  }

  bool Writes(const Launch& launch, const std::set<BufferId>& buffers) const {
    const loop::Kernel& kernel = program_.kernels[launch.kernel].plain;
    for (const auto& [parameter, argument] : ArgumentsOf(kernel, launch)) {
      if (kernel.buffers[parameter].space == loop::Space::kOut && buffers.count(argument))
        return true;
    }
    return false;
  }

  bool TryJoin(const loop::Stage& stage, size_t s, size_t t, BufferId result) {
    const Launch &map = *LaunchAt(s), &rows = *LaunchAt(t);
    const loop::Kernel& to = program_.kernels[rows.kernel].plain;
    if (Writes(rows, {result})) return false;
    const loop::Kernel& from = program_.kernels[map.kernel].plain;
    const bool is_map = loop::StagesOf(from).size() == 1, is_needed = IsNeeded(result, s, t);
    const bool inlines = !is_map || (!is_needed && ReadsOnce(to, ParameterOf(to, rows, result)));
    schedule::Kind kind = inlines ? schedule::Kind::kMap : schedule::Kind::kRows;
    const schedule::Kind reads = schedule::Classify(to);
    const bool sums = reads == schedule::Kind::kReduction || reads == schedule::Kind::kContraction;
    const bool are_rows = !is_needed && sums && schedule::Classify(from) == schedule::Kind::kRows;
    if (is_map ? reads != kind : !are_rows) return false;
    // A parameter is one buffer once (MergeKernels).
    for (BufferId argument : map.arguments) {
      bool shared =
          argument != result && std::count(rows.arguments.begin(), rows.arguments.end(), argument);
      if (shared) return false;
    }
    Joiner joiner(from, map, to, rows);
    if (!joiner.Run(stage, IsNeeded(result, s, t))) return false;
    loop::Kernel& joined = joiner.kernel();
    if (inlines && !loop::InlineMapsUpTo(joined, loop::kLargestExpr)) return false;
    const Machine& machine = *program_.target.machine;
    if (static_cast<int64_t>(loop::ParametersOf(joined).size()) > machine.max_buffers) return false;
    if (!is_map) {
      kind = schedule::Classify(joined);
      if (!IsFaster(joined, s, t)) return false;
    } else if (schedule::Classify(joined) != kind ||
               !(inlines || IsWorth(program_.buffers[result].dtype, joined))) {
      return false;
    }
    schedule::AlignLoops(joined, kind);
    Launch launch{{}, joiner.Arguments(), map.origins, Place::kDevice};
    for (const std::string& origin : rows.origins) {
      if (!std::count(launch.origins.begin(), launch.origins.end(), origin))
        launch.origins.push_back(origin);
    }
    loop::DropUnused(joined);
    launch.kernel = program_.kernels.Add({std::move(joined), {}, {}});
    program_.steps[t] = std::move(launch);
    return true;
  }

  static loop::BufferId ParameterOf(const loop::Kernel& kernel, const Launch& launch,
                                    BufferId argument) {
    for (const auto& [parameter, given] : ArgumentsOf(kernel, launch)) {
      if (given == argument) return parameter;
    }
    CHECK(false);
  }

  // Whether a kernel is a map that reads as many elements as the parameter has, so that computing
  // them there is no more work than reading them.
  static bool ReadsOnce(const loop::Kernel& kernel, loop::BufferId parameter) {
    std::vector<loop::Stage> stages = loop::StagesOf(kernel);
    if (stages.size() != 1) return false;
    int reads = 0;
    loop::ForEachLoad(kernel, stages[0],
                      [&](const loop::Load& load) { reads += load.buffer == parameter; });
    return reads == 1 &&
           loop::IterationsOf(stages[0]) == ElementCount(kernel.buffers[parameter].type.shape);
  }

  // Whether anything but these two steps uses the buffer.
  bool IsNeeded(BufferId buffer, size_t s, size_t t) const {
    if (program_.buffers[buffer].kind == BufferKind::kOutput) return true;
    for (size_t other = 0; other < program_.steps.size(); ++other) {
      if (other == s || other == t) continue;
      std::vector<BufferId> used = BuffersOf(program_.steps[other]);
      if (std::count(used.begin(), used.end(), buffer)) return true;
    }
    return false;
  }

  // Whether a kernel that computes rows where it sums them up takes no longer than both. Of the
  // first that must be known.
  bool IsFaster(const loop::Kernel& joined, size_t s, size_t t) const {
    const Machine& machine = *program_.target.machine;
    auto scheduled = [&](const loop::Kernel& kernel) {
      const auto candidates = schedule::Candidates(kernel, program_.target, sizes_, {1, 0});
      return candidates.empty() ? 0 : candidates[0].seconds;
    };
    auto apart = [&](size_t step) {
      const loop::Kernel& kernel = program_.kernels[LaunchAt(step)->kernel].plain;
      double bytes = 0;
      for (loop::BufferId parameter : loop::ParametersOf(kernel)) {
        const TensorType& type = kernel.buffers[parameter].type;
        bytes +=
            sizes_.Typical(ElementCount(type.shape)) * static_cast<double>(BitSize(type.dtype)) / 8;
      }
      return std::max(scheduled(kernel), bytes / machine.bandwidth) + machine.launch;
    };
    const double together = scheduled(joined);
    return together > 0 && together + machine.launch <= apart(s) + apart(t);
  }

  // A row's workgroup does for the row what the whole machine did. That must take no longer than
  // the launch that is saved, and there must be a schedule for rows.
  bool IsWorth(DType dtype, const loop::Kernel& joined) const {
    const Machine& machine = *program_.target.machine;
    loop::Kernel aligned = joined;
    size_t rows = schedule::AlignLoops(aligned, schedule::Kind::kRows).size();
    std::vector<loop::Stage> stages = loop::StagesOf(aligned);
    double length = 1;
    for (size_t l = rows; l < stages[0].loops.size(); ++l)
      length *= sizes_.Typical(stages[0].loops[l].extent);
    double operands = static_cast<double>(loop::ParametersOf(joined).size());
    double bytes = length * operands * static_cast<double>(ByteSize(dtype));
    if (bytes / machine.bandwidth * static_cast<double>(machine.cores) > machine.launch)
      return false;
    return !schedule::Candidates(joined, program_.target, sizes_, {1, 0}).empty();
  }

  Program& program_;
  const LikelySizes& sizes_;
};

}  // namespace

void FuseLaunches(Program& program, const LikelySizes& sizes) { Fuser(program, sizes).Run(); }

}  // namespace webnnc::plan
