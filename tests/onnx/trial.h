// A test case made ready to compile: its model, what to feed it and what must come out.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "tests/onnx/cases.h"

namespace webnnc {

struct Trial {
  std::string model;
  graph::Graph graph;
  // Inputs are as graph.inputs, outputs as graph.outputs.
  std::vector<DataSet> sets;
  // Results are random, by a generator that ONNX does not name.
  bool draws = false;
};

// Errors say why the case is not supported.
Result<Trial> PrepareTrial(const TestCase& test);

// "", or what is wrong with the outputs of set `set`. Of those that are drawn, types are compared,
// and that elements are 0 or 1 as all of ONNX's cases have it.
std::string Judge(const Trial& trial, size_t set, const std::vector<Tensor>& outputs,
                  const Tolerance& tolerance = {});

}  // namespace webnnc
