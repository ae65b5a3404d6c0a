// The bytes of out/.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "plan/program.h"

namespace webnnc::bundle {

// The files of a bundle, by name. model.weights.bin is written from the weights themselves.
struct File {
  std::string name, bytes;
};

// Gives the weights that any of the programs reads their place in the file, and no others.
void PlaceWeights(const std::vector<const plan::Program*>& programs, IdVector<plan::WeightTag, plan::Weight>& weights);

Status WriteWeights(const IdVector<plan::WeightTag, plan::Weight>& weights, const std::string& path);

// The names of all files that a bundle may hold.
std::vector<std::string> FileNames();

}  // namespace webnnc::bundle
