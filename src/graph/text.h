// The text form of the graph IR. Parse(Print(g)) is g, up to value ids and origins.
//
//   graph @head(%x: f32[n,64]) {
//     %w: f32[64,10] = constant(random=1)
//     %1: f32[n,10] = matmul(%x, %w)
//     %2: f32[n,10] = relu(%1)
//     %y: f32[n,10] = softmax(%2, axes=[1])
//     return probabilities=%y
//   }
//
// An attribute that has its default value is not printed. Ports are named where their name is not
// the value's. A constant prints its elements, values=[...], up to 16 of them; a larger one prints
// elided="its name", which cannot be parsed back. random=SEED makes up elements, for tests.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/graph.h"

namespace webnnc::graph {

std::string Print(const Graph& graph);
Result<Graph> Parse(std::string_view text);
Result<Graph> Parse(Lexer& lexer);

}  // namespace webnnc::graph
