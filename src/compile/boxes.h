// What --boxes says: that an output holds a detector's boxes, and how they are read. The page that
// runs the model draws them so; what cannot be read off shapes and values, only the author knows.
#pragma once

#include <map>
#include <string>

#include "bundle/contents.h"
#include "graph/graph.h"
#include "webnnc/compiler.h"

namespace webnnc {

// By the names of the outputs that hold the boxes.
Result<std::map<std::string, bundle::Boxes>> ReadBoxes(const CompileOptions& options,
                                                       const graph::Graph& graph);

// Whether an output can hold boxes of these keys, or they are wrong, which is said of every model.
bool MayHoldBoxes(const std::string& keys, const graph::Graph& graph);

}  // namespace webnnc
