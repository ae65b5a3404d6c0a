// What a model file says of itself, before anything is made of it: for reports and pictures.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace webnnc::graph {

struct OutlineNode {
  // As errors name it, and the origins of a graph's nodes.
  std::string title;
  // The operator, "Conv".
  std::string op_type;
  // Names of values.
  std::vector<std::string> inputs, outputs;
};

struct Outline {
  // "pytorch 2.11.0"; empty if the model does not say.
  std::string producer;
  std::string graph_name;
  // Domains and versions, ONNX's own as "ai.onnx".
  std::vector<std::pair<std::string, int64_t>> opsets;
  // Elements of all weights of floats.
  int64_t parameters = 0;
  std::vector<OutlineNode> nodes;
  std::vector<std::string> inputs, outputs;
};

}  // namespace webnnc::graph
