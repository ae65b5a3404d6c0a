#pragma once

#include <vector>

#include "tensor/data.h"

namespace webnnc::onnx {

// A tensor of reals, rounded to its type.
Tensor RealTensor(TensorType type, const std::vector<double>& values);

}  // namespace webnnc::onnx
