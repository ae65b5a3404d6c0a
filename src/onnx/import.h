// The ONNX front end: a model file becomes a graph. Differences between opsets end here.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "onnx/model.h"

namespace webnnc::onnx {

struct ImportOptions {
  // Symbols that are fixed: --dim batch=1.
  SymbolValues dims;
  // Shapes that replace those the model declares for its inputs: --input image:1,3,h,w.
  std::map<std::string, Shape> input_shapes;
  // Whether an input of this name is, in the next run, the output of that one; may be empty.
  std::function<bool(const std::string& input, const std::string& output)> is_state;
  // Called with what is odd about a model that is imported all the same; may be empty.
  std::function<void(const std::string&)> warn;
};

// All nodes that cannot be imported are reported in one error, in the model's order.
Result<graph::Graph> Import(const Model& model, const ImportOptions& options = {});
Result<graph::Graph> Import(const std::string& path, const ImportOptions& options = {});

}  // namespace webnnc::onnx
