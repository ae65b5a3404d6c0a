#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// An attention as the operations that it is made of: a product, what is done to its elements, a
// softmax, and a product.
//
//   attention(q, k, v, mask, scale=s)
//     ->  matmul(softmax(add(mul(matmul(q, transpose(k)), s), mask)), v)
//
// Heads that share keys and values are a dimension of their own, along which those broadcast, so
// nothing is repeated.
ValueId Expand(const Attention& op, Builder& build, const std::vector<ValueId>& operands,
               const std::string& name);

}  // namespace webnnc::graph
