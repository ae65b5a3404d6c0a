// The type of a tensor: element type and shape. The rank is static, each size may be symbolic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/lexer.h"
#include "tensor/dim.h"
#include "tensor/dtype.h"

namespace webnnc {

using Shape = std::vector<Dim>;

struct TensorType {
  DType dtype = DType::kF32;
  Shape shape;

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

// The number of elements.
Dim ElementCount(const Shape& shape);
// The number of bytes, elements packed.
Dim ByteSize(const TensorType& type);
bool IsStatic(const Shape& shape);
// Whether a size is known to be below 0: what asks for such a shape is wrong.
bool HasNegativeSize(const Shape& shape);
// The sizes of a static shape.
std::vector<int64_t> StaticShape(const Shape& shape);
Shape Substitute(const Shape& shape, const SymbolValues& symbols);

// The shape that NumPy's broadcasting gives, or nothing when two sizes may differ.
std::optional<Shape> Broadcast(const Shape& a, const Shape& b);

// [2,seq,64]; a scalar is [].
std::string Print(const Shape& shape);
// f32[2,seq,64]
std::string Print(const TensorType& type);
Result<DType> ParseDType(Lexer& lexer);
Result<TensorType> ParseTensorType(Lexer& lexer);

}  // namespace webnnc
