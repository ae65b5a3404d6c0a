// Which variants a model gets, and their programs.
#pragma once

#include "base/result.h"
#include "compile/code.h"
#include "graph/graph.h"
#include "plan/schedule_kernels.h"

namespace webnnc {

// What each kind of target computes; null where none of that kind was asked for.
struct Graphs {
  const graph::Graph *wasm = nullptr, *webgpu = nullptr;
};

// Forms the programs of all variants that there are for the graphs and whose features these make
// use of (plan::kVariants). What no GPU can compute is warned of, or an error if there are no
// variants for the CPU. `machine` is the GPU's.
Status FormVariants(Code& code, const Graphs& graphs, const Machine& machine,
                    const plan::Warn& warn);

// Gives every kernel of every variant its schedule. A schedule of `measured` goes before the
// compiler's own.
Status ScheduleVariants(Code& code, const schedule::Database& measured, const plan::Warn& warn);

}  // namespace webnnc
