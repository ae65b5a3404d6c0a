#pragma once

#include "graph/graph.h"
#include "plan/program.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Groups the graph's nodes into kernels for a target and lowers each group to one plain kernel.
//
// Every node starts as a group of its own. A group is merged into the one that uses its result if
// nobody else does, if what comes out is something that a rule can schedule (schedule::Classify),
// and if it saves more than it costs: see `Worth` in the source for what is counted. What only
// moves elements, and scalars, are copied into every user. Reshapes that are left become nothing at
// all: their result is their operand's buffer.
//
// Products around a softmax are one kernel where that is no slower than three: one pass over the
// keys of each query (loop::StreamRows).
//
// `weights` receives the constants that kernels read. Of a state that is appended
// (graph::AppendStates) input and output are one buffer: what makes the new part writes it behind
// what is there.
Program FormKernels(const graph::Graph& graph, const Target& target,
                    IdVector<WeightTag, Weight>& weights,
                    const std::vector<graph::State>& states = {}, const LikelySizes& sizes = {});

}  // namespace webnnc::plan
