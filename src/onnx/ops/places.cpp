#include "onnx/ops/places.h"

namespace webnnc::onnx {

DType RealType(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

Status CheckHasElements(NodeContext& c, const TensorType& x) {
  for (size_t d = 2; d < x.shape.size(); ++d) {
    if (x.shape[d].Is(0)) return Error{"there is nothing to read in " + Print(x)};
    if (!ProvablyLessEqual(1, x.shape[d])) c.AssumeLessEqual(1, x.shape[d]);
  }
  return kSuccess;
}

}  // namespace webnnc::onnx
