// What groups of nodes take, in seconds (NodeGroups): whether to compute again is faster than to
// store.
#include <algorithm>
#include <set>

#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/keep_functions.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "plan/group_nodes.h"
#include "schedule/choose.h"
#include "schedule/element_work.h"

namespace webnnc::plan {

double NodeGroups::Seconds(const Group& group) const {
  loop::Kernel kernel = group.kernel;
  loop::Collapse(kernel);
  return SecondsOf(kernel, TargetOf(group));
}

// What a kernel takes, roughly: if no rule knows, as long as what it reads and writes.
double NodeGroups::SecondsOf(const loop::Kernel& kernel, const Target& target) const {
  return std::max(ScheduledSeconds(kernel, target),
                  BytesOfParameters(kernel) / target.machine->bandwidth) +
         target.machine->launch;
}

// Of the schedule that it gets, by the rule's cost model; 0 without one.
double NodeGroups::ScheduledSeconds(const loop::Kernel& kernel, const Target& target) const {
  auto candidates = schedule::Candidates(kernel, target, sizes_, {1, 0});
  return candidates.empty() ? 0 : candidates[0].seconds;
}

double NodeGroups::BytesOfParameters(const loop::Kernel& kernel) const {
  double bytes = 0;
  for (loop::BufferId parameter : loop::ParametersOf(kernel))
    bytes += BytesOf(kernel.buffers[parameter].type);
  return bytes;
}

double NodeGroups::BytesOf(const TensorType& type) const {
  return sizes_.Typical(ElementCount(type.shape)) * static_cast<double>(BitSize(type.dtype)) / 8;
}

// Whether a kernel multiplies by weights alone. `group` was formed last.
bool NodeGroups::MultipliesWeights(const Group& group) const {
  std::set<loop::BufferId> weights;
  for (const auto& [id, buffer] : buffers) {
    const graph::Node* node = links_.DefinitionOf(id);
    if (node && IsWeight(*node)) weights.insert(buffer);
  }
  const loop::Kernel& kernel = group.kernel;
  auto is_weight = [&](loop::ExprId side) {
    bool loads = false, others = false;
    loop::ForEachExpr(kernel, side, [&](loop::ExprId id) {
      auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
      if (load) (weights.count(load->buffer) ? loads : others) = true;
    });
    return loads && !others;
  };
  for (const loop::Stage& stage : loop::StagesOf(kernel)) {
    auto product = loop::ProductOf(kernel, stage);
    if (product && (is_weight(product->left) || is_weight(product->right))) return true;
  }
  return false;
}

// Whether a GPU's product computes a map when it fills its tiles: for each tile of columns anew.
// What is stored in few bits is better read so. Products of two things that are computed are an
// attention's, of which one pass may be made (TryStream) as long as they are small. `merged` was
// formed last.
bool NodeGroups::FillingIsWorth(const Group& producer, const Group& consumer,
                                const Group& merged) const {
  if (!MultipliesWeights(merged)) return false;
  const DType dtype = graph_.values[ResultsOf(producer)[0]].type.dtype;
  if (IsInteger(dtype) && BitSize(dtype) < 32) return false;
  const Target& target = TargetOf(merged);
  auto seconds_of = [&](const Group& product) {
    loop::Kernel kernel = product.kernel;
    loop::Collapse(kernel);
    const double seconds = ScheduledSeconds(kernel, target);
    if (seconds == 0) return seconds;
    return std::max(seconds, BytesOfParameters(kernel) / target.machine->bandwidth);
  };
  const double filling = seconds_of(merged);
  if (filling == 0) return false;
  const double reading = seconds_of(consumer);
  return reading > 0 && filling <= reading + Seconds(producer);
}

// That a GPU issues.
double NodeGroups::OperationsASecond(const Machine& gpu) {
  return static_cast<double>(gpu.cores) * gpu.clock * gpu.products.warp *
         gpu.products.issued_at_once;
}

// Operations on elements, of all stages, as the kernel will have them.
double NodeGroups::OperationsOf(const Group& group) const {
  loop::Kernel kernel = group.kernel;
  loop::Collapse(kernel);
  if (!TargetOf(group).IsGpu() && group.kind == schedule::Kind::kRows) {
    schedule::AlignLoops(kernel, group.kind);
    loop::KeepFunctions(kernel);
  }
  return schedule::OperationsOf(kernel, CostsOf(group), sizes_);
}

// To write a result and to read it, by a kernel of its own.
double NodeGroups::StoringSeconds(const Group& producer) const {
  const Target& target = TargetOf(producer);
  const Machine& machine = *target.machine;
  const TensorType& type = graph_.values[ResultsOf(producer)[0]].type;
  const double bytes = BytesOf(type);
  if (target.IsGpu()) return machine.launch + 2 * bytes / machine.bandwidth;
  const Machine::Caches& caches = machine.caches;
  const double a_byte = bytes <= caches.l1   ? 0
                        : bytes <= caches.l2 ? caches.from_l2
                        : bytes <= caches.l3 ? caches.from_l3
                                             : caches.from_memory;
  const double instructions = sizes_.Typical(ElementCount(type.shape)) / Machine::kLanes;
  return 2 * (instructions + bytes * a_byte) / machine.clock;
}

// Whether one kernel is faster although it computes elements of the producer's result, or what they
// are made of, several times: for each element that it makes of them, and in each of its stages.
bool NodeGroups::RepeatingIsWorth(const Group& producer, const Group& consumer,
                                  const Group& merged) const {
  const Target& target = TargetOf(merged);
  const Machine& machine = *target.machine;
  const double more = OperationsOf(merged) - OperationsOf(producer) - OperationsOf(consumer);
  const double a_second =
      target.IsGpu() ? OperationsASecond(machine) : machine.clock * Machine::kLanes;
  return more <= a_second * StoringSeconds(producer);
}

}  // namespace webnnc::plan
