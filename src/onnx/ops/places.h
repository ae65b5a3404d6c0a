// What operators share that read images at places that are computed.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

// The type that places are computed in: f32, or wider.
DType RealType(DType dtype);

// That x has elements to read, wherever places are.
Status CheckHasElements(NodeContext& c, const TensorType& x);

}  // namespace webnnc::onnx
