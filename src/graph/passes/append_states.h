#pragma once

#include "graph/graph.h"
#include "graph/state.h"

namespace webnnc::graph {

// A state that a run adds to, behind what is there, is laid out so that it can be appended in
// place:
//
//   input %past: f32[batch,8,p,64]              input %past.t: f32[p,batch,8,64]
//   %y = concat(%past, %new, axis=2)      ->    %new.t = transpose(%new, order=[2,0,1,3])
//   output %y                                   %y.t = concat(%past.t, %new.t, axis=0)
//                                               output %y.t
//
// With the axis that grows first, what is added is behind all else in memory, and no stride depends
// on how much there is. Whatever reads %past or %y reads a transpose of it, which its kernel takes
// in. plan::FormKernels lets input and output be one buffer, of which the concat writes the end.
//
// Sets `kept`, `axis` and `reason` of these states. Says whether any is appended.
bool AppendStates(Graph& graph, std::vector<State>& states);

}  // namespace webnnc::graph
