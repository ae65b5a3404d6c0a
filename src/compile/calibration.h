// What a model is run on while it is compiled, to tell what quantising does to its results.
#pragma once

#include <vector>

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// A tensor for each input of the graph, in order.
using Sample = std::vector<Tensor>;

// The file that a value of --calibrate names, and the input that it is for: "image=x.npy" or, where
// there is one input, "x.npy". Nothing if that is not said.
struct CalibrationFile {
  size_t input = 0;
  std::string path;
};
std::optional<CalibrationFile> CalibrationFileOf(const std::string& text,
                                                 const graph::Graph& graph);

// The samples in --calibrate's files: the first of each input, the second of each, and so on; of an
// input that has one file, this with all. None if there are no files.
Result<std::vector<Sample>> SamplesOf(const Model& model);

// One that is made up, of the sizes that are likely: floats as if drawn from a normal distribution,
// integers that index tables from what these have, bytes from all, and ones.
Sample MadeUpSample(const Model& model);

}  // namespace webnnc
