#include "graph/passes/in_parts.h"

namespace webnnc::graph {

ValueId InParts(Builder& build, ValueId x, int64_t axis, int64_t size, double filler,
                const std::string& name, const std::string& result) {
  Shape shape = build.type(x).shape;
  auto along = static_cast<size_t>(axis);
  int64_t length = shape[along].value(), count = (length + size - 1) / size;
  if (count * size != length) {
    Pad pad{Sizes1D(shape.size(), 0), Sizes1D(shape.size(), 0), PadMode::kConstant};
    pad.end[along] = count * size - length;
    x = build.Add(pad, {x, build.AddScalar(build.type(x).dtype, filler)}, name);
  }
  shape[along] = size;
  shape.insert(shape.begin() + axis, count);
  return build.Add(Reshape{shape}, {x}, result);
}

ValueId InOne(Builder& build, ValueId parts, int64_t axis, const Dim& length,
              const std::string& name) {
  Shape shape = build.type(parts).shape;
  auto along = static_cast<size_t>(axis);
  Dim padded = shape[along] * shape[along + 1];
  shape.erase(shape.begin() + axis);
  shape[along] = padded;
  ValueId row = build.Add(Reshape{shape}, {parts}, name);
  if (length == padded) return row;
  shape[along] = length;
  return build.Add(Slice{Sizes1D(shape.size(), 0), shape, Integers(shape.size(), 1)}, {row}, name);
}

}  // namespace webnnc::graph
