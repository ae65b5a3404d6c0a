#include "tensor/dtype.h"

#include <iterator>

namespace webnnc {

static constexpr struct {
  std::string_view name, web_name;
  int64_t bytes;
} kDTypes[] = {
    {"bool", "bool", 1},  {"i8", "int8", 1},     {"u8", "uint8", 1},    {"i16", "int16", 2},
    {"u16", "uint16", 2}, {"i32", "int32", 4},   {"u32", "uint32", 4},  {"i64", "int64", 8},
    {"u64", "uint64", 8}, {"f16", "float16", 2}, {"f32", "float32", 4}, {"f64", "float64", 8},
};
static_assert(std::size(kDTypes) == kDTypeCount);

std::string_view Name(DType dtype) { return kDTypes[static_cast<int>(dtype)].name; }

std::string_view WebName(DType dtype) { return kDTypes[static_cast<int>(dtype)].web_name; }

std::optional<DType> DTypeNamed(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int64_t ByteSize(DType dtype) { return kDTypes[static_cast<int>(dtype)].bytes; }

bool IsFloat(DType dtype) { return dtype >= DType::kF16; }

bool IsInteger(DType dtype) { return dtype != DType::kBool && dtype < DType::kF16; }

bool IsSigned(DType dtype) {
  switch (dtype) {
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
    case DType::kF16:
    case DType::kF32:
    case DType::kF64: return true;
    default: return false;
  }
}

}  // namespace webnnc
