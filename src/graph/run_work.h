// How much there is to do for a run of a graph, by the sizes of its inputs.
#pragma once

#include "graph/graph.h"

namespace webnnc::graph {

// Of a graph and its bodies, each as often as its loop runs.
class RunWork {
 public:
  explicit RunWork(const Graph& graph);

  // Iterations times expressions, as of EvaluationBudget. Symbols without a value count as 1.
  double Steps(const SymbolValues& sizes) const;
  // How many sizes of values are 0 or less.
  int64_t Empty(const SymbolValues& sizes) const;

 private:
  // So many expressions in loops of these extents.
  struct Part {
    double expressions;
    std::vector<Dim> extents;
  };
  void Collect(const Graph& graph, const std::vector<Dim>& around);
  SymbolValues Completed(SymbolValues sizes) const;

  std::vector<Part> parts_;
  std::set<Dim> sizes_;
  std::set<std::string> symbols_;
};

}  // namespace webnnc::graph
