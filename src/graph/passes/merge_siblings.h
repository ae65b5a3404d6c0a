#pragma once

#include <vector>

#include "graph/graph.h"
#include "target/machine.h"

namespace webnnc::graph {

// Makes one product of those that multiply the same matrix by different constants, and one sum of
// what is added to them (horizontal fusion, of siblings). Each result is a slice:
//
//   q = matmul(x, wq) + bq             y = matmul(x, [wq wk wv]) + [bq 0 bv]
//   k = matmul(x, wk)            ->    q = y[..., columns of wq]
//   v = matmul(x, wv) + bv             k = y[..., columns of wk], ...
//
// A GPU starts one kernel instead of three that leave most of it idle. Not where a result's users
// would be part of its product's kernel, or need it in memory of its own; and not beyond what keeps
// the machine busy. Matrices may be computed of constants, all in the same way (column_weights.h).
// `graphs` are all of a bundle: equal weights are stored once, so a constant is
// merged everywhere in the same way or not at all.
void MergeSiblings(const std::vector<Graph*>& graphs, const Machine& machine);

}  // namespace webnnc::graph
