// If and Loop: what their bodies must be, and the types of their results.
#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

Result<Types> InferIf(const If& op, const Types& operands, const std::vector<Graph>& bodies);
Result<Types> InferLoop(const Loop& op, const Types& operands, const std::vector<Graph>& bodies);

// The symbols that the nodes of a graph set, and those of all bodies in it.
void CollectDefined(const Graph& graph, std::set<std::string>& into);

// What is assumed of every run of a graph: its own assumptions and those of loops' bodies, but not
// of branches, of which a run takes one.
std::vector<Assumption> AssumedAlways(const Graph& graph);

// What an operation's symbols become when it sets them: the sizes of one body's outputs, for an If
// of its branch and for a Loop of an iteration. One size for each of `symbols` that it sets there.
std::map<std::string, Dim> SizesAtEnd(const Graph& graph, const Node& node, size_t body);
// And those of a Loop at the start, of its initial values.
std::map<std::string, Dim> SizesAtStart(const Graph& graph, const Node& node);

}  // namespace webnnc::graph
