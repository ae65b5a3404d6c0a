// Plain kernels as the list of stages that they are.
#pragma once

#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

struct StageLoop {
  VarId var;
  Dim extent;
};

// Serial loops, outermost first, around one store.
struct Stage {
  std::vector<StageLoop> loops;
  Store store;
};

std::vector<Stage> StagesOf(const Kernel& plain);
void SetStages(Kernel& kernel, std::vector<Stage> stages);

// Takes out the stage's loops that run once.
void DropUnitLoops(Kernel& kernel, Stage& stage);

// Whether the stage combines several iterations into one element.
bool IsReduction(const Stage& stage);

}  // namespace webnnc::loop
