// Activations by what they compute, for the operators that have one inside.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

// x * (1 + erf(x / sqrt(2))) / 2
Result<ValueId> Gelu(NodeContext& c, ValueId x);
// The same with a hyperbolic tangent that is near to erf.
Result<ValueId> FastGelu(NodeContext& c, ValueId x);
// x * sigmoid(alpha * x)
Result<ValueId> Swish(NodeContext& c, ValueId x, double alpha);

// The operator of ONNX that is called `name`, with its first two parameters; those that are left
// out have the operator's defaults.
Result<ValueId> Activated(NodeContext& c, const std::string& name,
                          const std::vector<double>& parameters, ValueId x);

}  // namespace webnnc::onnx
