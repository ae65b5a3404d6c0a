#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// The least or largest value of an integer tensor.
struct Bound {
  Dim value;
  // Some element has it, in every run.
  bool exact = false;
};

// An input's elements, moved and shifted by `shift`; every one of them is there.
struct Source {
  size_t input = 0;
  int64_t shift = 0;
};

// What is known of a tensor whatever a run is given.
struct Known {
  std::optional<Bound> low, high;
  std::optional<Source> source;
};

// What is known of each value, by its id, told from the operations that make it. Of a body, whose
// inputs are no sources, with what is known of them.
std::vector<Known> KnownOf(const Graph& graph);
std::vector<Known> KnownOf(const Graph& body, const std::vector<Known>& inputs);

// Of some of the elements: bounds hold for them, too, but may be no element's then.
Known Inexact(Known known);

}  // namespace webnnc::graph
