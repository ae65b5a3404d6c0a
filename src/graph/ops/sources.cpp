// The operations without operands: constant, sizes, iota.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> Constant::Infer(std::span<const TensorType>) const {
  auto bytes = static_cast<int64_t>(value.data.bytes().size());
  if (!ByteSize(value.type).Is(bytes))
    return Error{"a constant " + Print(value.type) + " has " + std::to_string(bytes) + " bytes"};
  return Types{value.type};
}

// A scalar is part of the code. The elements of other constants are data: the plan binds their
// bytes to the buffer.
void Constant::Lower(loop::Lowering& to) const {
  if (!value.type.shape.empty()) return;
  LowerMap(to, [&](const loop::Index&) {
    return to.build.Constant(value.data.At(value.type.dtype, 0));
  });
}

Result<Types> Sizes::Infer(std::span<const TensorType>) const {
  if (scalar && values.size() != 1) return Error{"a scalar of sizes has one value"};
  Shape shape;
  if (!scalar) shape.push_back(static_cast<int64_t>(values.size()));
  return Types{{DType::kI64, shape}};
}

void Sizes::Lower(loop::Lowering& to) const {
  LowerMap(to, [&](const loop::Index& index) {
    loop::Builder& b = to.build;
    loop::ExprId value = b.Size(values.empty() ? Dim(0) : values.back());
    for (size_t i = values.size(); i-- > 1;) {
      value =
          b.Select(b.Less(index[0], b.Int(static_cast<int64_t>(i))), b.Size(values[i - 1]), value);
    }
    return b.Convert(value, DType::kI64);
  });
}

Result<Types> Iota::Infer(std::span<const TensorType>) const {
  return Types{{DType::kI64, {count}}};
}

void Iota::Lower(loop::Lowering& to) const {
  LowerMap(to, [&](const loop::Index& index) { return to.build.Convert(index[0], DType::kI64); });
}

}  // namespace webnnc::graph
