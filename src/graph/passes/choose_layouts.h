#pragma once

#include "graph/graph.h"
#include "target/machine.h"

namespace webnnc::graph {

// Decides for each operation on images whether it has its channels first, as ONNX has them, or
// last, where convolutions are fastest: neighbouring channels are multiplied by neighbouring
// weights, and vectors hold them.
//
// Operations with a choice, the edges between them and what each choice costs make a graph whose
// minimum cut is the cheapest assignment. A convolution with channels first costs the time it is
// slower by; a value that is made in one layout and used in the other costs the time of moving its
// elements. Values with one channel or one pixel move for nothing. Inputs, outputs and operations
// that mix dimensions have their channels first. What the model transposes itself, from pixels that
// are tokens to an image or back, is last on the other side of the transpose.
//
// What is left to do after this is written as transposes of operands and results, which Simplify
// merges and kernels read through. All targets share the graph: `machine` says what things cost.
void ChooseLayouts(Graph& graph, const Machine& machine);

}  // namespace webnnc::graph
