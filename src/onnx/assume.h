// What an operation needs of sizes that cannot be told now is assumed, and checked when the model
// runs.
//
//   %y = add(%x: f32[b,seq,4], %t: f32[1,min(40,seq),4])
//     ->   assume min(40,seq) == seq
//          %t.2: f32[1,seq,4] = refine(%t)
//          %y = add(%x, %t.2)
//
// Operands are refined to the simplest of the sizes that must be equal: a number, else a symbol,
// else the shortest expression. So what is computed from them later has simple sizes, too. Where
// ONNX broadcasts, a size that is not known is taken for what it meets, not for 1.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace webnnc::onnx {

// Gives the operands that `op` takes instead. What cannot be equal stays as it is, and is found out
// by inference. `origin` is the ONNX node.
std::vector<graph::ValueId> Reconcile(graph::Graph& graph, graph::Builder& build,
                                      const graph::Op& op, std::vector<graph::ValueId> operands,
                                      const std::string& origin);

// Notes an assumption, unless it has been noted before.
void Assume(graph::Graph& graph, Assumption assumption);

}  // namespace webnnc::onnx
