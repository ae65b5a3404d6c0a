#pragma once

#include "base/result.h"
#include "graph/outline.h"
#include "onnx/model.h"

namespace webnnc::onnx {

// The errors are those of the model's nodes: a cycle, a value that is defined twice.
Result<graph::Outline> OutlineOf(const Model& model);

}  // namespace webnnc::onnx
