#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/model.h"

namespace webnnc::onnx {

// The version of each domain's operator set.
using Opsets = std::map<std::string, int64_t>;

// A node of the model, or of a function of the model where it is called.
struct FlatNode {
  // The model's own, or a copy that a function's call made.
  std::shared_ptr<const pb::NodeProto> proto;
  const pb::NodeProto& node() const { return *proto; }
  // The version of the operator set of the node's domain; 0 if the model does not import it.
  int64_t opset = 0;
  // Those that graphs among its attributes use, too.
  std::shared_ptr<const Opsets> opsets;

  // "encoder/nms", or what it computes where the model gives it no name.
  std::string Title() const;
  // What graphs among its attributes read that is defined around the node.
  std::set<std::string> NamesFromAround() const;
};

// The model's nodes with calls of its own functions replaced by the functions' bodies, each node
// after those it depends on. Errors: a function that calls itself, nodes in a cycle, a value that
// nothing or more than one node defines.
Result<std::vector<FlatNode>> FlattenModel(const Model& model);

// The same of a graph among a node's attributes, which may read what is defined around the node.
Result<std::vector<FlatNode>> FlattenBody(
    const Model& model, const pb::GraphProto& body, const std::shared_ptr<const Opsets>& opsets,
    const std::function<bool(const std::string& name)>& is_defined_around);

}  // namespace webnnc::onnx
