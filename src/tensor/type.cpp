#include "tensor/type.h"

#include <algorithm>

namespace webnnc {

Dim ElementCount(const Shape& shape) {
  Dim count = 1;
  for (const Dim& size : shape) count = count * size;
  return count;
}

Dim ByteSize(const TensorType& type) {
  const Dim count = ElementCount(type.shape);
  if (IsPacked(type.dtype)) return CeilDiv(count * BitSize(type.dtype), 8);
  return count * ByteSize(type.dtype);
}

bool IsStatic(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](const Dim& d) { return d.IsConstant(); });
}

bool HasNegativeSize(const Shape& shape) {
  return std::any_of(shape.begin(), shape.end(),
                     [](const Dim& d) { return d.IsConstant() && d.value() < 0; });
}

std::vector<int64_t> StaticShape(const Shape& shape) {
  std::vector<int64_t> sizes;
  for (const Dim& size : shape) sizes.push_back(size.value());
  return sizes;
}

Shape Substitute(const Shape& shape, const SymbolValues& symbols) {
  Shape out;
  for (const Dim& size : shape) out.push_back(size.Substitute(symbols));
  return out;
}

std::optional<Shape> Broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (const Shape* operand : {&a, &b}) {
    size_t skip = result.size() - operand->size();
    for (size_t d = 0; d < operand->size(); ++d) {
      const Dim& size = (*operand)[d];
      Dim& slot = result[skip + d];
      if (slot.Is(1)) {
        slot = size;
      } else if (!size.Is(1) && size != slot) {
        return std::nullopt;
      }
    }
  }
  return result;
}

std::string Print(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ',';
    out += Print(shape[i]);
  }
  return out + ']';
}

std::string Print(const TensorType& type) {
  return std::string(Name(type.dtype)) + Print(type.shape);
}

Result<DType> ParseDType(Lexer& lexer) {
  TRY_ASSIGN(auto name, lexer.Word());
  auto dtype = DTypeNamed(name);
  if (!dtype) return lexer.Fail("unknown element type '" + name + "'");
  return *dtype;
}

Result<TensorType> ParseTensorType(Lexer& lexer) {
  TensorType type;
  TRY_ASSIGN(type.dtype, ParseDType(lexer));
  TRY(lexer.Expect("["));
  while (!lexer.Eat("]")) {
    TRY_ASSIGN(auto size, ParseDim(lexer));
    type.shape.push_back(std::move(size));
    if (!lexer.Sees("]")) TRY(lexer.Expect(","));
  }
  return type;
}

}  // namespace webnnc
