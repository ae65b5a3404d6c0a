// Plain kernels as the list of stages that they are.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

struct StageLoop {
  VarId var;
  Dim extent;
  friend bool operator==(const StageLoop&, const StageLoop&) = default;
};

// Serial loops, outermost first, around one store.
struct Stage {
  std::vector<StageLoop> loops;
  Store store;
  // The ordered loop that the stage stands in, together with its neighbours that have the same: all
  // of them run in each iteration, one after another.
  std::optional<StageLoop> ordered = std::nullopt;
};

std::vector<Stage> StagesOf(const Kernel& plain);
void SetStages(Kernel& kernel, std::vector<Stage> stages);

// Takes out the stage's loops that run once.
void DropUnitLoops(Kernel& kernel, Stage& stage);

// Whether the stage combines several iterations into one element.
bool IsReduction(const Stage& stage);

bool IsOrdered(const std::vector<Stage>& stages);

// Calls `visit` for each different load of the stage, in its value and in the place it stores to.
void ForEachLoad(const Kernel& kernel, const Stage& stage,
                 const std::function<void(const Load&)>& visit);

}  // namespace webnnc::loop
