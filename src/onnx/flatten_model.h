#pragma once

#include <map>
#include <string>
#include <vector>

#include "onnx/model.h"

namespace webnnc::onnx {

// A node of the model, or of a function of the model where it is called.
struct FlatNode {
  // The model's own, or a copy that a function's call made.
  std::shared_ptr<const pb::NodeProto> proto;
  const pb::NodeProto& node() const { return *proto; }
  // The version of the operator set of the node's domain; 0 if the model does not import it.
  int64_t opset = 0;

  // "encoder/nms", or what it computes where the model gives it no name.
  std::string Title() const;
};

// The model's nodes with calls of its own functions replaced by the functions' bodies, each node
// after those it depends on. Errors: a function that calls itself, nodes in a cycle, a value that
// nothing or more than one node defines.
Result<std::vector<FlatNode>> FlattenModel(const Model& model);

}  // namespace webnnc::onnx
