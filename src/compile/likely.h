#pragma once

#include "base/result.h"
#include "graph/graph.h"
#include "tensor/likely_sizes.h"
#include "webnnc/compiler.h"

namespace webnnc {

// What the sizes that inputs leave open are likely to be: what --dim says, else by habit: batches
// are small, and 1 most of the time; other sizes are some hundreds. An error if --dim names no open
// size.
Result<LikelySizes> LikelySizesOf(const CompileOptions& options, const graph::Graph& graph);

}  // namespace webnnc
