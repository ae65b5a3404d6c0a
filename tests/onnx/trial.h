// A test case made ready to compile: its model, what to feed it and what must come out.
//
// Node tests feed everything as an input, also what models that people have hold as constants: the
// shape of a Reshape, the axes of a reduction. Where a model cannot be imported because of that,
// its inputs but the first become constants, and if that is not enough all of them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "tests/onnx/cases.h"

namespace webnnc {

struct Trial {
  // The case's own model, or a copy in the work folder with inputs made constants.
  std::string model;
  graph::Graph graph;
  // Inputs are as graph.inputs, outputs as graph.outputs.
  std::vector<DataSet> sets;
  // Results are random, by a generator that ONNX does not name.
  bool draws = false;
};

// Errors say why the case is not supported. A copy of the model, if one is made, is
// `work`/model.onnx; none is where the model is to be compiled `as_written`.
Result<Trial> PrepareTrial(const TestCase& test, const std::string& work, bool as_written = false);

// "", or what is wrong with the outputs of set `set`. Of those that are drawn, types are compared,
// and that elements are 0 or 1 as all of ONNX's cases have it.
std::string Judge(const Trial& trial, size_t set, const std::vector<Tensor>& outputs,
                  const Tolerance& tolerance = {});

}  // namespace webnnc
