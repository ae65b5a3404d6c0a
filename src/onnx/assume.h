// What an operation needs of sizes that cannot be told now is assumed, and checked when the model
// runs.
//
//   %y = add(%x: f32[b,seq,4], %t: f32[1,min(40,seq),4])
//     ->   assume min(40,seq) == seq
//          %t.2: f32[1,seq,4] = refine(%t)
//          %y = add(%x, %t.2)
//
// Operands are refined to the simplest of the sizes that must be equal: a number, else a symbol,
// else the shortest expression. So what is computed from them later has simple sizes, too.
//
// Where ONNX broadcasts, sizes that have nothing to do with each other may also differ, if one of
// them is 1 in a run. Then operands are expanded to what the sizes broadcast to:
//
//   %y = add(%a: f32[n,4], %b: f32[m,4])
//     ->   assume n == m, or one of them is 1
//          %a.2: f32[broadcast(m,n),4] = expand(%a)
//          %b.2: f32[broadcast(m,n),4] = expand(%b)
//          %y = add(%a.2, %b.2)
//
// A size that has been broadcast meets others as the sizes that it is made of, so assumptions are
// about pairs of these, and a size meets itself for nothing: %y + %a assumes no more.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace webnnc::onnx {

// Gives the operands that `op` takes instead. What cannot be equal stays as it is, and is found out
// by inference. `origin` is the ONNX node.
std::vector<graph::ValueId> Reconcile(graph::Graph& graph, graph::Builder& build,
                                      const graph::Op& op, std::vector<graph::ValueId> operands,
                                      const std::string& origin);

// Whether sizes that broadcast must be equal, as far as it matters: numbers differ or they do not,
// what is never 1 needs its like, and sizes made of the same symbols are meant to be equal if they
// can be: then they differ only in degenerate runs, such as one of an image of a single pixel.
bool MustBeEqual(const Dim& a, const Dim& b);

// What the two sizes broadcast to, with assumptions that they do.
Dim AssumeBroadcast(graph::Graph& graph, const Dim& a, const Dim& b, const std::string& origin);

// What has been assumed of sizes that were broadcast, such as broadcast(m,n) == n. An import that
// knows it from the start needs no size but n there.
std::vector<Assumption> EqualBroadcasts(const graph::Graph& graph);

// Notes an assumption, unless it has been noted before.
void Assume(graph::Graph& graph, Assumption assumption);

}  // namespace webnnc::onnx
