// Element types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace webnnc {

enum class DType : uint8_t {
  kBool,  // one byte, 0 or 1
  kI8,
  kU8,
  kI16,
  kU16,
  kI32,
  kU32,
  kI64,
  kU64,
  kF16,
  kF32,
  kF64,
  // Integers of less than a byte, which weights are stored in: elements follow each other from the
  // lowest bits of a byte on, as in ONNX. Graphs cast them to others and do nothing else with them.
  kI4,
  kU4,
  kI2,
  kU2,
};
inline constexpr int kDTypeCount = 16;

// "f32", as the text forms write it.
std::string_view Name(DType dtype);
// "float32", as the web calls it (WebNN's MLOperandDataType): what a page sees.
std::string_view WebName(DType dtype);
std::optional<DType> DTypeNamed(std::string_view name);

int64_t BitSize(DType dtype);
// Of an element by itself: what is less than a byte takes one.
int64_t ByteSize(DType dtype);
// Whether several elements are in a byte.
inline bool IsPacked(DType dtype) { return dtype >= DType::kI4; }
bool IsFloat(DType dtype);
// Integers in the arithmetic sense: kBool is not one.
bool IsInteger(DType dtype);
bool IsSigned(DType dtype);

}  // namespace webnnc
